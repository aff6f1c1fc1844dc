"""Prepares a source file for storage: decoded and resampled once, without its silent and clipped stretches."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from concertclean.audio_io.reader import AudioReader
from concertclean.corpora.sources import Role, Source
from concertclean.dataset.store import FULL_SCALE, Samples
from concertclean.dsp.downmix import Real, downmix
from concertclean.dsp.resample import resample
from concertclean.errors import AudioFileError
from concertclean.files.download import file_sha256

BLOCK_SECONDS = 0.1  # length of a block that counts as silent or clipped as a whole
_SILENCE_DB = -60.0  # below the recording's loudest block
_FLAT_RUN = 4  # consecutive equal samples near the peak: music is never constant there
_MARGIN_BLOCKS = 2  # of silence left around sound, so that its decay is kept
_PEAK = 10 ** (-1 / 20)
_DIGITAL_SILENCE = 1e-4

_WHOLE_ROLES = ("response", "vocals", "backing")  # the quiet tail of a response matters; stems must stay aligned

# A shorter stretch is dropped: music and noise need some context, single claps and shouts do not.
SHORTEST_SECONDS: dict[Role, float] = {
    "clean": 2.0,
    "vocals": 2.0,
    "backing": 2.0,
    "voice": 2.0,
    "noise": 0.4,
    "effect": 0.1,
    "clap": 0.02,
    "shout": 0.1,
    "speech": 0.3,
    "response": 0.005,
}


@dataclass(frozen=True)
class Prepared:
    """The part of a source to store.

    Attributes:
        samples: int16 `(time, channel)`, peak at -1 dBFS.
        pieces: lengths of the uninterrupted stretches in them.
        gain_db: samples over source.
        sha256: of the source file.
        silent_seconds: left out as silent.
        clipped_seconds: left out as clipped.
    """

    samples: Samples
    pieces: tuple[int, ...]
    gain_db: float
    sha256: str
    silent_seconds: float
    clipped_seconds: float


def prepare(source: Source, sample_rate: int, channels: int, seconds: float | None) -> Prepared:
    """Return the part of a source to store.

    Args:
        source: the file.
        sample_rate: Hz to store at.
        channels: to store, 1 or 2; of more than two the first two are taken.
        seconds: take at most this much from the middle; None: all.

    Raises:
        AudioFileError: it cannot be decoded, or nothing remains.
    """
    waveforms = _decode(source, sample_rate, channels, seconds)
    if max(float(np.abs(waveform).max(initial=0.0)) for waveform in waveforms) < _DIGITAL_SILENCE:
        raise AudioFileError(f"{source.path}: silent; leave it out")
    stretches = [_kept(waveform, source.role, sample_rate) for waveform in waveforms]
    pieces = [piece for kept, _, _ in stretches for piece in kept]
    silent = sum(seconds for _, seconds, _ in stretches)
    clipped = sum(seconds for _, _, seconds in stretches)
    if not pieces:
        what = "clipped" if clipped > silent else "silent, or too short"
        raise AudioFileError(f"{source.path}: nothing remains of it, because it is {what}; leave it out")
    gain = _PEAK / max(float(np.abs(piece).max()) for piece in pieces)
    return Prepared(
        samples=np.round(np.concatenate(pieces, axis=1).T * (gain * FULL_SCALE)).astype(np.int16),
        pieces=tuple(piece.shape[1] for piece in pieces),
        gain_db=round(20 * float(np.log10(gain)), 3),
        sha256=_sha256(source),
        silent_seconds=round(silent, 1),
        clipped_seconds=round(clipped, 1),
    )


def _sha256(source: Source) -> str:
    """Hash of the source's file; of the hashes of all where it is a sum."""
    hashes = [file_sha256(path) for path in (source.path, *source.layers)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def _kept(
    waveform: NDArray[np.float64], role: Role, sample_rate: int
) -> tuple[list[NDArray[np.float64]], float, float]:
    """The stretches of a waveform that are kept, and the seconds left out as silent and as clipped."""
    if role in _WHOLE_ROLES:
        return [waveform], 0.0, 0.0
    block = round(BLOCK_SECONDS * sample_rate)
    silent, clipped = silent_blocks(waveform, block), clipped_blocks(waveform, block)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ~silent & ~clipped, [False]]).astype(int))) * block
    pieces = [waveform[:, a:b] for a, b in edges.reshape(-1, 2)]
    long_enough = [piece for piece in pieces if piece.shape[1] >= SHORTEST_SECONDS[role] * sample_rate]
    return long_enough, silent.sum() * BLOCK_SECONDS, (clipped & ~silent).sum() * BLOCK_SECONDS


def silent_blocks(waveform: NDArray[np.float64], block: int) -> NDArray[np.bool_]:
    """Which blocks of `(channel, time)` are 60 dB below the loudest, further than 0.2 s from any that is not."""
    power = np.square(_blocks(waveform, block)).mean(axis=(0, 2))
    sounding = power > power.max() * 10 ** (_SILENCE_DB / 10)
    near = np.convolve(sounding, np.ones(2 * _MARGIN_BLOCKS + 1))[_MARGIN_BLOCKS : _MARGIN_BLOCKS + len(sounding)]
    return near < 0.5


def clipped_blocks(waveform: NDArray[np.float64], block: int) -> NDArray[np.bool_]:
    """Which blocks of `(channel, time)` contain four equal consecutive samples at the recording's peak."""
    blocks = _blocks(waveform, block)
    at_peak = np.abs(blocks) > 0.98 * np.abs(waveform).max()
    standing = (np.abs(np.diff(blocks, axis=2)) < 1e-4) & at_peak[..., 1:]
    in_a_row = sliding_window_view(standing, _FLAT_RUN - 1, axis=2)
    found: NDArray[np.bool_] = np.logical_or.reduce(np.logical_and.reduce(in_a_row, axis=3), axis=(0, 2))
    return found


def _decode(source: Source, sample_rate: int, channels: int, seconds: float | None) -> list[NDArray[np.float64]]:
    """The requested parts of a source, at the stored rate and channels: its spans, its middle, or the sum of all."""
    if source.layers:
        layers = [_decode_whole(path, sample_rate, channels) for path in (source.path, *source.layers)]
        summed = np.zeros((channels, max(layer.shape[1] for layer in layers)))
        for layer in layers:
            summed[:, : layer.shape[1]] += layer
        return [summed]
    with AudioReader(source.path) as reader:
        rate, total = reader.info.sample_rate, reader.info.n_samples
        if source.spans:
            whole = reader.read(round(max(end for _, end in source.spans) * rate))
            parts = [whole[:, round(begin * rate) : round(end * rate)] for begin, end in source.spans]
        else:
            wanted = None if seconds is None else round(seconds * rate)
            if wanted is not None and total is not None:
                reader.skip(max(0, (total - wanted) // 2))
            parts = [reader.read_all() if wanted is None else reader.read(wanted)]
    if not any(part.shape[1] for part in parts):
        raise AudioFileError(f"{source.path}: contains no samples; leave it out")
    return [resample(with_channels(part, channels), rate, sample_rate) for part in parts]


def _decode_whole(path: Path, sample_rate: int, channels: int) -> NDArray[np.float64]:
    with AudioReader(path) as reader:
        return resample(with_channels(reader.read_all(), channels), reader.info.sample_rate, sample_rate)


def with_channels(waveform: NDArray[Real], channels: int) -> NDArray[Real]:
    """A waveform `(channel, time)` with 1 or 2 channels: the first two of more, mixed down for one, one repeated."""
    waveform = waveform[:2]
    if channels == 1:
        return downmix(waveform)
    return waveform if len(waveform) == channels else np.repeat(waveform, channels, axis=0)


def _blocks(waveform: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """`(channel, block, time)`, the last one filled with zeros."""
    padded = np.pad(waveform, ((0, 0), (0, -waveform.shape[1] % block)))
    return padded.reshape(len(waveform), -1, block)
