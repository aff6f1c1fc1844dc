"""Headless Chromium for tests of pages; a test that wants it is skipped, with the reason, where there is none."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE = (390, 844)
MOVE = """
    const slider = document.getElementById(arguments[0]);
    slider.value = arguments[1];
    slider.dispatchEvent(new Event("input", { bubbles: true }));"""
# What the page's own tracks and gains give in the browser's own mixer, left channel.
RENDERED = """
    const { player } = concertclean;
    const { length, sampleRate } = player.tracks[0];
    const context = new OfflineAudioContext(2, length, sampleRate);
    player.gains.forEach((gain, i) => {
        const source = new AudioBufferSourceNode(context, { buffer: player.tracks[i] });
        source.connect(new GainNode(context, { gain })).connect(context.destination);
        source.start();
    });
    return context.startRendering().then((mixed) => Array.from(mixed.getChannelData(0)));"""


class Browser:
    """A window on one page of the file system; `driver` is selenium's."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, page: Path) -> None:
        """Loads a file and waits until its script has finished opening it."""
        self.visit(page.as_uri())

    def visit(self, address: str) -> None:
        """As `open`, for any address."""
        self.driver.get_log("browser")  # forgets what an earlier page said
        self.driver.get(address)
        self.until("return document.readyState == 'complete' && Boolean(window.concertclean)")

    def run(self, script: str, *values: object) -> Any:
        """What a script in the page returns; promises are waited for."""
        return self.driver.execute_script(script, *values)

    def until(self, script: str, *values: object, seconds: float = 30.0) -> Any:
        """Waits for a script to return something true, and returns it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.run(script, *values)
            if found:
                return found
            time.sleep(0.02)  # leaves the core to the page
        raise AssertionError(f"not within {seconds} s: {script}")

    def press(self, *keys: str) -> None:
        """Types keys, wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        for key in keys:
            ActionChains(self.driver, duration=0).send_keys(key).perform()

    def click(self, selector: str) -> None:
        self.driver.find_element("css selector", selector).click()

    def text(self, selector: str) -> str:
        return str(self.driver.find_element("css selector", selector).text)

    def console(self) -> list[str]:
        """Whatever the console has told since it was last asked: errors, refused requests, warnings."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def look(self, scheme: str, size: tuple[int, int] | None = None) -> Any:
        """A screenshot in "dark" or "light" as an array `(height, width, 3)`."""
        import io

        import numpy as np
        from PIL import Image

        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        if size is not None:
            metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": True}
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 200));"
        )
        with Image.open(io.BytesIO(self.driver.get_screenshot_as_png())) as image:
            return np.asarray(image.convert("RGB"), float)

    def desk(self) -> None:
        """Back from a phone's size."""
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@contextmanager
def opened(downloads: Path) -> Iterator[Browser]:
    """Chromium, without a window; saves what pages offer into a folder."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    browser, driver = next(filter(None, map(shutil.which, _NAMES)), None), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("Chromium or chromedriver is missing (apt-get install chromium chromium-driver)")
    options = selenium.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,1400"):
        options.add_argument(word)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.unhandled_prompt_behavior = "accept"
    window = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    try:
        yield Browser(window)
    finally:
        window.quit()
