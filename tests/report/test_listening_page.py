"""The listening test in a browser: a whole test by keyboard, from the name to the file with the results."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from concertclean.config.listening import ListeningItem, ListeningSettings
from concertclean.report.listening import write_listening_test
from concertclean.report.scores import read_results
from tests.browser import PHONE, Browser, opened

RATE = 16_000
RIGHT, SPACE, ENTER = "\ue014", "\ue00d", "\ue007"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("test")
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        soundfile.write(folder / f"{name}.wav", rng.uniform(-0.1, 0.1, (2 * RATE, 1)), RATE)
    a, b = folder / "a.wav", folder / "b.wav"
    items = (
        ListeningItem(name="First", reference=a, conditions={"secret method": b}),
        ListeningItem(name="Second", reference=a, reference_kind="noisy", conditions={"secret method": b, "other": a}),
    )
    settings = ListeningSettings(title="Which is best?", instructions="Hello.", anchors_hz=(3500.0,), item=items)
    write_listening_test(folder / "page.html", settings)
    return folder / "page.html"


@pytest.fixture(scope="module")
def window(downloads: Path) -> Iterator[Browser]:
    with opened(downloads) as browser:
        yield browser


def begin(window: Browser, page: Path, name: str) -> None:
    window.open(page)
    window.driver.find_element("id", "participant").send_keys(name, ENTER)
    window.until("return concertclean.state.rows.length > 0")


def orders(window: Browser) -> list[tuple[str, list[int]]]:
    script = "return concertclean.state.items.map(({ item, order }) => [item.name, order])"
    return [(name, order) for name, order in window.run(script)]


def rate_all(window: Browser, steps: int) -> int:
    """Hears and rates every version of the item by keys alone, `steps` to the right of the middle, and more each."""
    n_rows = int(window.run("return concertclean.state.rows.length"))
    for i in range(n_rows):
        window.press("abcdefgh"[i], *([RIGHT] * (steps + i)))
        window.until(f"return concertclean.state.rows[{i}].button.classList.contains('is-heard')")
    return n_rows


def saved(downloads: Path, name: str) -> Path:
    end = time.monotonic() + 10
    while not (downloads / name).exists() and time.monotonic() < end:
        time.sleep(0.05)
    return downloads / name


def test_a_whole_test(window: Browser, page: Path, downloads: Path) -> None:
    begin(window, page, "Ann Ö.")
    assert window.text("#item-count") == "Item 1 of 2"
    assert not window.driver.find_element("id", "next").is_enabled()
    n_first = rate_all(window, 5)
    window.press(ENTER)
    window.until("return concertclean.state.at === 1 && concertclean.state.rows.length > 0")
    assert window.text("#next") == "Finish"
    n_second = rate_all(window, 10)
    window.click("#next")
    window.click("#save-json")
    window.click("#save-csv")
    results = read_results([saved(downloads, f"listening-Ann_Ö_.{kind}") for kind in ("json", "csv")])
    assert len(results) == n_first + n_second == 7
    assert sorted(rating.score for rating in results) == [*range(55, 55 + n_first), *range(60, 60 + n_second)]
    assert {rating.participant for rating in results} == {"Ann Ö."}
    roles = sorted((rating.item, rating.role) for rating in results)
    assert roles == [
        ("First", "anchor"), ("First", "condition"), ("First", "reference"),
        ("Second", "anchor"), ("Second", "condition"), ("Second", "condition"), ("Second", "noisy"),
    ]  # fmt: skip
    told: dict[str, Any] = json.loads((downloads / "listening-Ann_Ö_.json").read_text(encoding="utf-8"))
    assert all(rating["heard_seconds"] >= 0.7 for rating in told["ratings"])
    assert window.console() == []


def test_nobody_can_go_on_before_all_is_heard_and_rated(window: Browser, page: Path) -> None:
    begin(window, page, "Bob")
    window.press("a", RIGHT)
    window.until("return concertclean.state.rows[0].button.classList.contains('is-heard')")
    assert "Not heard yet: B, C, D. Not rated yet: B, C, D." in window.text("#missing")
    window.press(ENTER)
    assert window.run("return concertclean.state.at") == 0


def test_names_of_conditions_cannot_be_read(window: Browser, page: Path) -> None:
    begin(window, page, "Bob")
    seen = window.run("return document.getElementById('app').innerHTML")
    assert "secret" not in seen
    assert "anchor" not in seen


def test_orders_are_random_but_those_of_the_listener(window: Browser, page: Path) -> None:
    found = []
    for name in ("Ann", "Bob", "Cleo", "Dan", "Eve", "Ann"):
        begin(window, page, name)
        found.append(orders(window))
    assert found[0] == found[-1]
    assert len({tuple(name for name, _ in each) for each in found}) == 2
    assert len({str(sorted(each)) for each in found}) > 2


def test_switching_keeps_the_place(window: Browser, page: Path) -> None:
    begin(window, page, "Bob")
    window.press(SPACE)
    window.until("return concertclean.player.position > 0.3")
    here, there, gone = window.run("""
        const { player, state } = concertclean;
        const begin = performance.now();
        const here = player.position;
        state.rows[1].button.click();
        const there = player.position;
        return [here, there, (performance.now() - begin) / 1000];""")
    assert 0 <= there - here <= gone + 0.05
    window.until("return concertclean.player.gains.every((gain, i) => Math.abs(gain - Number(i === 2)) < 1e-3)")


def test_music_goes_round(window: Browser, page: Path) -> None:
    begin(window, page, "Bob")
    window.run("concertclean.player.seek(1.8)")
    window.press("b")
    window.until("return concertclean.player.isPlaying && concertclean.player.position < 1")


@pytest.mark.parametrize("size", [None, PHONE])
def test_dark_and_light(window: Browser, page: Path, size: tuple[int, int] | None) -> None:
    begin(window, page, "Bob")
    light, dark = window.look("light", size), window.look("dark", size)
    try:
        assert np.median(light) > 200
        assert np.median(dark) < 60
        assert light.std() > 15
        assert dark.std() > 8
        assert window.run("return document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        window.desk()
