"""Where a tone lies in a spectrogram, and how bright; pictures that are the right way up."""

import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from concertclean.errors import ConfigError, OutputError
from concertclean.report.picture import Span, draw_spectrograms, read_levels, rows
from concertclean.report.spectrogram import FLOOR_DB, N_FFT, Spectrograms, display_range, grey_png

RATE = 44_100
BIN = RATE / N_FFT
Save = Callable[..., Path]
Synth = Callable[..., np.ndarray]


def levels_of(*waveforms: np.ndarray, block: int = 5000, max_columns: int = 4000) -> np.ndarray:
    stacked = np.stack(waveforms)
    spectrograms = Spectrograms(len(stacked), stacked.shape[1], stacked.shape[2], max_columns)
    for edge in range(0, stacked.shape[2], block):
        spectrograms.add(stacked[..., edge : edge + block])
    return spectrograms.levels()


@pytest.mark.parametrize("level_db", [0.0, -20.0, -60.0])
def test_a_tone_is_where_it_must_be(tone: Synth, level_db: float) -> None:
    """On the centre of a bin a sine of amplitude A has 20 log A dB; two bins away the Hann window leaves nothing."""
    waveform = tone(100 * BIN, RATE, level=10 ** (level_db / 20))
    inner = levels_of(waveform)[0][:, 20:-20]
    assert np.abs(inner[100] - level_db).max() < 0.01
    assert np.abs(inner[[99, 101]] - (level_db - 6.02)).max() < 0.01
    assert inner[[50, 200]].max() < max(level_db - 90, FLOOR_DB + 15)


@pytest.mark.parametrize("block", [100, 777, 5000, 10**6])
def test_blocks_do_not_matter(noise: Synth, block: int) -> None:
    waveform = noise(30_000)
    whole = levels_of(waveform, block=10**6, max_columns=50)
    assert np.abs(levels_of(waveform, block=block, max_columns=50) - whole).max() < 1e-3


@pytest.mark.parametrize(("n_samples", "max_columns"), [(1, 4000), (500, 4000), (RATE, 4000), (RATE, 60), (RATE, 7)])
def test_number_of_columns(noise: Synth, n_samples: int, max_columns: int) -> None:
    spectrograms = Spectrograms(1, 2, n_samples, max_columns)
    spectrograms.add(noise(n_samples)[None])
    found = spectrograms.levels()
    n_frames = 1 + n_samples // spectrograms.hop_length
    assert found.shape == (1, N_FFT // 2 + 1, math.ceil(n_frames / spectrograms.frames_per_column))
    assert found.shape[2] <= max(max_columns, 1 + n_samples // 512)


def test_an_impulse_is_in_its_column(impulse: Synth) -> None:
    spectrograms = Spectrograms(1, 1, 64_000)
    spectrograms.add(impulse(32_000, 64_000, channels=1)[None])
    energy = spectrograms.levels()[0].mean(axis=0)
    assert np.argmax(energy) == 32_000 // spectrograms.hop_length


def test_shared_columns_keep_the_level(tone: Synth) -> None:
    waveform = tone(100 * BIN, 4 * RATE, level=0.1)
    assert levels_of(waveform, max_columns=20)[0][100, 2:-2] == pytest.approx(-20, abs=0.01)


def test_silence_is_the_floor() -> None:
    assert (levels_of(np.zeros((2, RATE))) == FLOOR_DB).all()
    assert display_range(np.full((3, 3), FLOOR_DB)) == (FLOOR_DB, FLOOR_DB + 80)


def test_display_range() -> None:
    assert display_range(np.array([-100.0, -12.3])) == (-90.0, -10.0)
    assert display_range(np.array([20.0])) == (-75.0, 5.0)


def test_grey_picture_is_the_right_way_up() -> None:
    levels = np.full((4, 3), FLOOR_DB)
    levels[0, 1], levels[3, 2] = -20.0, 50.0
    with Image.open(io.BytesIO(grey_png(levels))) as image:
        values = np.asarray(image)
    assert values.tolist() == [[0, 0, 255], [0, 0, 0], [0, 0, 0], [0, 200, 0]]


def test_rows_between_and_over_frequencies() -> None:
    values = np.arange(11.0)[:, None] ** 2
    assert rows(values, np.array([1.0, 1.5, 2.0]))[:, 0] == pytest.approx([1.75, 3.25])  # halfway and more
    assert rows(values, np.array([0.0, 4.2, 10.0]))[:, 0].tolist() == [16.0, 100.0]
    assert rows(values, np.array([9.9, 10.0]))[0, 0] == pytest.approx(99.05)


def test_a_part_of_a_recording(save: Save, tone: Synth) -> None:
    path = save("a.wav", np.concatenate([np.zeros((2, RATE)), tone(100 * BIN, RATE)], axis=1))
    levels = read_levels(path, Span(1.2, 0.5), max_columns=500)
    assert (levels.start_seconds, levels.end_seconds, levels.top_hz) == (1.2, 1.7, RATE / 2)
    assert np.argmax(levels.values[:, 20]) == 100
    with pytest.raises(ConfigError, match=r"2\.00 s long, cannot start at 3 s"):
        read_levels(path, Span(3), max_columns=500)


@pytest.mark.parametrize("is_log", [True, False])
def test_the_picture_shows_the_tone(save: Save, tone: Synth, tmp_path: Path, is_log: bool) -> None:
    """The brightest row of the panel is as high as the tone is on the axis; 5 kHz of 22.05."""
    path = save("A$AP 夜.wav", tone(5000, RATE))  # a name that is no formula, in letters that a font may lack
    target = tmp_path / "out.png"
    draw_spectrograms(target, [path], Span(), is_log=is_log, size=(800, 400), overwrite=False)
    with Image.open(target) as image:
        assert image.size == (800, 400)
        panel = np.asarray(image.convert("RGB"), float)[:, 300:500].sum(axis=(1, 2))
    dark = np.flatnonzero(panel < 0.1 * panel.max())
    share = (dark[-1] - np.argmax(panel[dark[0] : dark[-1]]) - dark[0]) / (dark[-1] - dark[0])
    wanted = math.log(5000 / 40) / math.log(RATE / 2 / 40) if is_log else 5000 / (RATE / 2)
    assert share == pytest.approx(wanted, abs=0.03)
    with pytest.raises(OutputError, match="already exists"):
        draw_spectrograms(target, [path], Span(), is_log=is_log, size=(800, 400), overwrite=False)
