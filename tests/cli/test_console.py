"""Signals end a command where they can, and at the next progress where a library would swallow their exception."""

import os
import signal

import pytest

from concertclean.cli import console


@pytest.fixture(autouse=True)
def handled():
    """Handlers as in a terminal: under nohup, or behind &, Ctrl-C is ignored from the start."""
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def inside_sndfile(action):
    """Runs an action in a frame that looks like one of soundfile's callbacks."""
    names = {"__name__": "soundfile", "action": action}
    exec("def vio_read():\n    action()", names)
    names["vio_read"]()


@pytest.mark.parametrize(("name", "error"), [("SIGINT", KeyboardInterrupt), ("SIGTERM", SystemExit)])
def test_a_signal_ends_the_work_at_once(name, error):
    before = signal.getsignal(signal.Signals[name])
    with pytest.raises(error) as raised, console.ending_on_signals():
        os.kill(os.getpid(), signal.Signals[name])
    assert error is KeyboardInterrupt or raised.value.code == 143
    assert signal.getsignal(signal.Signals[name]) == before


@pytest.mark.parametrize(("name", "error"), [("SIGINT", KeyboardInterrupt), ("SIGTERM", SystemExit)])
def test_within_a_callback_it_waits_for_the_next_progress(name, error):
    """A SystemExit out of a cffi callback is printed and lost: a batch once went on and ended with code 0."""
    with console.ending_on_signals():
        inside_sndfile(lambda: os.kill(os.getpid(), signal.Signals[name]))
        with pytest.raises(error):
            console.end_if_asked()
    console.end_if_asked()  # forgotten by then


def test_every_progress_asks(monkeypatch):
    from concertclean.cli.bars import bars

    with console.ending_on_signals(), bars(quiet=True) as progress:
        progress("work", 1, 2)
        inside_sndfile(lambda: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(SystemExit):
            progress("work", 2, 2)
