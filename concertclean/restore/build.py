"""From names and settings to what restores: the one function that all commands and the library share.

A restorer is one rung of a ladder, each usable alone: a network works on tensors, a restorer on arrays and on streams,
`pipeline.Denoiser` from file to file, `batch` on many files.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from concertclean.audio_io.reader import AudioReader
from concertclean.classical.catalogue import METHODS
from concertclean.classical.material import Material, Source, material_of
from concertclean.config.denoise import AUTO, NOISE_FOUND, RestorerSettings
from concertclean.dsp.arrays import Array, Blocks
from concertclean.errors import ConfigError
from concertclean.restore.chain import Chain, chain_of, learns_from, left_by, require_noise_taker, stages_of

if TYPE_CHECKING:
    from concertclean.files.download import Progress
    from concertclean.restore.inference import Enhancer
    from concertclean.weights.locating import LocatedWeights

_SEGMENT_SECONDS = 6.0
_SHORTEST_NOISE_SECONDS, _LONGEST_NOISE_SECONDS = 0.1, 60.0


@dataclass(frozen=True)
class ReadyNetwork:
    """A network of a restorer.

    Attributes:
        stage: its name among the stages.
        weights: where it came from.
        enhancer: the network ready to run.
    """

    stage: str
    weights: "LocatedWeights"
    enhancer: "Enhancer"


@dataclass(frozen=True)
class Hooks:
    """What a caller is called back for while restorers are built and run.

    Attributes:
        notify: receives remarks, "W1xx ...".
        fetching: entered while weights may be fetched; what it returns receives bytes so far and all bytes.
        built: receives each restorer that is ready.
    """

    notify: Callable[[str], None] = lambda message: None
    fetching: "Callable[[], AbstractContextManager[Progress | None]]" = nullcontext
    built: "Callable[[Restorer], None]" = lambda restorer: None


@dataclass(frozen=True)
class Restorer:
    """Stages ready to run, on arrays or on streams; made by `build_restorer`.

    Pickled, it is its names and settings: it loads its networks again where it arrives.

    Attributes:
        stages: names, in order; none: a recording stays as it is.
        settings: what it was built from.
        networks: of the stages that are networks.
        noise: noise alone, where the settings name a file of it.
        chain: the stages themselves.
    """

    stages: tuple[str, ...]
    settings: RestorerSettings
    networks: tuple[ReadyNetwork, ...] = ()
    noise: Material | None = None
    chain: Chain = field(default=Chain(()), repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        return build_restorer, (self.stages, self.settings)

    @property
    def sample_rate(self) -> int | None:
        """Hz of the first network; None: the stages work at any rate."""
        return self.networks[0].enhancer.sample_rate if self.networks else None

    @property
    def reads_twice(self) -> bool:
        """Whether a stage learns from the whole recording before it works."""
        return learns_from(self.stages, "recording") and self.settings.share > 0

    def __call__(self, waveform: Array, sample_rate: int) -> tuple[Array, Array]:
        """Restores a waveform that fits into memory.

        Args:
            waveform: `(channel, time)`, full scale ±1.
            sample_rate: Hz.

        Returns:
            The restored waveform and what was removed, both shaped like `waveform`; together they are `waveform`.

        Raises:
            ConfigError: the noise does not lie inside the waveform.
            ModelError: the network produces NaN or infinity.
            DeviceMemoryError: not even the smallest segment fits into memory.
            ValueError: `waveform` is not two-dimensional.
        """
        waveform = np.asarray(waveform, np.float64)
        if waveform.ndim != 2:
            raise ValueError(f"waveform has {waveform.ndim} dimensions, expected (channel, time)")
        whole = material_of(waveform, sample_rate)
        restorer = self.learning(self._materials_in(whole))
        pieces = [np.zeros((len(waveform), 0)), *restorer.removed(whole.read(), len(waveform), sample_rate)]
        removed = np.concatenate(pieces, axis=1)
        return waveform - removed, removed

    def stream(self, blocks: Blocks, *, sample_rate: int, channels: int) -> Blocks:
        """Restores a recording that comes in blocks, of any length, in memory that does not grow with it.

        Args:
            blocks: `(channel, time)`, full scale ±1.
            sample_rate: Hz.
            channels: of the recording.

        Yields:
            `(channel, time)` restored blocks in order, not cut as those that came; together exactly as long.

        Raises:
            ConfigError: a stage reads the recording twice, or needs a part of it beforehand.
            ModelError, DeviceMemoryError: as for arrays.
        """
        if self.reads_twice:
            twice = ", ".join(name for name in self.stages if learns_from((name,), "recording"))
            raise ConfigError(f"{twice}: reads a recording twice, a stream comes once; restore an array, or a file")
        if self.settings.noise_profile is not None and self.noise is None:
            raise ConfigError("noise_profile: a stream cannot be searched for noise; use a file of noise")
        return left_by(self, blocks, channels, sample_rate)

    def removed(self, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
        """What is removed from a recording: the strength times what the stages find.

        Args:
            blocks: `(channel, time)`, full scale ±1.
            channels: of the recording.
            sample_rate: of the recording, Hz.

        Yields:
            `(channel, time)` in order, together exactly as long as the recording.
        """
        share = self.settings.share
        if share == 0 or not self.stages:
            yield from map(np.zeros_like, blocks)
            return
        for found in self.chain.removed(blocks, channels, sample_rate):
            yield found * share

    def learning(self, materials: Mapping[Source, Material]) -> "Restorer":
        """The same restorer after it has learned from some material, which is read here.

        Args:
            materials: noise alone, or the recording that is going to be restored, by what they are.
        """
        return replace(self, chain=_chain(self.stages, self.networks, self.noise, materials)) if materials else self

    def _materials_in(self, whole: Material) -> dict[Source, Material]:
        """What the stages learn from, as far as it lies in the waveform itself."""
        materials: dict[Source, Material] = {"recording": whole} if self.reads_twice else {}
        stretch = noise_stretch_of(self.settings, whole)
        if stretch is not None:
            first, last = (round(seconds * whole.sample_rate) for seconds in stretch)
            noise = whole.waveform()[:, first:last]
            if noise.shape[1] < last - first or not noise.any():
                raise ConfigError(f"noise_profile: no noise from {stretch[0]:g} to {stretch[1]:g} s; choose another")
            materials["noise"] = material_of(noise, whole.sample_rate)
        return materials


def load(model: str, **settings: object) -> Restorer:
    """Returns what a model, a method or several of them restore with, ready to run on arrays and on streams.

    Args:
        model: a model's name, a method without weights, a weights file, or several of them between commas.
        settings: fields of `config.denoise.RestorerSettings`, such as `strength`, `device` or `threads`.

    Raises:
        ConfigError: a setting is unknown or out of range, or the model is "auto", which looks at whole files.
        ModelError: the model is unknown, for another task, or damaged.
    """
    from concertclean.config.reading import validated

    if model == AUTO:
        raise ConfigError("auto looks at whole files and then chooses; name a model, `analyse` proposes one")
    given = validated(RestorerSettings, {"model": model, **settings}, "settings")
    return build_restorer(stages_of(model), given)


def build_restorer(stages: Sequence[str], settings: RestorerSettings, hooks: Hooks = Hooks()) -> Restorer:
    """Returns the stages ready to run; torch or onnxruntime is loaded only if one of them is a network.

    Args:
        stages: from `stages_of`.
        settings: strength, device and the rest; the stages take the place of their model.
        hooks: what the caller is called back for.

    Raises:
        ConfigError: there is no such device, or noise is given that cannot be used.
        ModelError: a model cannot be loaded, or is for another task.
        OfflineError: weights are not here and cannot be fetched.
    """
    if settings.noise_profile is not None:
        require_noise_taker(stages)
    noise = _noise_in_file(settings)  # a mistake in it is reported before weights are fetched for hours
    names = dict.fromkeys(name for name in stages if name not in METHODS)
    networks = tuple(_ready(name, settings, hooks) for name in names)
    restorer = Restorer(tuple(stages), settings, networks, noise, _chain(stages, networks, noise, {}))
    hooks.built(restorer)
    return restorer


def noise_stretch_of(settings: RestorerSettings, recording: Material) -> tuple[float, float] | None:
    """Where a recording holds noise alone, start and end in seconds: as the settings say, or as it is found.

    Args:
        settings: of a restorer.
        recording: to be restored.

    Returns:
        None where the settings do not ask for a stretch, or none is found.
    """
    if settings.noise_stretch is not None:
        return settings.noise_stretch
    if settings.noise_profile != NOISE_FOUND:
        return None
    from concertclean.restore.noise_stretches import find_noise
    from concertclean.weights.loading import load_noise_detector

    detector = load_noise_detector(offline=settings.offline)
    found = find_noise(recording.read(), recording.channels, recording.sample_rate, detector)
    longest = next((one for one in found if not one.is_guess), None)
    if longest is None:
        return None
    return longest.start_seconds, min(longest.end_seconds, longest.start_seconds + _LONGEST_NOISE_SECONDS)


def _chain(
    stages: Sequence[str],
    networks: Sequence[ReadyNetwork],
    noise: Material | None,
    materials: Mapping[Source, Material],
) -> Chain:
    """The stages, after they have learned from the material; noise in it goes before that of a file."""
    from_file: dict[Source, Material] = {} if noise is None else {"noise": noise}
    return chain_of(stages, {one.stage: one.enhancer for one in networks}, {**from_file, **materials})


def _noise_in_file(settings: RestorerSettings) -> Material | None:
    """The noise of the settings, if it is a file."""
    path = settings.noise_file
    if path is None:
        return None
    if not os.path.exists(path):
        raise ConfigError(f"noise_profile {path}: no such file; name one, or START-END such as 0:00-0:01")
    with AudioReader(path) as reader:
        rate = reader.info.sample_rate
        noise = reader.read(round(_LONGEST_NOISE_SECONDS * rate))
    if noise.shape[1] < _SHORTEST_NOISE_SECONDS * rate or not noise.any():
        raise ConfigError(f"noise_profile {path}: holds no noise, or less than {_SHORTEST_NOISE_SECONDS} s of it")
    return material_of(noise, rate)


def _ready(name: str, settings: RestorerSettings, hooks: Hooks) -> ReadyNetwork:
    """A network on its device."""
    from concertclean.restore.engines import engine_of
    from concertclean.restore.inference import Enhancer

    engine, weights, made_for = engine_of(name, settings, hooks.fetching)
    enhancer = Enhancer(
        engine,
        segment_seconds=settings.segment_seconds or made_for or _SEGMENT_SECONDS,
        overlap_ratio=settings.overlap_ratio,
        batch_size=settings.batch_size,
        threads=settings.threads,
        notify=lambda message: hooks.notify(f"W106 {message}"),
    )
    return ReadyNetwork(name, weights, enhancer)
