"""`concertclean serve`: how it starts and ends, and what it refuses."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "concertclean", "serve", "--port", "0"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_it_prints_an_address_that_opens_and_ends_when_asked(tmp_path: Path, number: int, code: int) -> None:
    with subprocess.Popen(
        [*COMMAND, "--work", str(tmp_path / "work")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())
        with opener.open(address, timeout=10) as answer:
            page, url = answer.read().decode(), answer.url
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert "<title>concertclean</title>" in page
    assert "token" not in url
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert str(tmp_path / "work") in err


def test_the_page_is_there_within_two_seconds_and_without_torch(tmp_path: Path) -> None:
    """0.9 s of processor time, from the start of Python to the page and the list of what can be chosen."""
    script = f"""
import json, sys, threading, time, urllib.request
sys.argv = ["concertclean", "serve", "--port", "0", "--work", {str(tmp_path / "work")!r}]
from concertclean.cli.app import main
import concertclean.cli.console as console
def opened(address):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}), urllib.request.HTTPCookieProcessor())
    opener.open(address).read()
    opener.open(address.split("?")[0] + "api/options").read()
    print(json.dumps({{"seconds": time.process_time(), "torch": "torch" in sys.modules}}), flush=True)
    import os, signal
    os.kill(os.getpid(), signal.SIGINT)
console.say = lambda address: threading.Thread(target=opened, args=(address,)).start()
main()
"""
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert not found["torch"]
    assert found["seconds"] < 2.0


def test_without_the_extra_the_cure_is_named(program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("concertclean.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    ended = program("serve")
    assert ended.code == 2
    assert "pip install 'concertclean[serve]'" in ended.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--host", "0.0.0.0"], 2, "nothing is encrypted"),
        (["--token", "short"], 2, "12 characters"),
        (["--folder", "missing"], 4, "no such folder"),
        (["--port", "70000"], 2, "65535"),
        (["--work", "file"], 9, "cannot be written"),
    ],
)
def test_what_cannot_be_served_is_refused(
    program: Callable[..., Any], tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    (tmp_path / "file").write_text("")
    ended = program("serve", "--port", "0", "--work", tmp_path / "work", *words)
    assert ended.code == code, ended.err
    assert said in ended.err
