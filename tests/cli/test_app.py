"""The program itself: help, version, exit codes, and how little it takes to show them."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import concertclean
from concertclean.cli import console
from concertclean.cli.help import EXAMPLES
from concertclean.errors import (
    AudioFileError,
    ConcertCleanError,
    ConfigError,
    DeviceMemoryError,
    ModelError,
    NoInputError,
    OfflineError,
    OutputError,
)

Program = Callable[..., Any]


def test_version(program: Program) -> None:
    ended = program("--version")
    assert (ended.code, ended.out) == (0, f"{concertclean.__version__}\n".encode())


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["denoise", "--help"], ["models", "-h"], ["doctor", "-h"]])
def test_help(program: Program, words: list[str]) -> None:
    ended = program(*words)
    assert ended.code == 0
    assert b"Usage" in ended.out


def test_every_option_of_denoise_is_explained(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = program("denoise", "--help").out.decode()
    for option in ("--strength", "--max-reduction", "--bit-depth", "--jsonl-log", "--skip-existing", "--removed"):
        assert option in shown
    for default in ("[default: auto]", "[default: NAME_clean.wav beside; a video's is a video]", "[default: warn]"):
        assert default in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--nonsense"],
        ["nonsense"],
        ["denoise"],
        ["denoise", "a.wav", "--nonsense"],
        ["denoise", "a", "--strength", "x"],
    ],
)
def test_wrong_usage(program: Program, words: list[str]) -> None:
    ended = program(*words)
    assert ended.code == 2
    assert ended.out == b""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConcertCleanError, 1), (ConfigError, 2), (NoInputError, 4), (AudioFileError, 5), (ModelError, 6),
        (OfflineError, 7), (DeviceMemoryError, 8), (OutputError, 9), (RuntimeError, 1),
    ],
)  # fmt: skip
def test_exit_codes(error: type[Exception], code: int) -> None:
    assert console.exit_code(error()) == code


@pytest.mark.parametrize("words", [["--help"], ["denoise", "--help"], ["--version"]])
def test_help_is_quick(words: list[str]) -> None:
    """Nothing that takes long to import is imported; half a second of processor time, doubled for a slow one."""
    code = f"""
import sys, time
sys.argv = ["concertclean", *{words!r}]
from concertclean.cli.app import main
try:
    main()
except SystemExit:
    pass
slow = {{"torch", "scipy", "av", "soundfile", "numpy", "pyloudnorm", "huggingface_hub"}}
loaded = sorted(slow & set(sys.modules))
print(*loaded, file=sys.stderr)
sys.exit(bool(loaded) or time.process_time() > 1)
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ended.stderr.strip() == ""
    assert ended.returncode == 0


def test_python_m() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "concertclean", "--version"], check=False, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (0, f"{concertclean.__version__}\n")


@pytest.mark.parametrize("command", EXAMPLES)
def test_help_ends_with_examples_and_shows_no_type_of_a_flag(program, command) -> None:
    shown = program(command, "--help").out.decode()
    assert "<bool>" not in shown
    assert shown[shown.rindex("╯") :].count("concertclean") == len(EXAMPLES[command])
    for example in EXAMPLES[command]:
        assert f"{example} ".startswith(f"concertclean {command} ")
        for word in example.split():
            assert not word.startswith("--") or word in shown[: shown.rindex("╯")]
