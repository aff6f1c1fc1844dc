"""The page in a browser: a file goes in, sliders act at once, and what is heard is what is saved."""

import shlex
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
import soundfile

from concertclean.audio_io.formats import Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.restore.denoise import denoise
from concertclean.serve.server import ServeOptions
from tests.browser import MOVE, PHONE, RENDERED, Browser, opened
from tests.serve.conftest import RATE, TOKEN, Running, song_bytes, write_cards

NAME = "my song.m4a"
TAB, ENTER, LEFT = "\ue004", "\ue007", "\ue012"
IS_OPEN = "return concertclean.player.duration > 0 && document.getElementById('app').ariaBusy !== 'true'"
DROP = """
    const [name, data] = arguments;
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], name));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));"""
# For every element with a text of its own: the least ratio of the text's contrast, WCAG 2.2, 1.4.3.
CONTRAST = """
    const light = (colour) => {
        const parts = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => part / 255);
        const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (!/, 0\\)$/.test(colour)) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    const faults = [];
    document.querySelectorAll("body *").forEach((node) => {
        const has = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
        if (!has || !node.checkVisibility() || node.matches("kbd, option, optgroup, :disabled")) return;
        const two = [light(getComputedStyle(node).color), light(behind(node))].sort((a, b) => a - b);
        const ratio = (two[1] + 0.05) / (two[0] + 0.05);
        if (ratio < 4.5) faults.push(`${node.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
    });
    return faults;"""
NAMELESS = """
    const controls = document.querySelectorAll("button, input, select, canvas:not([aria-hidden]), progress");
    return [...controls].filter((node) => {
        const label = [...(node.labels || [])].map((one) => one.textContent).join("");
        const own = node.matches("button") ? node.textContent : "";
        return !(label + (node.getAttribute("aria-label") || "") + own).trim();
    }).map((node) => node.outerHTML);"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_weights: dict[str, Path]) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("page")
    write_cards(folder / "config", tiny_weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCERTCLEAN_CONFIG_DIR", str(folder / "config"))
        patch.setattr("concertclean.restore.analyse.propose", lambda *found: ("tiny", "it is a test"))  # and is quick
        song_bytes(folder / "made.wav", 2.0)
        with AudioReader(folder / "made.wav") as reader, AudioWriter(folder / NAME, Storage("m4a", RATE, 2)) as writer:
            writer.write(reader.read_all())
        yield folder


@pytest.fixture(scope="module")
def running(home: Path) -> Iterator[Running]:
    one = Running(ServeOptions(home / "work", token=TOKEN))
    yield one
    one.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with opened(tmp_path_factory.mktemp("downloads")) as window:
        yield window


@pytest.fixture(scope="module")
def page(browser: Browser, running: Running, home: Path) -> Browser:
    """The page after a file was dropped on it, and restored by the network that is proposed."""
    browser.visit(running.server.address)
    assert TOKEN not in browser.run("return location.href")
    assert browser.run("return document.cookie") == ""
    browser.run(DROP, NAME, b64encode((home / NAME).read_bytes()).decode())
    browser.until(IS_OPEN, seconds=120.0)
    return browser


def recording_in(home: Path) -> np.ndarray:
    """The dropped recording, `(time, channel)`."""
    with AudioReader(home / NAME) as reader:
        return reader.read_all().T


def saved(page: Browser, running: Running) -> tuple[np.ndarray, str]:
    """The file that the page saves now, and the command line that it shows."""
    n_saved = len(running.server.place.jobs()[0].saved)
    page.click("#save")
    page.until("return document.querySelectorAll('#saved a').length > arguments[0]", n_saved)
    name = running.server.place.jobs()[0].saved[-1]
    path = running.server.place.root / "results" / name
    assert running.client("GET", f"/api/results/{quote(name)}").body == path.read_bytes()
    return soundfile.read(path)[0], page.text("#command")


def test_the_diagnosis_is_shown_in_words(page: Browser) -> None:
    assert page.text("#name") == NAME
    assert page.text("#state") == "Restored"
    shown = page.text("#diagnosis")
    assert all(word in shown for word in ("It sounds like", "Clicks", "Hum", "Bandwidth", "tiny: it is a test"))


@pytest.mark.parametrize(("strength", "reduction"), [(100, 26), (40, 61), (100, 3), (0, 26)])
def test_what_plays_is_what_is_saved_and_what_the_command_line_writes(
    page: Browser, running: Running, home: Path, strength: int, reduction: int
) -> None:
    page.run("if (concertclean.state.isMatched) document.getElementById('match').click()")
    page.run(MOVE, "strength", strength)
    page.run(MOVE, "reduction", reduction)
    page.run(MOVE, "depth", "24")
    heard = np.array(page.run(RENDERED))
    result, command = saved(page, running)
    assert np.abs(heard - result[:, 0]).max() < 1e-5
    before = recording_in(home)
    assert (np.abs(heard - before[:, 0]).max() > 1e-3) == (strength > 0)
    words = shlex.split(command)
    assert words[:3] == ["concertclean", "denoise", NAME]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    report = denoise(
        home / words[2],
        home / "cli.wav",
        overwrite=True,
        model=given["--model"],
        strength=float(given.get("--strength", 1)),
        max_reduction_db=float(given["--max-reduction"]),
        bit_depth=given["--bit-depth"],
    )
    assert report.output_path is not None
    latest = home / "work/results" / running.server.place.jobs()[0].saved[-1]
    assert report.output_path.read_bytes() == latest.read_bytes()


def test_a_part_that_is_left_alone_plays_and_is_saved_as_it_was(page: Browser, running: Running, home: Path) -> None:
    page.run("if (concertclean.state.isMatched) document.getElementById('match').click()")
    page.press("a")
    for name, value in (("strength", 90), ("reduction", 61), ("from", "0.8"), ("length", "0.5")):
        page.run(MOVE, name, value)
    page.click("#do-leave")
    page.run(MOVE, "from", "1.2")  # the parts meet and become one
    page.click("#do-leave")
    assert page.text("#left").splitlines() == ["0:00.8 to 0:01.7 stays as it is Restore again"]
    heard = np.array(page.run(RENDERED))
    result, command = saved(page, running)
    assert "--leave 0.8-1.7" in command
    assert np.abs(heard - result[:, 0]).max() < 1e-5
    before = recording_in(home)[:, 0]
    inside = slice(round(0.8 * 44_100), round(1.7 * 44_100))
    assert np.abs(heard[inside] - before[inside]).max() < 1e-6
    assert np.abs(heard[:10_000] - before[:10_000]).max() > 1e-3
    page.until("return concertclean.state.keeping === 0")
    page.driver.refresh()
    page.until("return Boolean(window.concertclean)")
    page.until(IS_OPEN)
    assert page.run("return document.getElementById('strength').value") == "90"
    assert page.text("#left").startswith("0:00.8 to 0:01.7")
    page.run("document.querySelector('#left button').click()")
    page.until("return concertclean.state.keeping === 0")
    assert running.client("GET", f"/api/jobs/{running.server.place.jobs()[0].id}").json["leave"] == []


def test_equally_loud_is_measured_from_the_sliders(page: Browser) -> None:
    """The gain shown is the one that makes the results of the audio graph equally loud, within 0.2 dB for a gate."""
    page.run(MOVE, "strength", 60)
    page.run("if (!concertclean.state.isMatched) document.getElementById('match').click()")
    levels = []
    for key in "ba":
        page.press(key)
        heard = np.array(page.run(RENDERED))
        levels.append(10 * np.log10(np.square(np.diff(heard)).mean()))
    page.run("document.getElementById('match').click()")
    assert page.run("return concertclean.player.gains[0]") == pytest.approx(1.0)
    assert abs(levels[0] - levels[1]) < 1.5  # a difference is a rough K-weighting


def test_keys_choose_what_is_heard(page: Browser) -> None:
    page.run("document.activeElement.blur()")
    page.run("if (concertclean.state.isMatched) document.getElementById('match').click()")
    page.run(MOVE, "strength", 50)
    page.run(MOVE, "reduction", 61)
    for key, gains in (("b", [1, 0]), ("a", [1, -0.5]), ("r", [0, 0.5])):
        page.press(key)
        assert page.run("return concertclean.player.gains") == pytest.approx(gains)
    assert page.run("return document.querySelector('.picture.is-shown').dataset.version") == "removed"


def test_sliders_move_by_keys_and_act_while_it_plays(page: Browser) -> None:
    page.press("a")
    page.run("document.getElementById('loop').click()")
    page.click("#play")
    page.until("return concertclean.player.isPlaying && concertclean.player.position > 0.1")
    page.run("document.getElementById('strength').focus()")
    before = int(page.run("return document.getElementById('strength').value"))
    page.press(LEFT, LEFT)
    assert page.text("#strength-text") == f"{before - 2} %"
    page.until("return Math.abs(concertclean.player.gains[1] + arguments[0]) < 1e-3", (before - 2) / 100)
    page.click("#play")
    page.run("document.getElementById('loop').click()")


def test_the_picture_follows_the_sliders(page: Browser) -> None:
    """Nothing removed: the picture after is that before, and that of what is removed is at its floor."""
    script = """
        const share = arguments[0];
        const levels = levelsAt(() => share, concertclean.state.levels);
        let worst = 0, most = 0;
        levels[0].values.forEach((value, i) => {
            worst = Math.max(worst, Math.abs(value - levels[1].values[i]));
            most = Math.max(most, levels[2].values[i]);
        });
        return [worst, most];"""
    assert page.run(script, 0.0) == [0, 0]
    worst, most = page.run(script, 1.0)
    assert worst > 10  # half decibels
    assert most > 60


def test_everything_has_a_name_and_can_be_read(page: Browser) -> None:
    assert page.run(NAMELESS) == []
    for scheme in ("light", "dark"):
        page.look(scheme)
        assert page.run(CONTRAST) == [], scheme


def test_the_keyboard_alone_reaches_everything_in_order(page: Browser) -> None:
    page.run("document.activeElement.blur(); window.scrollTo(0, 0)")
    wanted = page.run("""
        return [...document.querySelectorAll("button, input, select, summary, a")]
            .filter((node) => node.checkVisibility() && !node.disabled).length;""")
    seen = set()
    for _ in range(wanted + 3):
        page.press(TAB)
        seen.add(
            page.run("""
            const all = [...document.querySelectorAll("*")];
            return document.activeElement === document.body ? -1 : all.indexOf(document.activeElement);""")
        )
    assert len(seen - {-1}) == wanted
    assert page.run("document.getElementById('save').focus(); return document.activeElement.matches(':focus-visible')")


def test_it_fits_on_a_phone(page: Browser) -> None:
    page.look("light", PHONE)
    try:
        assert page.run("return document.documentElement.scrollWidth") <= PHONE[0]
    finally:
        page.desk()


def test_a_reload_shows_the_same_and_no_request_leaves_the_machine(page: Browser, running: Running) -> None:
    page.driver.refresh()
    page.until("return Boolean(window.concertclean)")
    page.until(IS_OPEN)
    assert page.text("#name") == NAME
    hosts = page.run("""
        return performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
            .map((entry) => entry.name);""")
    assert len(hosts) > 10
    assert {urlsplit(host).netloc for host in hosts} == {f"127.0.0.1:{running.client.port}"}
    assert page.console() == []


def test_a_marked_part_is_restored_and_a_dropped_text_is_refused(page: Browser, home: Path) -> None:
    page.run(MOVE, "from", "0.5")
    page.run(MOVE, "length", "1")
    page.run(MOVE, "model", "declick")
    page.click("#do-region")
    page.until("return concertclean.state.jobs[0].result?.start_seconds === 0.5")
    page.until(IS_OPEN)
    assert page.run("return concertclean.player.duration") == pytest.approx(1.0)
    assert "--start 0.5 --duration 1" in page.text("#command")
    assert "--max-reduction" not in page.text("#command")  # a method has no floor to lift
    page.run(DROP, "notes.wav", b64encode(b"no sound").decode())
    page.until("return !document.getElementById('message').hidden")
    assert page.text("#message").startswith("notes.wav: ")
    assert page.run("return concertclean.state.jobs.length") == 1
