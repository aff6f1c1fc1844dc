"""The page with a long result: a stream in place of the samples, tiles in place of one picture."""

from collections.abc import Iterator
from functools import partial

import pytest

from concertclean.serve.listening import prepare
from concertclean.serve.server import ServeOptions
from concertclean.serve.tasks import work
from tests.browser import MOVE, Browser, opened
from tests.serve.conftest import TOKEN, Running, song_bytes
from tests.serve.test_page import IS_OPEN

# The largest power of what a track gives, by frequency, in the page's own mixer.
LOUDEST_HZ = """
    const [track] = arguments;
    const node = concertclean.player.mixers[track];
    const analyser = new AnalyserNode(node.context, { fftSize: 8192, smoothingTimeConstant: 0 });
    node.connect(analyser);
    return new Promise((resolve) => setTimeout(resolve, 500)).then(() => {
        const levels = new Float32Array(analyser.frequencyBinCount);
        analyser.getFloatFrequencyData(levels);
        return levels.indexOf(Math.max(...levels)) * node.context.sampleRate / 8192;
    });"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A recording of 70 s that was looked through for hum; long, for this server."""
    folder = tmp_path_factory.mktemp("long")
    with pytest.MonkeyPatch.context() as patch, opened(folder / "downloads") as window:
        patch.setenv("CONCERTCLEAN_CONFIG_DIR", str(folder / "config"))
        patch.setitem(work.__globals__, "prepare", partial(prepare, longest_exact=10.0))
        running = Running(ServeOptions(folder / "work", token=TOKEN), work)
        try:
            job = running.client.add(song_bytes(folder / "song.wav", 70.0), model="dehum", part="whole")
            running.client.until(job, "done", seconds=240.0)  # machines may be busy
            window.visit(running.server.address)
            window.until(IS_OPEN, seconds=120.0)
            yield window
        finally:
            running.stop()


def test_a_long_result_is_not_decoded_whole(page: Browser) -> None:
    assert page.run("return concertclean.player.isStream")
    assert page.run("return concertclean.player.tracks.length") == 0
    assert page.run("return concertclean.player.duration") == pytest.approx(70.0)
    assert "compressed stream" in page.text("#heard")


def test_it_plays_from_anywhere_with_the_gains_of_the_sliders(page: Browser) -> None:
    page.run(MOVE, "strength", 50)
    page.run(MOVE, "reduction", 61)
    page.run("if (concertclean.state.isMatched) document.getElementById('match').click()")
    page.run("concertclean.player.seek(40)")
    page.click("#play")
    page.until("return concertclean.player.isPlaying && concertclean.player.position > 40.2")
    gains = "return concertclean.player.mixers.map((node) => node.gain.value)"
    page.press("a")
    page.until(f"const [a, b] = (() => {{ {gains} }})(); return Math.abs(a - 1) < 1e-3 && Math.abs(b + 0.5) < 1e-3")
    assert page.run(LOUDEST_HZ, 0) == pytest.approx(440, abs=10)
    page.press("r")
    page.until(f"const [a, b] = (() => {{ {gains} }})(); return Math.abs(a) < 1e-3 && Math.abs(b - 0.5) < 1e-3")


def test_nothing_is_removed_in_a_part_that_is_left_alone(page: Browser) -> None:
    page.run(MOVE, "from", "20")
    page.run(MOVE, "length", "10")
    page.click("#do-leave")
    removed = "return concertclean.player.mixers[1].gain.value"
    page.run("concertclean.player.seek(22)")
    page.until(f"{removed} < 1e-3 && concertclean.player.position > 22.1")
    page.run("concertclean.player.seek(33)")
    page.until(f"{removed} > 0.49 && concertclean.player.position > 33.1")
    page.run("concertclean.player.pause()")
    page.run("document.querySelector('#left button').click()")


def test_tiles_are_fetched_where_it_is_looked_at_and_no_others(page: Browser) -> None:
    names = """
        return performance.getEntriesByType("resource").map((entry) => entry.name)
            .filter((name) => name.includes("/tiles/")).map((name) => Number(name.match(/tiles.(\\d+)/)[1]));"""
    page.run("const { view } = concertclean.state; view.start = 61; view.end = 69; concertclean.deck.draw();")
    page.until("return concertclean.deck.pictures.after.details.length === 1")
    before = page.run(names)
    assert set(before) <= {0, 1, 2}
    assert page.run("return concertclean.deck.pictures.after.details[0].levels.width") == pytest.approx(208, abs=30)
    page.run("concertclean.deck.draw()")
    assert page.run(names) == before


def test_a_region_repeats(page: Browser) -> None:
    page.run("concertclean.player.setLoop({ start: 10, end: 10.4 }); return concertclean.player.play()")
    page.until("return concertclean.player.position > 10.3")
    page.until("return concertclean.player.position < 10.25")
    page.run("concertclean.player.setLoop(null); concertclean.player.pause()")
    assert page.console() == []
