"""The before/after page in a browser: it opens, switches without losing the place, and obeys the keys."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from concertclean.report.comparison import Comparison, write_comparison
from concertclean.report.pairs import Pair
from concertclean.report.spectrogram import Spectrograms
from tests.browser import MOVE, PHONE, RENDERED, Browser

RATE = 16_000
SECONDS = 4
LEFT, RIGHT, SPACE, HOME = "\ue012", "\ue014", "\ue00d", "\ue011"

POSITION = "return concertclean.player.position"
GAINS_ARE = "return concertclean.player.gains.every((gain, i) => Math.abs(gain - arguments[0][i]) < 1e-3)"


def arrived(path: Path) -> Path:
    end = time.monotonic() + 10
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.05)
    return path


def lowered_db(browser: Browser) -> float:
    """What makes before as loud as after, which is quieter."""
    before, after, _ = browser.run("return concertclean.recordings[0].lufs")
    return float(after - before)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings: a tone in noise whose noise is removed in the second half, and the same the other way round."""
    folder = tmp_path_factory.mktemp("page")
    rng = np.random.default_rng(0)
    music = 0.1 * np.sin(2 * np.pi * 440 * np.arange(SECONDS * RATE) / RATE)[:, None].repeat(2, axis=1)
    before = music + rng.uniform(-0.05, 0.05, music.shape)
    after = before.copy()
    after[SECONDS * RATE // 2 :] = music[SECONDS * RATE // 2 :]
    for name, waveform in (("a", before), ("a_clean", after), ("b", after), ("b_clean", before)):
        soundfile.write(folder / f"{name}.wav", waveform, RATE)
    pairs = [Pair(folder / f"{name}.wav", folder / f"{name}_clean.wav") for name in "ab"]
    write_comparison(folder / "page.html", [Comparison(pair) for pair in pairs], lossless=True)
    write_comparison(folder / "opus.html", [Comparison(pair) for pair in pairs])
    return folder / "page.html"


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    browser.open(page)
    browser.until("return concertclean.state.isComplete")
    return browser


def test_it_opens_and_says_nothing_in_the_console(opened: Browser) -> None:
    assert opened.console() == []
    assert opened.run("return concertclean.player.duration") == pytest.approx(SECONDS)
    assert opened.text("#subject") == "a.wav → a_clean.wav"
    assert opened.text("#time") == "0:00.0 / 0:04.0"
    assert opened.text("#numbers").count("LUFS") == 1
    assert opened.run("return document.querySelectorAll('.picture.is-shown').length") == 3  # there is room


def test_sound_in_the_page_is_exact(opened: Browser, page: Path) -> None:
    """What the browser has decoded is what the files hold, sample by sample; Chromium divides by 32767 above zero."""
    before, after = (soundfile.read(page.parent / name)[0] for name in ("a.wav", "a_clean.wav"))
    for track, wanted in enumerate((after, before - after)):
        script = "return Array.from(concertclean.player.tracks[arguments[0]].getChannelData(1).slice(30000, 32000))"
        assert opened.run(script, track) == pytest.approx(wanted[30_000:32_000, 1], rel=3.1e-5, abs=1e-9)


def test_compressed_sound_is_in_step_with_the_files(browser: Browser, page: Path) -> None:
    """At 48 kHz, neither early nor late by a sample; decoders must leave out what the encoder put first."""
    browser.open(page.with_name("opus.html"))
    browser.until("return concertclean.player.duration > 0")
    before, after = (soundfile.read(page.parent / name)[0][:, 0] for name in ("a.wav", "a_clean.wav"))
    assert browser.run("return concertclean.player.tracks.map((track) => track.length)") == [SECONDS * 48_000] * 2
    for track, wanted in enumerate((after, before - after)):
        script = "return Array.from(concertclean.player.tracks[arguments[0]].getChannelData(0))"
        found = np.array(browser.run(script, track))
        exact = resample_poly(wanted, 3, 1)
        fits = [found[1000:-1000] @ np.roll(exact, lag)[1000:-1000] for lag in range(-400, 401)]
        assert np.argmax(fits) - 400 == 0
    assert browser.console() == []


@pytest.mark.parametrize(("name", "median", "most"), [("page.html", 0.5, 1.5), ("opus.html", 0.5, 3.0)])
def test_the_third_picture_is_that_of_the_recording(
    browser: Browser, page: Path, name: str, median: float, most: float
) -> None:
    """The page's own picture of before, and the exact one: those it is made from are rounded by up to 0.5 dB.

    Only levels that can be seen count; in 16 bits and after Opus there is no more below. The codec has an influence
    only on how far result and residual are in step.
    """
    browser.open(page.with_name(name))
    browser.until("return concertclean.state.isComplete")
    found = np.array(browser.run("return Array.from(concertclean.state.levels[0].values)"), float) / 2 - 120
    facts = browser.run("return concertclean.recordings[0]")
    before = soundfile.read(page.parent / "a.wav")[0].T
    if facts["sampleRate"] != RATE:
        before = resample_poly(before, 3, 1, axis=1)
    exact = Spectrograms(1, 2, before.shape[1], 1500)
    exact.add(before[None])
    assert (exact.hop_length, exact.frames_per_column) == (facts["hopLength"], facts["framesPerColumn"])
    levels = exact.levels()[0]
    is_shown = levels > -75
    is_shown[round(7500 / facts["sampleRate"] * 2048) :] = False  # where resamplers differ
    errors = np.abs(found.reshape(levels.shape)[::-1] - levels)[is_shown]
    assert errors.size > 1e5
    assert np.median(errors) < median
    assert np.quantile(errors, 0.95) < most


def test_the_picture_after_follows_the_strength(opened: Browser) -> None:
    """At 0 % it is that of the recording, and nothing is removed; at 100 % that of the result."""
    opened.until("return concertclean.state.isComplete")
    script = """
        const values = (i) => concertclean.deck.pictures[["before", "after", "removed"][i]].levels.values;
        const worst = (one, other) => one.reduce((most, value, i) => Math.max(most, Math.abs(value - other[i])), 0);
        const { levels } = concertclean.state;
        const most = values(2).reduce((a, b) => Math.max(a, b));
        return [worst(values(1), levels[1].values), worst(values(1), values(0)), most];"""
    result, recording, removed = opened.run(script)
    assert result == 0
    assert recording > 20
    assert removed > 60
    opened.run(MOVE, "strength", 0)
    opened.until(f"return (() => {{{script}}})()[1] === 0")
    assert opened.run(script)[2] == 0


def test_a_browser_without_opus_says_so(browser: Browser, page: Path) -> None:
    refuse = "BaseAudioContext.prototype.decodeAudioData = () => Promise.reject(new DOMException('', 'EncodingError'));"
    command = "Page.addScriptToEvaluateOnNewDocument"
    script = browser.driver.execute_cdp_cmd(command, {"source": refuse})
    try:
        browser.open(page.with_name("opus.html"))
        browser.until("return document.getElementById('subject').classList.contains('is-fault')")
        assert "cannot play its sound (Opus). Use a current Firefox" in browser.text("#subject")
        assert browser.text("#numbers").count("LUFS") == 1
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


@pytest.mark.parametrize("strength", [100, 40, 0])
def test_what_is_heard_follows_the_strength(opened: Browser, page: Path, strength: int) -> None:
    """The gains of a version, rendered offline by the browser's own mixer: before - strength x (before - after)."""
    before, after = (soundfile.read(page.parent / name)[0][:, 0] for name in ("a.wav", "a_clean.wav"))
    removed = strength / 100 * (before - after)
    if opened.run("return concertclean.state.isMatched"):
        opened.press("m")
    opened.run(MOVE, "strength", strength)
    assert opened.text("#strength-text") == f"{strength} %"
    for key, wanted in (("b", before), ("a", before - removed), ("r", removed)):
        opened.press(key)
        assert np.abs(np.array(opened.run(RENDERED)) - wanted).max() < 3.1e-5


def test_the_volume_is_for_the_ear_only_and_remembered(opened: Browser, page: Path) -> None:
    gains = opened.run("return concertclean.player.gains")
    opened.run(MOVE, "volume", 50)
    assert opened.run("return concertclean.player.volume") == pytest.approx(0.25)
    assert opened.run("return concertclean.player.gains") == gains
    opened.open(page)
    assert opened.run("return [concertclean.player.volume, document.getElementById('volume').value]") == [0.25, "50"]
    opened.run(MOVE, "volume", 100)
    assert opened.run("return concertclean.player.volume") == 1


def test_switching_keeps_the_place(opened: Browser) -> None:
    """Before and after a switch the position differs by no more than the clock went on, and nothing starts anew."""
    opened.click("#play")
    opened.until("return concertclean.player.position > 0.3")
    for version in ("after", "removed", "before"):
        here, there, gone = opened.run(
            """
            const { player } = concertclean;
            const begin = performance.now();
            const here = player.position;
            document.querySelector(`[data-version="${arguments[0]}"]`).click();
            const there = player.position;
            return [here, there, (performance.now() - begin) / 1000];""",
            version,
        )
        assert 0 <= there - here <= gone + 0.05
        wanted = {"before": [1, 1], "after": [1, 0], "removed": [0, 1]}[version]
        level = 10 ** (lowered_db(opened) / 20) if version == "before" else 1.0
        opened.until(GAINS_ARE, [gain * level for gain in wanted])
        assert opened.run("return concertclean.player.isPlaying")
    assert opened.console() == []


def test_both_are_equally_loud_until_it_is_switched_off(opened: Browser) -> None:
    before = lowered_db(opened)
    assert before < -0.3
    assert opened.run("return concertclean.player.gains") == pytest.approx(2 * [10 ** (before / 20)])
    assert opened.text("#match-text") == f"Before lowered by {-before:.1f} dB"
    opened.press("m")
    assert opened.run("return concertclean.player.gains") == [1, 1]
    assert opened.text("#match-text") == ""
    opened.press("r", "g")
    assert opened.run("return concertclean.player.gains") == pytest.approx([0, 3.981], abs=1e-3)


@pytest.mark.parametrize(
    ("lufs", "strength", "before", "after"),
    [((-20, -23, -23), 100, -3, 0), ((-23, -20, -20), 100, 0, -3), ((-20, -60, -20), 100, -12, 0),
     ((-20, None, -20), 100, 0, 0), ((-20, -23, -23), 0, 0, 0)],
)  # fmt: skip
def test_the_louder_one_is_lowered(
    opened: Browser, lufs: tuple[float | None, ...], strength: int, before: float, after: float
) -> None:
    opened.run("concertclean.recordings[0].lufs = arguments[0]", list(lufs))
    opened.run(MOVE, "strength", strength)
    for key, wanted in (("b", before), ("a", after)):
        opened.press(key)
        assert opened.run("return concertclean.player.gains[0]") == pytest.approx(10 ** (wanted / 20))


def test_keys(opened: Browser) -> None:
    opened.press(RIGHT)
    assert opened.run(POSITION) == 2
    opened.press(LEFT)
    assert opened.run(POSITION) == 0
    for key, version in (("a", "after"), ("r", "removed"), ("b", "before"), ("2", "after"), ("3", "removed")):
        opened.press(key)
        assert opened.run("return concertclean.state.version") == version
    opened.press(SPACE)
    opened.until("return concertclean.player.isPlaying && concertclean.player.position > 0.1")
    opened.press(SPACE)
    assert not opened.run("return concertclean.player.isPlaying")
    opened.press(HOME)
    assert opened.run(POSITION) == 0
    opened.press("s")
    assert opened.run("return document.querySelectorAll('.picture.is-shown').length") == 1
    opened.press("f")
    assert opened.run("return concertclean.state.view.isLog") is False
    opened.press("+", "+")
    assert opened.run("return concertclean.state.view.end - concertclean.state.view.start") == pytest.approx(1)
    opened.press("0", "n")
    opened.until("return concertclean.state.index === 1 && concertclean.player.duration > 0")
    assert opened.text("#subject") == "b.wav → b_clean.wav"
    assert opened.console() == []


def test_every_control_can_be_reached_by_tab(opened: Browser) -> None:
    found = []
    for _ in range(23):
        opened.press("\ue004")
        found.append(opened.run("const n = document.activeElement; return n.id || n.dataset.version || n.tagName"))
    wanted = [
        "play", "before", "after", "removed", "volume", "seek", "strength", "match", "boost", "loop",
        "download-after", "zoom-in", "stack", "scale",
    ]  # fmt: skip
    assert [name for name in found if name in wanted] == wanted
    assert opened.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_a_loop_goes_round(opened: Browser) -> None:
    opened.run("concertclean.player.seek(1)")
    opened.press("[")
    opened.run("concertclean.player.seek(1.4)")
    opened.press("]")
    assert opened.text("#loop-text") == "0:01.0 – 0:01.4"
    opened.press(SPACE)
    opened.until("return concertclean.player.position > 1.2")
    found = opened.run("""
        const seen = [];
        return new Promise((done) => {
            const timer = setInterval(() => seen.push(concertclean.player.position), 20);
            setTimeout(() => { clearInterval(timer); done(seen); }, 1000);
        });""")
    assert min(found) >= 1
    assert max(found) < 1.4
    assert min(np.diff(found)) < -0.2
    opened.press("l", SPACE)


def test_the_end_stops_and_begins_again(opened: Browser) -> None:
    opened.run("concertclean.player.seek(3.5)")
    opened.press(SPACE)
    opened.until("return concertclean.player.isPlaying")
    opened.until("return !concertclean.player.isPlaying")
    assert opened.run(POSITION) == pytest.approx(SECONDS)
    opened.press(SPACE)
    opened.until("return concertclean.player.isPlaying")
    assert opened.run(POSITION) < 1
    opened.press(SPACE)


def test_mouse_on_the_spectrogram(opened: Browser) -> None:
    """A click seeks; the wheel zooms around the pointer."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    canvas = opened.driver.find_element("css selector", ".picture.is-shown canvas")
    width = canvas.size["width"]
    ActionChains(opened.driver).move_to_element_with_offset(canvas, 23, 0).click().perform()
    assert opened.run(POSITION) == pytest.approx(SECONDS * (width / 2 + 23 - 46) / (width - 46), abs=0.02)
    ActionChains(opened.driver).scroll_from_origin(ScrollOrigin.from_element(canvas), 0, -400).perform()
    start, end = opened.run("return [concertclean.state.view.start, concertclean.state.view.end]")
    assert end - start < SECONDS / 1.5
    assert start < SECONDS / 2 < end


def test_the_picture_is_the_right_way_up(opened: Browser) -> None:
    """The 440 Hz tone is the brightest row of what was left, at its place of the axis."""
    opened.press("a")
    share, wanted = opened.run("""
        const canvas = document.querySelector('.picture.is-shown canvas');
        const context = canvas.getContext('2d');
        const height = canvas.height - 22 * devicePixelRatio;
        const column = context.getImageData(Math.round(canvas.width * 0.8), 0, 1, height).data;
        const light = Array.from({ length: Math.floor(height) }, (_, y) => column[4 * y] + column[4 * y + 1]);
        const { view } = concertclean.state;
        return [1 - light.indexOf(Math.max(...light)) / height, view.placeOf(440)];""")
    assert share == pytest.approx(wanted, abs=0.02)


def test_all_pictures_are_shown_where_there_is_room_until_somebody_chooses(opened: Browser) -> None:
    def n_shown_at(width: int) -> int:
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        opened.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        opened.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => setTimeout(done));")
        return int(opened.run("return document.querySelectorAll('.picture.is-shown').length"))

    try:
        assert [n_shown_at(width) for width in (1366, 1099, 390, 1366)] == [3, 1, 1, 3]
        opened.press("s")
        assert [n_shown_at(width) for width in (1366, 390, 1366)] == [1, 1, 1]
    finally:
        opened.desk()


def test_downloads_are_the_signals_at_this_strength(opened: Browser, page: Path, downloads: Path) -> None:
    """WAV made in the page, without a request; the level match does not change it."""
    before, after = (soundfile.read(page.parent / name)[0] for name in ("a.wav", "a_clean.wav"))
    opened.run(MOVE, "strength", 40)
    removed = 0.4 * (before - after)
    for name, wanted in (("before", before), ("after_40", before - removed), ("removed_40", removed)):
        opened.click(f"#download-{name.split('_')[0]}")
        found, rate = soundfile.read(arrived(downloads / f"a_{name}.wav"))
        assert rate == RATE
        assert soundfile.info(downloads / f"a_{name}.wav").subtype == "PCM_24"
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < 3.1e-5  # Chromium divides by 32767 above zero
    opened.run(MOVE, "strength", 100)
    opened.click("#download-after")
    assert np.abs(soundfile.read(arrived(downloads / "a_after.wav"))[0] - after).max() < 3.1e-5
    assert opened.console() == []


@pytest.mark.parametrize("size", [None, PHONE])
def test_dark_and_light(opened: Browser, size: tuple[int, int] | None) -> None:
    light, dark = opened.look("light", size), opened.look("dark", size)
    try:
        assert np.median(light) > 200
        assert np.median(dark) < 60
        assert light.std() > 30
        assert dark.std() > 20
        assert opened.run("return document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        opened.desk()
