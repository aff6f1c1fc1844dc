"""What the page plays and draws of a result: exactly where it is short, as a stream with tiles where it is long.

A browser holds every sample that it decodes, 23 MB a minute of stereo, so a long result is played from a stream. It has
the recording and what is removed as channels of one file, because two files would drift apart: whatever the sliders
say, the page mixes it from channels that one clock carries.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from concertclean.audio_io.formats import AudioInfo, Storage
from concertclean.audio_io.writer import AudioWriter
from concertclean.dsp.arrays import Array
from concertclean.dsp.levels import LoudnessMeter
from concertclean.files.atomic import written
from concertclean.report.pairs import Pair, blocks
from concertclean.report.sound import OPUS_RATE, page_rate
from concertclean.serve.jobs import Listening

SOUNDS: Final = ("before", "removed")
PICTURES: Final = ("before", "after", "removed")
STREAM: Final = "stream.opus"
LONGEST_EXACT_SECONDS: Final = 300.0
_TILE_SECONDS: Final = 30.0
_TILE_COLUMNS: Final = 600
_COLUMNS: Final = 1500
_STREAM_BIT_RATE: Final = 96_000  # bit/s and channel


def tile_name(number: int, picture: str) -> str:
    """Name of a tile, from 0, of one of `PICTURES`; its file is a PNG of that name."""
    return f"tile-{number:05}-{picture}"


def prepare(
    folder: Path,
    pair: Pair,
    info: AudioInfo,
    seconds: float,
    *,
    check: Callable[[], None] = lambda: None,
    progress: Callable[[float], None] = lambda done: None,
    longest_exact: float = LONGEST_EXACT_SECONDS,
) -> Listening:
    """Writes sounds and pictures of a result.

    Args:
        folder: where they go.
        pair: the recording, and what is removed from it.
        info: of the recording.
        seconds: length of the result.
        check: called now and then; what it raises ends the work.
        progress: receives the part that is done, 0 to 1.
        longest_exact: results up to so many seconds are played as they are.
    """
    _clear(folder)
    is_stream = seconds > longest_exact
    rate = OPUS_RATE if is_stream else page_rate(info.sample_rate)
    channels = min(info.channels, 2)
    gain = _gain(pair, rate, check, lambda done: progress(done / max(seconds, 1e-9) / 4))
    looks = _Looks(folder, channels, rate, seconds, has_tiles=is_stream)
    n_done = 0
    with ExitStack() as stack:
        write = _streaming(stack, folder, channels) if is_stream else _exact(stack, folder, rate, channels)
        for before, removed in blocks(pair, rate, seconds=seconds):
            check()
            looks.add(before[:channels], removed[:channels])
            write(before[:channels] * gain, removed[:channels] * gain)
            n_done += before.shape[1]
            progress(0.25 + 0.75 * n_done / rate / max(seconds, 1e-9))
    return Listening(
        start_seconds=pair.start_seconds or 0.0,
        seconds=seconds,
        sample_rate=rate,
        channels=channels,
        gain=gain,
        is_stream=is_stream,
        **looks.finish(),
    )


def _clear(folder: Path) -> None:
    """Removes what an earlier result left."""
    names = (STREAM, *(f"{name}.flac" for name in SOUNDS))  # by name: the recording itself may be here
    for path in (*folder.glob("tile-*.png"), *(folder / name for name in names)):
        path.unlink(missing_ok=True)


def _gain(pair: Pair, rate: int, check: Callable[[], None], done: Callable[[float], None]) -> float:
    """The gain at which no sample exceeds full scale."""
    peak, n_done = 0.0, 0
    for before, removed in blocks(pair, rate):
        check()
        peak = max(peak, float(np.abs(before).max(initial=0.0)), float(np.abs(removed).max(initial=0.0)))
        n_done += before.shape[1]
        done(n_done / rate)
    return 1.0 if peak < 0.99 else 0.9 / peak  # the rest is for what resampling adds


Write = Callable[[Array, Array], None]


def _exact(stack: ExitStack, folder: Path, rate: int, channels: int) -> Write:
    """Writes both sounds as FLAC."""
    storage = Storage("flac", rate, channels, bit_depth=24)
    before, removed = (
        stack.enter_context(AudioWriter(folder / f"{name}.flac", storage, overwrite=True)) for name in SOUNDS
    )

    def write(one: Array, other: Array) -> None:
        before.write(one)
        removed.write(other)

    return write


def _streaming(stack: ExitStack, folder: Path, channels: int) -> Write:
    """Writes both sounds as channels of one Opus file."""
    storage = Storage("opus", OPUS_RATE, 2 * channels, bit_rate=2 * channels * _STREAM_BIT_RATE)
    writer = stack.enter_context(AudioWriter(folder / STREAM, storage, overwrite=True))
    return lambda one, other: writer.write(np.concatenate([one, other]))


class _Drawn:
    """Pictures of three sounds that come in blocks."""

    def __init__(self, channels: int, rate: int, seconds: float, columns: int) -> None:
        from concertclean.report.spectrogram import Spectrograms

        self._spectra = Spectrograms(len(PICTURES), channels, round(seconds * rate), columns)
        self.column_seconds, self.lead_seconds = self._spectra.timing(rate)

    def add(self, three: Array) -> None:
        """Takes the next `(sound, channel, time)`."""
        self._spectra.add(three)

    def finish(self, folder: Path, names: tuple[str, ...]) -> Array:
        """Writes the pictures; returns their levels, dB."""
        from concertclean.report.spectrogram import grey_png

        levels = self._spectra.levels()
        for name, level in zip(names, levels, strict=True):
            with written(folder / f"{name}.png", overwrite=True) as file:
                file.write(grey_png(level))
        return levels


@dataclass
class _Tiles:
    """Pictures of half a minute each."""

    folder: Path
    channels: int
    rate: int

    def __post_init__(self) -> None:
        self._length = round(_TILE_SECONDS * self.rate)
        self._number, self._left = 0, self._length
        self._tile = self._new()
        self.column_seconds = self._tile.column_seconds

    def add(self, three: Array) -> None:
        """Takes the next `(sound, channel, time)`."""
        while three.shape[-1]:
            some = three[..., : self._left]
            self._tile.add(some)
            self._left -= some.shape[-1]
            three = three[..., some.shape[-1] :]
            if not self._left:
                self.finish()

    def finish(self) -> None:
        """Writes the tile that is being drawn, if there is any of it."""
        if self._left < self._length:
            self._tile.finish(self.folder, tuple(tile_name(self._number, name) for name in PICTURES))
            self._number, self._left, self._tile = self._number + 1, self._length, self._new()

    def _new(self) -> _Drawn:
        return _Drawn(self.channels, self.rate, _TILE_SECONDS, _TILE_COLUMNS)


class _Looks:
    """Pictures and loudness of before, after and removed."""

    def __init__(self, folder: Path, channels: int, rate: int, seconds: float, *, has_tiles: bool) -> None:
        self._folder = folder
        self._meters = [LoudnessMeter(rate, channels) for _ in PICTURES]
        self._tiles = _Tiles(folder, channels, rate) if has_tiles else None
        self._whole = _Drawn(channels, rate, seconds, _COLUMNS)

    def add(self, before: Array, removed: Array) -> None:
        """Takes the next `(channel, time)`."""
        three = np.stack([before, before - removed, removed])
        self._whole.add(three)
        if self._tiles is not None:
            self._tiles.add(three)
        for meter, block in zip(self._meters, three, strict=True):
            meter.add(block)

    def finish(self) -> dict[str, Any]:
        """Writes the pictures; returns fields of `Listening`."""
        from concertclean.report.spectrogram import display_range

        levels = self._whole.finish(self._folder, PICTURES)
        if self._tiles is not None:
            self._tiles.finish()
        return {
            "lufs": tuple(_finite(meter.integrated()) for meter in self._meters),
            "range_db": display_range(levels),
            "column_seconds": self._whole.column_seconds,
            "lead_seconds": self._whole.lead_seconds,
            "tile_seconds": None if self._tiles is None else _TILE_SECONDS,
            "tile_column_seconds": None if self._tiles is None else self._tiles.column_seconds,
        }


def _finite(level: float) -> float | None:
    return level if math.isfinite(level) else None
