"""Trained networks as methods of bleed reduction: one for the matrix of a band, or one for each track.

A matrix network receives the excerpt at its own rate; its matrix holds at every rate. A network for one instrument
receives its track, and only what it would remove is resampled to the recording's rate, as in denoising. The name of a
track decides which of the shipped networks it gets.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import tee
from math import ceil
from pathlib import Path

import numpy as np
import torch

from concertclean.bleed.microphones import excerpt, roster
from concertclean.bleed.unmixing import Unmixing, trusted
from concertclean.dsp.arrays import Array, Blocks
from concertclean.dsp.resample import in_step, resample
from concertclean.errors import ModelError
from concertclean.networks.tunet import TUNet
from concertclean.restore.chain import left_by
from concertclean.restore.inference import Enhancer
from concertclean.restore.torch_engine import TorchEngine
from concertclean.runtime.devices import choose_device
from concertclean.weights.building import task_of
from concertclean.weights.file_format import read_header
from concertclean.weights.loading import load_matrix_model, load_model

_INSTRUMENTS = {  # the first match counts: a bass drum is a drum
    "drums": r"drum|kick|snare|cymbal|hi-?hat|percussion|overhead",
    "vocals": r"voc|vox|voice|sing|choir",
    "bass": r"bass(?!oon)",
}
_SEGMENT_SECONDS = 15.0  # small networks would spend a fifth of their time on the context of shorter segments
_KEPT = 8  # networks that stay loaded
_STRETCHES = 2  # that a matrix network receives; with four its matrix was no better


@dataclass(frozen=True)
class Running:
    """Where and how networks run.

    Attributes:
        device: name as for `choose_device`.
        threads: CPU cores; 0: all.
    """

    device: str = "auto"
    threads: int = 0


def instrument(track: str) -> str:
    """Instrument of a track by its name: vocals, bass, drums or other."""
    fitting = (name for name, words in _INSTRUMENTS.items() if re.search(words, track.lower()))
    return next(fitting, "other")


def finds_matrices(path: Path) -> bool:
    """Whether a weights file is of a network that estimates mixing matrices.

    Raises:
        ModelError: the file is missing or damaged, or of an unknown architecture.
    """
    return task_of(read_header(path).architecture, path) == "unmix"


def positions(instruments: Sequence[str], tracks: Sequence[str]) -> list[int]:
    """Index of the track for each instrument, by name; tracks that match none fill the remaining places in order.

    Args:
        instruments: one per track; empty: every track keeps its position.
        tracks: names.
    """
    if not instruments:
        return list(range(len(tracks)))
    roles = [instrument(track) for track in tracks]
    fitting = {one: roles.index(one) for one in instruments if one in roles}
    left = iter([k for k in range(len(tracks)) if k not in fitting.values()])
    return [fitting[one] if one in fitting else next(left) for one in instruments]


def learn_matrix(
    model: str | Path, waveform: Array, sample_rate: int, running: Running, tracks: Sequence[str] = ()
) -> Unmixing:
    """The mixing matrix that a network estimates from the two loudest stretches.

    Args:
        model: name or weights file of a t-UNet.
        waveform: `(microphone, time)`, full scale ±1.
        sample_rate: Hz.
        running: where.
        tracks: names, for a network whose microphones have a fixed order.

    Raises:
        ModelError: the weights do not fit, or are for another number of microphones.
    """
    network = _matrix_network(model)
    if network.channels != len(waveform):
        raise ModelError(f"{model}: needs {network.channels} microphones, got {len(waveform)}; set the model to auto")
    if network.n_stems != network.channels:
        fact = f"finds {network.n_stems} stems in {network.channels} microphones"
        raise ModelError(f"{model}: {fact}, not one for each track; set the model to auto")
    who = roster(waveform)
    plain = np.eye(len(waveform))
    if len(who.kept) < 2:
        return Unmixing(plain, 0 * plain, (), who, who.remarks())
    device = choose_device(running.device)
    piece = ceil(network.segment * sample_rate / network.sample_rate) / sample_rate
    loudest = excerpt(iter([waveform]), waveform.shape[1], sample_rate, seconds=_STRETCHES * piece, piece_seconds=piece)
    excerpts = torch.from_numpy(resample(loudest, sample_rate, network.sample_rate)).float().to(device)
    order = positions(network.instruments, tracks) if tracks else list(range(len(waveform)))
    whole = np.empty_like(plain)
    whole[np.ix_(order, order)] = network.to(device).matrix(excerpts[order]).cpu().double().numpy()
    inner = np.ix_(who.kept, who.kept)
    found, remarks = trusted(whole[inner], np.zeros((1, 1)), who)
    plain[inner] = found
    return Unmixing(plain, 0 * plain, (), who, who.remarks() + remarks)


def apply_instruments(blocks: Blocks, enhancers: Sequence[Enhancer | None], sample_rate: int) -> Blocks:
    """Passes every track through the network of its instrument.

    Args:
        blocks: `(microphone, time)` in order.
        enhancers: one per microphone; None leaves it unchanged.
        sample_rate: Hz.

    Yields:
        `(stem, time)`, together as long as the blocks.
    """
    streams = [
        _one_track(copy, track) if enhancer is None else left_by(enhancer, _one_track(copy, track), 1, sample_rate)
        for track, (enhancer, copy) in enumerate(zip(enhancers, tee(blocks, len(enhancers)), strict=True))
    ]
    for pieces in in_step(streams):
        yield np.concatenate(pieces)


def load_instruments(models: Sequence[str | Path | None], n_tracks: int, running: Running) -> list[Enhancer | None]:
    """Networks of one instrument each, ready to run; None stays None.

    Raises:
        ModelError: there is not one for each track, or the weights do not fit.
    """
    if len(models) != n_tracks:
        named = ", ".join(map(str, models))
        raise ModelError(f"{named}: {len(models)} weights files for {n_tracks} tracks; give one per track, in order")
    return [None if model is None else _instrument_network(model, running) for model in models]


@lru_cache(maxsize=_KEPT)
def _matrix_network(model: str | Path) -> TUNet:
    """Loaded once for all channels of a recording, and all bands of an evaluation."""
    return load_matrix_model(model)


@lru_cache(maxsize=_KEPT)
def _instrument_network(model: str | Path, running: Running) -> Enhancer:
    """The same; tracks share it, too."""
    network = load_model(model, task="debleed").model
    engine = TorchEngine(network, device=running.device)
    return Enhancer(engine, threads=running.threads, segment_seconds=_SEGMENT_SECONDS)


def _one_track(blocks: Blocks, track: int) -> Blocks:
    for block in blocks:
        yield block[track : track + 1]
