"""Trained networks as methods of bleed reduction: one for the matrix of a band, or one for each track.

A matrix network sees the excerpt at its own rate; its matrix holds at every rate. A network of one instrument hears
its track and only what it would remove comes back to the recording's rate, as when denoising.
"""

from collections.abc import Iterator
from functools import partial
from itertools import tee
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from concertclean.chain import left_by
from concertclean.classical.microphones import roster
from concertclean.classical.unmixing import Unmixing, trusted
from concertclean.dsp.resample import in_step, resample
from concertclean.errors import ModelError
from concertclean.inference import Enhancer
from concertclean.models.registry import MATRIX_ARCHITECTURES, load_matrix_model, load_model
from concertclean.models.weights_file import read_header

Array = NDArray[np.float64]
Blocks = Iterator[Array]


def knows_matrices(path: Path) -> bool:
    """Whether a weights file is of a network that says how a band is mixed.

    Raises:
        ModelError: the file is missing or damaged.
    """
    return read_header(path).architecture in MATRIX_ARCHITECTURES


def learn_matrix(path: Path, waveform: Array, sample_rate: int) -> Unmixing:
    """The mixing matrix as a network sees it.

    Args:
        path: weights of a t-UNet.
        waveform: `(microphone, time)`, full scale ±1.
        sample_rate: Hz.

    Raises:
        ModelError: the weights do not fit, or are for another number of microphones.
    """
    network = load_matrix_model(path)
    if network.channels != len(waveform):
        raise ModelError(f"{path}: is for {network.channels} microphones, these are {len(waveform)}; use --model auto")
    who = roster(waveform)
    heard = torch.from_numpy(resample(waveform, sample_rate, network.sample_rate)).float()
    plain = np.eye(len(waveform))
    if len(who.kept) < 2:
        return Unmixing(plain, 0 * plain, (), who, who.remarks())
    inner = np.ix_(who.kept, who.kept)
    found, remarks = trusted(network.matrix(heard).double().numpy()[inner], np.zeros((1, 1)), who)
    plain[inner] = found
    return Unmixing(plain, 0 * plain, (), who, who.remarks() + remarks)


def apply_instruments(blocks: Blocks, enhancers: list[Enhancer], sample_rate: int) -> Blocks:
    """Every track through the network of its own instrument.

    Args:
        blocks: `(microphone, time)` in order.
        enhancers: one a microphone.
        sample_rate: Hz.

    Yields:
        `(stem, time)`, together as long as the blocks.
    """
    streams = [
        left_by(enhancer, _one_track(copy, track), 1, sample_rate)
        for track, (enhancer, copy) in enumerate(zip(enhancers, tee(blocks, len(enhancers)), strict=True))
    ]
    for pieces in in_step(streams):
        yield np.concatenate(pieces)


def load_instruments(paths: list[Path], n_tracks: int) -> list[Enhancer]:
    """Networks of one instrument each, ready to run.

    Raises:
        ModelError: not one for each track, or the weights do not fit.
    """
    if len(paths) != n_tracks:
        named = ", ".join(map(str, paths))
        raise ModelError(f"{named}: {len(paths)} weights for {n_tracks} tracks; give one a track, in their order")
    return [Enhancer(load_model(path).model) for path in paths]


def instruments(paths: list[Path], n_tracks: int, sample_rate: int) -> "partial[Blocks]":
    """What `apply_instruments` does, with its networks."""
    return partial(apply_instruments, enhancers=load_instruments(paths, n_tracks), sample_rate=sample_rate)


def _one_track(blocks: Blocks, track: int) -> Blocks:
    for block in blocks:
        yield block[track : track + 1]
