"""Draws before and after of several recordings, one above the other.

python picture.py OUT.png BEFORE AFTER [BEFORE AFTER ...]      # draws with matplotlib
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

from concertclean.audio_io.reader import AudioReader

mpl.use("Agg")
import matplotlib.pyplot as plt

MAX_SECONDS = 60
TOP_HZ = 16_000


def main() -> None:
    """Writes the picture."""
    target, *paths = sys.argv[1:]
    figure, axes = plt.subplots(
        len(paths) // 2, 2, figsize=(13, 3.2 * (len(paths) // 2)), sharey=True, layout="constrained", squeeze=False
    )
    for axis, path in zip(axes.flat, paths, strict=True):
        with AudioReader(path) as reader:
            rate = reader.info.sample_rate
            audio = reader.read(MAX_SECONDS * rate).mean(axis=0)
        axis.specgram(
            audio + 1e-9 * np.cos(np.arange(len(audio))),
            NFFT=2048,
            Fs=rate,
            noverlap=1536,
            vmin=-140,
            vmax=-45,
            cmap="magma",
        )
        axis.set(title=Path(path).name, ylim=(0, TOP_HZ), xlabel="s")
    for axis in axes[:, 0]:
        axis.set_ylabel("Hz")
    figure.savefig(target, dpi=75)


if __name__ == "__main__":
    main()
