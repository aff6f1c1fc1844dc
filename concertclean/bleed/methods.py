"""The methods of bleed reduction behind one interface: fit to an excerpt, apply to the recording.

Tracks may have several channels. Channel n of every track forms a separate band of microphones. So a stereo track keeps
its image, and its two sides are never taken for each other's bleed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from concertclean.bleed import kamir, mira, unmixing
from concertclean.bleed.verdict import verdict
from concertclean.dsp.arrays import Array, Blocks
from concertclean.dsp.resample import in_step
from concertclean.errors import ModelError

if TYPE_CHECKING:
    from concertclean.bleed.networks import Running


AUTO = "auto"
_WEIGHTS = ".safetensors"
_MATRIX_MODEL = "bleed-tunet"
_INSTRUMENT_MODELS = {name: f"bleed-cae-{name}" for name in ("vocals", "bass", "drums")}  # none would help others


@dataclass(frozen=True)
class Learned:
    """A method fitted to the microphones of one recording.

    Attributes:
        apply: maps blocks `(microphone, time)` to blocks `(stem, time)`, together as long.
        remarks: one sentence each.
        matrix: Λ `(microphone, stem)` of diagonal 1, where the method has one.
    """

    apply: Callable[[Blocks], Blocks]
    remarks: tuple[str, ...] = ()
    matrix: Array | None = None


Learn = Callable[[Array, int], Learned]


def _linear(waveform: Array, sample_rate: int) -> Learned:
    found = unmixing.learn_unmixing(waveform, sample_rate)
    kind = verdict(waveform, sample_rate)
    late = max((abs(lag) for lag in kind.lag_seconds.values()), default=0.0)
    said = f"bleed arrives up to {1000 * late:.1f} ms late, which linear does not model; set the model to kamir"
    remarks = found.remarks + (said,) * (kind.kind == "delayed")
    return Learned(partial(unmixing.apply_unmixing, found=found), remarks, found.matrix)


def _kamir(waveform: Array, sample_rate: int) -> Learned:
    found = kamir.learn_kamir(waveform, sample_rate)
    return Learned(partial(kamir.apply_kamir, found=found), found.remarks)


def _mira(waveform: Array, sample_rate: int) -> Learned:
    found = mira.learn_mira(waveform, sample_rate)
    return Learned(partial(mira.apply_mira, found=found), found.remarks)


def _fast_mira(waveform: Array, sample_rate: int) -> Learned:
    found = mira.learn_fast_mira(waveform, sample_rate)
    return Learned(partial(mira.apply_mira, found=found), found.remarks)


METHODS: dict[str, Learn] = {"linear": _linear, "kamir": _kamir, "mira": _mira, "fastmira": _fast_mira}
"""Every method without weights, by its name."""

TRAINED = ("tunet", "cae")
"""Every method with shipped weights."""


@dataclass(frozen=True)
class Reduction:
    """What was fitted to the tracks of a recording.

    Attributes:
        method: that was used.
        channels: what was fitted, one for each channel.
        remarks: one sentence each.
    """

    method: str
    channels: tuple[Learned, ...]
    remarks: tuple[str, ...]

    def apply(self, blocks: Blocks) -> Blocks:
        """The stems of a recording in blocks.

        Args:
            blocks: `(track, channel, time)` in order.

        Yields:
            `(track, channel, time)`, together as long as the blocks, but cut differently.
        """
        copies = tee(blocks, len(self.channels))
        streams = [
            learned.apply(_one_channel(copy, channel))
            for channel, (learned, copy) in enumerate(zip(self.channels, copies, strict=True))
        ]
        yield from _stacked(streams)


def learn(
    name: str,
    waveform: Array,
    sample_rate: int,
    *,
    tracks: Sequence[str] = (),
    device: str = "auto",
    threads: int = 0,
) -> Reduction:
    """A method fitted to the tracks of a recording.

    Args:
        name: key of `METHODS`, "auto", "tunet", "cae", or a weights file: of a t-UNet, or of a CAE for each track,
            separated by commas.
        waveform: excerpt `(track, channel, time)`, full scale ±1.
        sample_rate: Hz.
        tracks: their names, which give the instruments for "cae".
        device: of networks, as for `choose_device`.
        threads: CPU cores of networks; 0: all.

    Raises:
        ModelError: the method is unknown, or its weights are missing, damaged, or do not fit.
    """
    bands = [waveform[:, channel] for channel in range(waveform.shape[1])]
    chosen, said = (name, ()) if name != AUTO else _choice(bands, sample_rate)
    if chosen is None:
        return Reduction("none", (Learned(lambda blocks: blocks),) * len(bands), said)
    method = METHODS[chosen] if chosen in METHODS else _of_weights(chosen, tracks, device, threads)
    learned = tuple(method(band, sample_rate) for band in bands)
    found = dict.fromkeys(remark for one in learned for remark in one.remarks)
    return Reduction(chosen, learned, (*said, *found))


def _of_weights(name: str, tracks: Sequence[str], device: str, threads: int) -> Learn:
    """The method for a name of trained networks; imports their inference only when needed."""
    from concertclean.bleed import networks

    running = networks.Running(device, threads)
    if name == "tunet":
        return _matrix_network(_MATRIX_MODEL, tracks, running)
    if name == "cae":
        shipped = [_INSTRUMENT_MODELS.get(networks.instrument(track)) for track in tracks]
        return _instrument_networks(shipped, running, (_said_of(tracks),))
    if not name.endswith(_WEIGHTS):
        known = ", ".join((AUTO, *METHODS, *TRAINED))
        raise ModelError(f"{name}: unknown method; choose from {known}, or give a {_WEIGHTS} file")
    paths = [Path(part) for part in name.split(",")]
    if len(paths) == 1 and networks.finds_matrices(paths[0]):
        return _matrix_network(paths[0], tracks, running)
    return _instrument_networks(paths, running)


def _matrix_network(model: str | Path, tracks: Sequence[str], running: "Running") -> Learn:
    """One network that receives the whole band."""
    from concertclean.bleed import networks

    def learn_matrix(waveform: Array, sample_rate: int) -> Learned:
        found = networks.learn_matrix(model, waveform, sample_rate, running, tracks)
        return Learned(partial(unmixing.apply_unmixing, found=found), found.remarks, found.matrix)

    return learn_matrix


def _instrument_networks(
    models: Sequence[str | Path | None], running: "Running", remarks: tuple[str, ...] = ()
) -> Learn:
    """A network for each track; None leaves it unchanged."""
    from concertclean.bleed import networks

    def load_networks(waveform: Array, sample_rate: int) -> Learned:
        enhancers = networks.load_instruments(models, len(waveform), running)
        return Learned(partial(networks.apply_instruments, enhancers=enhancers, sample_rate=sample_rate), remarks)

    return load_networks


def _said_of(tracks: Sequence[str]) -> str:
    """The instrument assumed for each track."""
    from concertclean.bleed.networks import instrument

    roles = {track: instrument(track) for track in tracks}
    said = [
        f"{track} is {role}" + ("" if role in _INSTRUMENT_MODELS else ", unchanged") for track, role in roles.items()
    ]
    return f"instruments by track name: {', '.join(said)}"


def _choice(bands: list[Array], sample_rate: int) -> tuple[str | None, tuple[str, ...]]:
    """The method for the mixture (None if there is no bleed), and the reason."""
    kinds = [verdict(band, sample_rate) for band in bands]
    late = [abs(lag) for kind in kinds for lag in kind.lag_seconds.values() if lag]
    if late:
        # MIRA gains more on sparse stems but removes music from dense ones; KAMIR does not.
        return "kamir", (f"bleed arrives up to {1000 * max(late):.1f} ms late: using kamir",)
    if any(kind.kind == "instantaneous" for kind in kinds):
        return "linear", ("bleed has no delay: using linear",)
    return None, ("no bleed was found, so nothing was reduced",)


def _one_channel(blocks: Blocks, channel: int) -> Blocks:
    for block in blocks:
        yield block[:, channel]


def _stacked(streams: list[Blocks]) -> Blocks:
    """Joins streams `(track, time)`, however they are cut, to `(track, channel, time)`."""
    for pieces in in_step(streams):
        yield np.stack(pieces, axis=1)
