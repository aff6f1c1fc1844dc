"""The commands of the README and of the guide for listeners run from top to end of their block, in an empty folder."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.audio_io.film_maker import Sound, make_film
from tests.audio_io.sound_bytes import encoded

RATE = 44_100
ROOT = Path(__file__).parents[2]


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


def test_the_listening_test_has_its_files(files: Path) -> None:
    """What its example compares is made by the commands above it."""
    made = "\n".join(commands("docs/listeners.md", "For listeners"))
    text = (ROOT / "docs/evaluation.md").read_text(encoding="utf-8")
    example = text[text.index("[[item]]") :]
    for name in re.findall(r'"(recording_\w+\.wav)"', example[: example.index("```")]):
        assert name in made
