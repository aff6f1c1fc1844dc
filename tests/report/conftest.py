"""Files of sound with known content, and a browser."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.browser import Browser, opened

RATE = 44_100
Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes `(channel, time)` into a file below `tmp_path`."""

    def write(name: str, waveform: np.ndarray, sample_rate: int = RATE, subtype: str | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, waveform.T, sample_rate, subtype)
        return path

    return write


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[Browser]:
    with opened(downloads) as window:
        yield window
