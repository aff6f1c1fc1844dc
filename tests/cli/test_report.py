"""`concertclean report`, `spectrogram` and `denoise --report`: files, exit codes, what is said."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from concertclean.report import comparison

RATE = 16_000
Program = Callable[..., Any]


@pytest.fixture
def sound(tmp_path: Path, noise: Callable[..., np.ndarray]) -> Callable[..., Path]:
    def make(name: str, seconds: float = 1.0, gain: float = 1.0, rate: int = RATE) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, gain * noise(round(seconds * rate), channels=1).T, rate)
        return path

    return make


def names_on(page: Path) -> list[str]:
    found = re.search(r'<script type="application/json" id="page">(.*?)</script>', page.read_text())
    assert found is not None
    return [recording["name"] for recording in json.loads(found[1])["recordings"]]


def settings_on(page: Path) -> dict[str, str]:
    found = re.search(r'"settings": (\[.*?\]\])', page.read_text())
    assert found is not None
    return dict(json.loads(found[1]))


# concertclean report


def test_two_files(program: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.wav")
    sound("b.wav", gain=0.5)
    ended = program("report", "a.wav", "b.wav")
    assert (ended.code, ended.out) == (0, b"")
    assert "b_report.html" in ended.err
    assert names_on(tmp_path / "b_report.html") == ["a"]
    again = program("report", "a.wav", "b.wav")
    assert again.code == 9
    assert "already exists" in again.err
    assert program("report", "a.wav", "b.wav", "--overwrite", "-q").err == ""
    assert program("report", "a.wav", "b.wav", "-o", "page.html").code == 0
    assert names_on(tmp_path / "page.html") == ["a"]


def test_a_folder_with_a_bad_pair(program: Program, sound: Any, tmp_path: Path) -> None:
    for name in ("a.wav", "a_clean.wav", "deep/b.wav", "deep/b_clean.wav", "c.wav", "lonely_clean.wav"):
        sound(name)
    sound("c_clean.wav", seconds=0.5)
    ended = program("report", ".")
    assert ended.code == 3
    assert "c_clean.wav: ends after 0.50 s" in ended.err
    assert "no recording lonely.*" in ended.err
    assert names_on(tmp_path / "report.html") == ["a", "b"]


def test_a_mirrored_tree(program: Program, sound: Any, tmp_path: Path) -> None:
    sound("tapes/x/a.wav")
    sound("restored/x/a_clean.wav")
    assert program("report", "restored", "--originals", "tapes").code == 0
    assert names_on(tmp_path / "restored" / "x" / "a_clean_report.html") == ["a"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["missing_clean.wav"], 4, "no such file"),
        (["a.wav"], 2, "not named NAME_clean.EXT"),
        (["a.wav", "short.wav"], 5, "short.wav: ends after 0.25 s"),
        (["a.wav", "text.wav"], 5, "text.wav"),
        (["lonely_clean.wav"], 4, "give the folder of the originals"),
        (["empty"], 4, "run denoise first"),
        (["a.wav", "a.wav", "--log", "text.wav"], 2, "line 1 is not a record"),
        (["a.wav", "a.wav", "--log", "missing"], 2, "cannot be read"),
        (["a.wav", "a.wav", "-o", "missing/page.html"], 9, "cannot be written"),
        (["a.wav", "a.wav", "--preview-seconds", "0"], 2, ""),
        ([], 2, ""),
    ],
)
def test_errors(program: Program, sound: Any, tmp_path: Path, words: list[str], code: int, message: str) -> None:
    sound("a.wav")
    sound("short.wav", seconds=0.25)
    sound("lonely_clean.wav")
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "empty").mkdir()
    ended = program("report", *words)
    assert ended.code == code
    assert message in ended.err
    assert list(tmp_path.rglob("*.html")) == []
    assert list(tmp_path.rglob("*.part")) == []


def test_preview(program: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.wav", seconds=3)
    sound("b.wav", seconds=3, gain=0.5)
    assert program("report", "a.wav", "b.wav", "--preview-seconds", 1).code == 0
    text = (tmp_path / "b_report.html").read_text()
    assert '"seconds": 1.0' in text
    assert "the part where most was removed" in text


def test_the_log_and_the_start(program: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.wav", seconds=2)
    sound("a_clean.wav", seconds=1)
    record = {"output": "elsewhere/a_clean.wav", "model": "gramophone", "settings": {"start_seconds": 0.5}}
    (tmp_path / "log.jsonl").write_text(json.dumps(record) + "\n")
    assert program("report", "a_clean.wav").code == 5
    assert program("report", "a_clean.wav", "--start", 1).code == 0
    assert program("report", "a_clean.wav", "--log", "log.jsonl", "--overwrite").code == 0
    assert settings_on(tmp_path / "a_clean_report.html")["Model"] == "gramophone"


# concertclean spectrogram


def test_spectrogram(program: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.wav")
    sound("b.wav", gain=0.1)
    ended = program("spectrogram", "a.wav", "--size", "400x200")
    assert (ended.code, ended.out) == (0, b"")
    with Image.open(tmp_path / "a_spectrogram.png") as image:
        assert image.size == (400, 200)
    assert program("spectrogram", "a.wav").code == 9
    more = ["--compare", "b.wav", "--linear", "--start", 0.2, "--duration", 0.5, "--size", "400x200", "-q"]
    assert program("spectrogram", "a.wav", "two.png", *more).err == ""
    with Image.open(tmp_path / "two.png") as image:
        assert image.size == (400, 400)


@pytest.mark.parametrize(
    ("words", "code"),
    [(["missing.wav"], 4), (["a.wav", "out.gif"], 2), (["a.wav", "--size", "big"], 2), (["a.wav", "--start", 5], 2),
     (["text.wav"], 5), (["a.wav", "missing/out.png"], 9)],
)  # fmt: skip
def test_spectrogram_errors(program: Program, sound: Any, tmp_path: Path, words: list[object], code: int) -> None:
    sound("a.wav")
    (tmp_path / "text.wav").write_text("no sound")
    ended = program("spectrogram", *words)
    assert ended.code == code
    assert ended.err.startswith("error:")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "text.wav"]


def test_pictures_need_matplotlib_and_pages_do_not(
    program: Program, sound: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound("a.wav")
    sound("a_clean.wav", gain=0.5)
    loaded = [name for name in sys.modules if name.partition(".")[0] in ("matplotlib", "PIL")]
    for name in ("matplotlib", "PIL", *loaded):
        monkeypatch.setitem(sys.modules, name, None)
    ended = program("spectrogram", "a.wav")
    assert ended.code == 2
    assert ended.err == "error: pictures need matplotlib; pip install 'concertclean[plots]'\n"
    assert not (tmp_path / "a_spectrogram.png").exists()
    assert program("report", "a.wav", "a_clean.wav", "-q").code == 0
    assert names_on(tmp_path / "a_clean_report.html") == ["a"]


def test_help_is_quick() -> None:
    """No command of the pages imports what takes long before it is asked to work."""
    code = """
import sys
from concertclean.cli.app import main
for words in (["report"], ["spectrogram"], ["listen", "build"], ["listen", "score"]):
    sys.argv = ["concertclean", *words, "--help"]
    try:
        main()
    except SystemExit as end:
        assert not end.code
print(*sorted({"torch", "scipy", "av", "numpy", "matplotlib", "PIL"} & set(sys.modules)), file=sys.stderr)
"""
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ended.stderr.strip() == ""


# concertclean denoise --report


@pytest.fixture
def denoise(program: Program, tiny_weights: dict[str, Path]) -> Program:
    how = ["--device", "cpu", "--precision", "fp32", "--threads", 1, "--segment", 0.5]
    return lambda *words: program("denoise", "--model", tiny_weights["stereo"], *how, *words)


def test_denoise_makes_a_page(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.wav", seconds=2)
    ended = denoise("a.wav", "--report", "--strength", 0.5, "--start", 0.5, "--jsonl-log", "log.jsonl")
    assert ended.code == 0
    page = tmp_path / "a_clean_report.html"
    assert f"-> {page.name}" in ended.err
    settings = settings_on(page)
    assert settings["Strength"] == "0.5"
    assert settings["Starts at, s"] == "0.5"
    assert len(settings["Weights, SHA-256"]) == 64
    (record,) = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert record["settings"]["start_seconds"] == 0.5


def test_a_page_of_several(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound("in/a.wav")
    sound("in/deep/b.wav")
    (tmp_path / "in" / "c.wav").write_text("no sound")
    ended = denoise("in", "-r", "-o", "out", "--report")
    assert ended.code == 3
    assert names_on(tmp_path / "out" / "report.html") == ["a", "b"]


def test_a_preview_implies_a_page(
    denoise: Program, sound: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "PREVIEW_SECONDS", 0.5)
    sound("a.wav")
    assert denoise("a.wav", "--preview").code == 0
    assert soundfile.info(tmp_path / "a_clean.wav").frames == RATE
    assert '"seconds": 0.5' in (tmp_path / "a_clean_report.html").read_text()


def codec_on(page: Path) -> str:
    (codec,) = set(re.findall(r'"codec": "(\w+)"', page.read_text()))
    return str(codec)


def test_lossless_sound_is_asked_for(denoise: Program, program: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.wav")
    page = tmp_path / "a_clean_report.html"
    assert denoise("a.wav", "--lossless-report").code == 0
    assert codec_on(page) == "FLAC"
    for words, codec in (((), "Opus"), (("--lossless",), "FLAC"), (("--lossless-report",), "FLAC")):
        assert program("report", "a_clean.wav", "--overwrite", *words).code == 0
        assert codec_on(page) == codec


def test_an_existing_page_is_told_before_the_work(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.wav")
    (tmp_path / "a_clean_report.html").touch()
    ended = denoise("a.wav", "--report")
    assert ended.code == 9
    assert not (tmp_path / "a_clean.wav").exists()
    assert denoise("a.wav", "--report", "--overwrite").code == 0


def test_an_archive_goes_on(denoise: Program, sound: Any, tmp_path: Path) -> None:
    """What is done is in the page too; a page that exists is left alone, as everything is by --skip-existing."""
    sound("in/a.wav")
    assert denoise("in", "-o", "out").code == 0
    sound("in/b.wav")
    assert denoise("in", "-o", "out", "--report", "--skip-existing").code == 0
    assert names_on(tmp_path / "out" / "report.html") == ["a", "b"]
    ended = denoise("in", "-o", "out", "--report", "--skip-existing")
    assert ended.code == 0
    assert "report.html exists: skipped" in ended.err


def test_a_page_needs_files(denoise: Program, sound: Any) -> None:
    sound("a.wav")
    ended = denoise("a.wav", "-o", "-", "--report")
    assert ended.code == 2
    assert "--report needs" in ended.err


def test_dry_run(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.wav")
    assert denoise("a.wav", "--report", "--dry-run").out == b"a.wav -> a_clean.wav  0:01\n-> a_clean_report.html\n"
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix) == ["a.wav"]


# Names and full disks


@pytest.mark.skipif(sys.platform != "linux", reason="a Linux name")
def test_names_that_are_not_utf8_are_shown(program: Program, sound: Any, tmp_path: Path) -> None:
    for name in ("caf\udce9.wav", "caf\udce9_clean.wav"):
        sound("a.wav").rename(tmp_path / name)
    ended = program("report", "caf\udce9.wav", "caf\udce9_clean.wav", "-o", "r.html")
    assert ended.code == 0, ended.err
    assert "<h1>caf\\udce9</h1>" in (tmp_path / "r.html").read_text()
    assert program("spectrogram", "caf\udce9.wav", "s.png", "--size", "200x100").code == 0


def test_title_with_words_of_the_template_is_shown(program: Program, sound: Any, tmp_path: Path) -> None:
    sound("a {{script}} {{style}} {{data}} {{x}}.wav")
    sound("a {{script}} {{style}} {{data}} {{x}}_clean.wav")
    program("report", "a {{script}} {{style}} {{data}} {{x}}_clean.wav", "-o", "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "<h1>a {{script}} {{style}} {{data}} {{x}}</h1>" in text
    assert text.count("'use strict'") == 1


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["report", "a.wav", "a_clean.wav", "-o", "r.html"], "r.html"),
        (["spectrogram", "a.wav", "s.png", "--size", "200x100"], "s.png"),
        (["spectrogram", "a.wav", "s.svg", "--size", "200x100"], "s.svg"),
    ],
)
def test_full_disk_is_blamed_and_leaves_nothing(
    program: Program, sound: Any, tmp_path: Path, full_disk: list[str], words: list[str], target: str
) -> None:
    sound("a.wav")
    sound("a_clean.wav", gain=0.5)
    assert full_disk
    ended = program(*words)
    assert ended.code == 9
    assert f"{target}: cannot be written (No space left on device)" in ended.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "a_clean.wav"]


def test_result_of_a_mac_belongs_to_its_recording(program: Program, sound: Any, tmp_path: Path) -> None:
    """One name as two characters, é as e and an accent; and a file of macOS beside it."""
    sound("cafe\u0301.wav")
    sound("caf\u00e9_clean.wav", gain=0.5)
    (tmp_path / "._cafe\u0301.wav").write_bytes(b"Mac OS X")
    ended = program("report", "caf\u00e9_clean.wav", "-o", "r.html")
    assert ended.code == 0, ended.err


# Times


def test_times_may_have_minutes(program: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.wav", seconds=3)
    sound("a_clean.wav", seconds=2)
    ended = program("report", "a.wav", "a_clean.wav", "--start", "0:01", "--preview-seconds", "0:00.5", "-o", "r.html")
    assert ended.code == 0, ended.err
    words = ["--start", "0:00:01.5", "--duration", "0:01", "--size", "200x100"]
    assert program("spectrogram", "a.wav", "s.png", *words).code == 0
    assert program("spectrogram", "a.wav", "b.png", "--start", "0:03").code == 2


@pytest.mark.parametrize("time", ["x", "-1", "1:75", "nan", ""])
def test_times_that_are_none(program: Program, sound: Any, time: str) -> None:
    sound("a.wav")
    ended = program("spectrogram", "a.wav", "s.png", f"--start={time}")
    assert ended.code == 2
    assert "is no time" in ended.err
