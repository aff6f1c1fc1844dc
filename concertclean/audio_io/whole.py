"""Write a waveform that fits in memory to a lossless file, in one call."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concertclean.audio_io.formats import Storage
from concertclean.audio_io.writer import AudioWriter


def write_waveform(
    path: Path, waveform: NDArray[np.floating], sample_rate: int, *, bit_depth: int = 24, overwrite: bool = False
) -> None:
    """Write a WAV or FLAC file, and create its folder.

    Args:
        path: ends in .wav or .flac.
        waveform: `(channel, time)`, full scale ±1.
        sample_rate: Hz.
        bit_depth: 16 or 24.
        overwrite: replace an existing file.

    Raises:
        OutputError: the file exists or cannot be written.
        ValueError: another extension.
    """
    format = path.suffix.lower().removeprefix(".")
    if format not in ("wav", "flac"):
        raise ValueError(f"path is {path}, must end in .wav or .flac")
    path.parent.mkdir(parents=True, exist_ok=True)
    with AudioWriter(
        path, Storage(format, sample_rate, len(waveform), bit_depth=bit_depth), overwrite=overwrite
    ) as writer:
        writer.write(waveform.astype(np.float64))
