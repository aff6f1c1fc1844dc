"""Commands of the documents: all of them parse, and those of a guide run from top to end of their block.

They run in an empty folder with small inputs. What needs a store, a cluster or hours is only parsed.
"""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import soundfile
import typer

from concertclean.cli.app import app
from tests.audio_io.film_maker import Sound, make_film
from tests.audio_io.sound_bytes import encoded

RATE = 44_100
ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md", "CONTRIBUTING.md", "recipes/README.md", *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")),
]  # fmt: skip


def documented(document: str) -> list[str]:
    """Every command of a document, in blocks and in lines of text."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in re.sub(r"\\\n\s*", " ", block).splitlines()]
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]
    found = [re.search(r"(?:^|\s)(concertclean [a-z].*)", line) for line in [*lines, *inline]]
    return [match[1] for match in found if match and "..." not in match[1].partition("#")[0]]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_of_a_document_parses(document: str) -> None:
    """Its options exist and take such values."""
    for line in documented(document):
        words = shlex.split(re.sub(r"\$(\w+|\(\(.*?\)\))", "3", line), comments=True)
        words = words[: next((k for k, word in enumerate(words) if word in {">", "|", "&&"}), None)]
        command, name = typer.main.get_command(app), words.pop(0)
        while words and isinstance(command, click.Group):
            name = words.pop(0)
            assert name in command.commands, line
            command = command.commands[name]
        try:
            with command.make_context(name, words):
                pass
        except click.exceptions.Exit:
            pass
        except click.ClickException as error:
            if not isinstance(error, click.MissingParameter):  # a name in a sentence
                pytest.fail(f"{document}: {line}: {error.format_message()}")


def commands(document: str, heading: str) -> list[str]:
    """Lines of the first block below a heading."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.search(rf"^#+ {heading}\n.*?```\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1].splitlines()


@pytest.fixture
def files(tmp_path: Path, noise: Callable[..., np.ndarray]) -> Path:
    """What the block works on; quiet, so that the default finds little to do in it."""
    whisper = noise(7 * RATE, level=1e-5)
    (tmp_path / "recording.m4a").write_bytes(encoded(whisper, "mp4", "aac", "stereo"))
    short = noise(RATE, level=0.01)
    sounds = [Sound(np.tile(short, (2, 1))[:2], codec="flac", storage="s16", rate=RATE)] * 2
    make_film(tmp_path / "film.mkv", sounds, muxer="matroska", seconds=1.0)
    (tmp_path / "tapes/side").mkdir(parents=True)
    for name in ("disc.flac", "lp.flac", "tape.flac", "tapes/one.flac", "tapes/side/two.flac"):
        soundfile.write(tmp_path / name, short.T, RATE)
    return tmp_path


def run(program: Callable[..., Any], files: Path, lines: list[str]) -> None:
    for line in lines:
        words = shlex.split(line, comments=True)
        stdin = b""
        if words[:1] == ["cat"]:
            stdin, words = (files / words[1]).read_bytes(), words[3:]
        target = files / words.pop() if words[-2:-1] == [">"] else None
        words = [word for word in words if word != ">"]
        assert words[0] == "concertclean"
        ended = program(*words[1:], stdin=stdin)
        assert ended.code == 0, f"{line}\n{ended.err}"
        if target is not None:
            target.write_bytes(ended.out)


def test_the_commands_for_archivists(program: Callable[..., Any], tmp_path: Path, noise: Callable[..., Any]) -> None:
    (tmp_path / "transfers/box").mkdir(parents=True)
    for name in ("transfers/one.flac", "transfers/box/two.flac"):
        soundfile.write(tmp_path / name, noise(RATE // 2, level=0.01)[0], RATE)
    run(program, tmp_path, commands("docs/archivists.md", "Discs"))
    made = tmp_path.rglob("*_clean.wav")
    assert {path.relative_to(tmp_path).as_posix() for path in made} == {
        "restored/one_clean.wav", "restored/box/two_clean.wav"
    }  # fmt: skip
    records = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["status"] for record in records].count("done") == 2  # the last command did nothing again


def test_the_commands_of_the_methods(program: Callable[..., Any], files: Path) -> None:
    (files / "sides").mkdir()
    for name in ("side.flac", "groove.wav", "sides/a.flac"):
        shutil.copy(files / "disc.flac", files / name)
    lines = commands("docs/methods.md", "Methods without weights, and chains")
    assert "eval --dataset" in lines.pop()  # as in the guide to evaluation
    for line in lines:
        run(program, files, [line])
        if "side.flac" in line:
            (files / "side_clean.wav").unlink()
    assert (files / "restored/a_clean.wav").stat().st_size > 900


def test_the_commands_for_engineers(program: Callable[..., Any], tmp_path: Path, noise: Callable[..., Any]) -> None:
    (tmp_path / "takes").mkdir()
    for name in ("vocals.wav", "guitar.wav", "drums.wav", "bass.wav", "takes/a.wav", "takes/b.wav"):
        soundfile.write(tmp_path / name, noise(2 * RATE, level=0.1)[0], RATE)
    lines = commands("docs/engineers.md", "For engineers: bleed between microphones")
    assert len(lines) == 3
    for line in lines:
        run(program, tmp_path, [line.replace("takes/*.wav", "takes/a.wav takes/b.wav")])
        assert (tmp_path / "clean/vocals_clean.wav").exists()
        for path in (tmp_path / "clean").glob("[ab]_*"):
            path.unlink()


@pytest.mark.slow
def test_the_commands_of_the_evaluation(program: Callable[..., Any], files: Path) -> None:
    run(program, files, ["concertclean denoise recording.m4a", "concertclean denoise tapes/ -r -o restored/"])
    run(program, files, ["concertclean denoise recording.m4a --strength 0.5 -o recording_half.wav"])
    lines = commands("docs/evaluation.md", "Hear it, see it, measure it")
    run(program, files, lines[:3])
    for folder in ("true", "recordings"):
        shutil.copytree(files / "restored", files / folder)
    for name in ("true.wav", "restored.wav", "recording.wav"):
        shutil.copy(files / "restored/one_clean.wav", files / name)
    run(program, files, lines[3:5])
    example = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    (files / "test.toml").write_text(example.replace("start_seconds = 8", "start_seconds = 1"), encoding="utf-8")
    run(program, files, [line for line in lines if "listen build" in line])
    assert [line.split()[1:3] for line in lines[5:]] == [
        ["eval", "--dataset"], ["bench", "#"], ["listen", "build"], ["listen", "score"]
    ]  # fmt: skip
    made = ("recording_clean_report.html", "restored/report.html", "recording_spectrogram.png", "test.html")
    assert [name for name in made if not (files / name).exists()] == []


@pytest.mark.slow
def test_the_commands_of_the_readme(program: Callable[..., Any], files: Path) -> None:
    lines = commands("README.md", "Daily use")
    assert len(lines) == 5
    run(program, files, lines)
    expected = {"recording_clean.wav", "disc_clean.wav", "film_clean.mkv", "restored/side/two_clean.wav", "run.jsonl"}
    assert all((files / name).stat().st_size > 900 for name in {*expected, "heard_report.html"})


@pytest.mark.slow
def test_daily_use(program: Callable[..., Any], files: Path) -> None:
    lines = commands("docs/listeners.md", "For listeners")
    assert len(lines) > 12
    run(program, files, lines)
    expected = {
        "recording_clean.wav", "quiet.wav", "disc_clean.wav", "lp_clean.wav", "tape_clean.wav", "out.m4a", "both.wav",
        "recording_half.wav", "gentle.wav", "both_removed.wav", "heard_report.html", "part.wav", "film_clean.mkv",
        "sound.wav", "clean.wav", "restored/one_clean.wav", "restored/side/two_clean.wav", "talk.wav",
        "archive/side/two_clean.wav", "archive.jsonl",
    }  # fmt: skip
    assert all((files / name).stat().st_size > 900 for name in expected)
    assert soundfile.info(files / "part.wav").duration < 3


@pytest.mark.slow
def test_the_commands_of_training(program: Callable[..., Any], tmp_path: Path, noise: Callable[..., Any]) -> None:
    """On seconds of songs and noise, and for one step of a smaller network."""
    tones = np.arange(1, 5)[:, None] * np.linspace(0, 2000, 4 * RATE)
    for number, tone in enumerate(tones):
        for kind, sound in (("songs", 0.2 * np.sin(tone)), ("crowds", noise(4 * RATE, level=0.1)[0])):
            (tmp_path / kind / f"{number}").mkdir(parents=True)
            soundfile.write(tmp_path / kind / f"{number}/a.wav", sound, RATE)
    soundfile.write(tmp_path / "recording.m4a", noise(RATE, level=0.1)[0], RATE, format="WAV")
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    small = {
        "dataset build": " --synthetic-minutes 0 --validation-items 1 --test-items 1 --workers 1",
        "train": " --set run.steps=1 --set run.compile=off --set run.threads=1 --set run.validation_items=1"
        " --set optimizer.warmup=0 --set data.batch=1 --set data.seconds=0.5 --set data.workers=0"
        " --set network.config.base=4 --set network.config.bands=40",
    }
    lines = commands("docs/training.md", "Train your own")
    assert "models publish" in lines.pop()  # needs a hub; tests/weights/test_publishing.py has one
    for line in lines:
        more = next((more for name, more in small.items() if f"concertclean {name} " in line), "")
        run(program, tmp_path, [line.partition("#")[0] + more])
    assert (tmp_path / "recording_clean.wav").exists()
    assert len(list((tmp_path / "mixtures").rglob("*.wav"))) > 4


def test_the_listening_test_has_its_files(files: Path) -> None:
    """What its example compares is made by the commands above it."""
    made = "\n".join(commands("docs/listeners.md", "For listeners"))
    text = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
    example = text[text.index("[[item]]") :]
    for name in re.findall(r'"(recording_\w+\.wav)"', example[: example.index("```")]):
        assert name in made
