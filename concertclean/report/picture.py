"""Labelled spectrograms as a picture: time, frequency and level of one or more recordings, one below the other."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from concertclean.audio_io.reader import AudioReader
from concertclean.errors import ConfigError
from concertclean.files.atomic import written
from concertclean.files.names import shown
from concertclean.report.figures import empty_figure
from concertclean.report.spectrogram import FLOOR_DB, Spectrograms, display_range

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOWEST_HZ = 40.0
_TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
_N_ROWS = 700
_DPI = 100


@dataclass(frozen=True)
class Span:
    """Part of a recording, in seconds; no length means to the end."""

    start_seconds: float = 0.0
    duration_seconds: float | None = None


@dataclass(frozen=True)
class Levels:
    """A spectrogram in dB, `(freq, column)` from 0 Hz to `top_hz`, between two times in seconds."""

    values: NDArray[np.float64]
    top_hz: float
    start_seconds: float
    end_seconds: float


def draw_spectrograms(
    target: Path, recordings: Sequence[Path], span: Span, *, is_log: bool, size: tuple[int, int], overwrite: bool
) -> None:
    """Writes a picture with a panel for each recording, all in the same colours.

    Args:
        target: PNG, PDF or SVG, by its extension.
        recordings: at least one.
        span: part of each that is shown.
        is_log: logarithmic frequency axis.
        size: width and height of one panel, pixels.
        overwrite: replace an existing picture.

    Raises:
        AudioFileError: a recording cannot be decoded.
        ConfigError: the part begins after a recording's end, or matplotlib is not installed.
        OutputError: the picture exists or cannot be written.
    """
    figure = empty_figure(size[0] / _DPI, size[1] * len(recordings) / _DPI, dpi=_DPI)
    with written(target, overwrite=overwrite) as file:
        levels = [read_levels(recording, span, max_columns=2 * size[0]) for recording in recordings]
        _draw(figure, [path.name for path in recordings], levels, is_log=is_log)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a name in a rare script
            figure.savefig(file, format=target.suffix[1:].lower() or "png")


def read_levels(recording: Path, span: Span, *, max_columns: int) -> Levels:
    """The spectrogram of a part of a recording.

    Raises:
        AudioFileError: the recording cannot be decoded.
        ConfigError: the part begins after the recording's end.
    """
    with AudioReader(recording) as reader:
        rate = reader.info.sample_rate
        wanted = round(span.start_seconds * rate)
        found = reader.skip(wanted)
        left = None if span.duration_seconds is None else max(1, round(span.duration_seconds * rate))
        block = reader.read(rate if left is None else min(rate, left))
        if not block.shape[1]:
            raise ConfigError(f"{recording}: {found / rate:.2f} s long, cannot start at {span.start_seconds:g} s")
        declared = None if reader.info.n_samples is None else reader.info.n_samples - wanted
        expected = left or declared or rate
        spectrograms = Spectrograms(1, reader.info.channels, min(expected, declared or expected), max_columns)
        n_samples = 0
        while block.shape[1]:
            spectrograms.add(block[None])
            n_samples += block.shape[1]
            block = reader.read(rate if left is None else min(rate, left - n_samples))
    start = wanted / rate
    return Levels(spectrograms.levels()[0], rate / 2, start, start + n_samples / rate)


def rows(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Levels of bands whose edges may be closer or wider than the bins of a spectrogram.

    Args:
        values: `(freq, column)`.
        edges: row numbers of `values`, rising, not whole; one more than bands.

    Returns:
        `(band, column)`: interpolated if a band is narrow, the largest level if it is wide.
    """
    result = np.empty((len(edges) - 1, values.shape[1]))
    for band, (low, high) in enumerate(pairwise(edges)):
        if high - low > 1:
            result[band] = values[int(np.ceil(low)) : int(high) + 1].max(axis=0)
        else:
            middle = min((low + high) / 2, len(values) - 1.0)
            below = min(int(middle), len(values) - 2)
            result[band] = values[below] * (1 - middle + below) + values[below + 1] * (middle - below)
    return result


def _draw(figure: "Figure", names: Sequence[str], levels: Sequence[Levels], *, is_log: bool) -> None:
    """All panels, and one scale of colours for them."""
    low_db, high_db = display_range(np.concatenate([one.values.ravel() for one in levels]))
    axes = figure.subplots(len(levels), 1, squeeze=False)[:, 0]
    for axis, name, one in zip(axes, names, levels, strict=True):
        places = np.linspace(0, 1, _N_ROWS + 1)
        hz = _LOWEST_HZ * (one.top_hz / _LOWEST_HZ) ** places if is_log else places * one.top_hz
        bands = rows(one.values, hz / one.top_hz * (len(one.values) - 1))
        image = axis.imshow(
            np.maximum(bands, FLOOR_DB),
            origin="lower",
            aspect="auto",
            extent=(one.start_seconds, one.end_seconds, 0, 1),
            vmin=low_db,
            vmax=high_db,
            cmap="magma",
        )
        axis.set_title(shown(name), parse_math=False, loc="left")
        axis.set_ylabel("Hz")
        _label_frequencies(axis, one.top_hz, is_log=is_log)
    axes[-1].set_xlabel("s")
    figure.colorbar(image, ax=list(axes), label="dB, full-scale sine is 0", pad=0.01)


def _label_frequencies(axis: Any, top_hz: float, *, is_log: bool) -> None:
    """Ticks in Hz on an axis from 0 to 1."""
    if is_log:
        shown = [hz for hz in _TICKS_HZ if hz <= top_hz]
        places = np.log(np.array(shown) / _LOWEST_HZ) / np.log(top_hz / _LOWEST_HZ)
    else:
        step = next((hz for hz in (500, 1000, 2000, 5000) if top_hz / hz <= 12), 10_000)
        shown = list(range(0, int(top_hz) + 1, step))
        places = np.array(shown) / top_hz
    axis.set_yticks(places, [f"{hz // 1000}k" if hz >= 1000 and not hz % 1000 else str(hz) for hz in shown])
