"""Methods that turn a degraded waveform into an estimate: models, common tools, and two yardsticks.

Every method receives the degraded waveform at the rate of the recording and returns as many samples, aligned. A filter
with a delay is moved back by it; the delay is measured once with noise.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from concertclean.config.denoise import RestorerSettings
from concertclean.config.reading import validated
from concertclean.dsp.arrays import Array
from concertclean.errors import ConfigError
from concertclean.metrics.parts import projected
from concertclean.restore.build import Restorer, build_restorer
from concertclean.restore.chain import stages_of
from concertclean.weights.onnx_file import SUFFIX

if TYPE_CHECKING:
    from concertclean.networks.layers.waveform_model import WaveformModel

Method = Callable[[Array, int], Array]

_LONGEST_DELAY = 8192

# FFmpeg's filters with the usual settings for music under noise.
FILTERS = {
    "afftdn": "nr=20:nf=-30:tn=1",
    "afwtdn": "percent=85:sigma=0.02",
    "anlmdn": "s=0.001",
    "adeclick": "",
}
NOISEREDUCE = {"noisereduce": True, "noisereduce-nonstationary": False}


@dataclass(frozen=True)
class Model:
    """A restorer as a `Method`.

    Attributes:
        restorer: with the default settings of `concertclean denoise`.
    """

    restorer: Restorer

    @cached_property
    def network(self) -> "WaveformModel | None":
        """The network, if the restorer is a single network with accessible gains; else None."""
        networks = self.restorer.networks
        if not len(self.restorer.stages) == len(networks) == 1:
            return None
        from concertclean.networks.layers.band_gains import hold_gains
        from concertclean.restore.torch_engine import TorchEngine
        from concertclean.weights.loading import load_model

        engine, path = networks[0].enhancer.engine, networks[0].weights.path
        if isinstance(engine, TorchEngine):
            return engine.model
        if path.suffix == SUFFIX:
            return None
        model = load_model(path).model  # of the weights that another program runs
        hold_gains(model, self.restorer.settings.network_floor)
        return model

    def __call__(self, degraded: Array, sample_rate: int) -> Array:
        """Restores a waveform that fits in memory."""
        return self.restorer(degraded, sample_rate)[0]


UNPROCESSED = "unprocessed"
ONE_GAIN = "one gain for all"  # the best one, which requires the clean recording
IDEAL_GAINS = "ideal gains"  # of every bin, which require it too


def baseline_names() -> tuple[str, ...]:
    """Every known tool, installed or not."""
    return (*FILTERS, *NOISEREDUCE)


def is_installed(name: str) -> bool:
    """Whether a known tool is installed; FFmpeg's filters come with PyAV if its FFmpeg was built with them."""
    if name in FILTERS:
        from av.filter import filters_available

        return name in filters_available
    return find_spec("noisereduce") is not None


def baseline(name: str) -> Method:
    """A common tool.

    Raises:
        ConfigError: the name is unknown, or the tool is not installed.
    """
    if name not in baseline_names():
        raise ConfigError(f"{name}: unknown baseline; choose from {', '.join(baseline_names())}")
    if not is_installed(name):
        package = "noisereduce" if name in NOISEREDUCE else "av, built with all filters"
        raise ConfigError(f"{name}: not installed; pip install {package}")
    return partial(_filtered, name) if name in FILTERS else partial(_noisereduced, NOISEREDUCE[name])


def model(
    name: str,
    *,
    device: str = "auto",
    threads: int = 0,
    offline: bool = False,
    max_reduction_db: float | None = None,
) -> Model:
    """A model, a method without weights or a chain, run as by `concertclean denoise`.

    Args:
        name: a model, a method without weights, a weights file, or several of them between commas.
        device: as for `choose_device`.
        threads: CPU cores; 0: all.
        offline: never use the network.
        max_reduction_db: see `RestorerSettings`; None: its default.

    Raises:
        ConfigError: the device does not exist.
        ModelError: the model cannot be loaded.
    """
    values = {"model": name, "device": device, "threads": threads, "offline": offline}
    if max_reduction_db is not None:
        values["max_reduction_db"] = max_reduction_db
    settings = validated(RestorerSettings, values, "options")
    return Model(build_restorer(stages_of(name), settings))


def parts(method: Method | None, estimate: Array, clean: Array, noise: Array, sample_rate: int) -> tuple[Array, Array]:
    """What a method left of the music and of the noise: from its gains if they are accessible, else by projection.

    Args:
        method: that made the estimate; None for a yardstick.
        estimate: `(channel, time)`.
        clean: same shape.
        noise: same shape, the degraded minus the clean waveform.
        sample_rate: Hz.
    """
    network = method.network if isinstance(method, Model) else None
    if network is None or network.sample_rate != sample_rate or network.channels != len(clean):
        return projected(estimate, clean, noise)
    import torch

    from concertclean.networks.gain_parts import has_gains, split

    if not has_gains(network):
        return projected(estimate, clean, noise)
    device = next(network.parameters()).device
    waveforms = (torch.from_numpy(each.astype(np.float32))[None].to(device) for each in (clean, noise))
    music, rest = (part[0].double().cpu().numpy() for part in split(network, *waveforms))
    return music, rest


def short_name(model: str) -> str:
    """Name of a model in a table: that of its card or file; for a chain, those of its stages."""
    parts = [model] if os.path.isfile(model) else model.split(",")
    return ",".join(Path(part).stem if part.endswith(".safetensors") else part for part in parts)


def best_gain(degraded: Array, clean: Array) -> Array:
    """The degraded waveform at the single gain with the highest SNR: the most that attenuation alone can reach."""
    energy = float(np.square(degraded).sum())
    return degraded * (float((degraded * clean).sum()) / energy if energy else 1.0)


def ideal_gains(
    degraded: Array, clean: Array, n_fft: int = 4096, hop_length: int = 1024, first_bins: NDArray[np.intp] | None = None
) -> Array:
    """The degraded waveform under the gains `clean / (clean + noise)` of the powers: about the most that gains reach.

    Args:
        degraded: `(channel, time)`.
        clean: same shape.
        n_fft: samples of a frame.
        hop_length: samples between frames.
        first_bins: the first bin of every group of bins that share a gain; None: every bin has its own.
    """
    import torch

    from concertclean.dsp import stft

    window = stft.window("hann", n_fft).double()
    mixture, target = (
        stft.spectrogram(torch.from_numpy(one.astype(np.float64)), window, hop_length).numpy()
        for one in (degraded, clean)
    )
    starts = np.arange(n_fft // 2 + 1) if first_bins is None else first_bins
    wanted, noise = (np.add.reduceat(np.abs(one) ** 2, starts, axis=1) for one in (target, mixture - target))
    gains = np.repeat(wanted / (wanted + noise + 1e-20), np.diff(starts, append=n_fft // 2 + 1), axis=1)
    estimate: Array = stft.waveform(torch.from_numpy(gains * mixture), window, hop_length, degraded.shape[1]).numpy()
    return estimate


def _noisereduced(stationary: bool, degraded: Array, sample_rate: int) -> Array:
    import noisereduce

    return np.asarray(noisereduce.reduce_noise(degraded, sample_rate, stationary=stationary), np.float64)


def _filtered(name: str, degraded: Array, sample_rate: int) -> Array:
    """A filter of FFmpeg, moved back by its delay."""
    delay = _delay_of(name, len(degraded), sample_rate)
    return _fitted(_through(name, degraded, sample_rate)[:, delay:], degraded.shape[1])


@lru_cache
def _delay_of(name: str, channels: int, sample_rate: int) -> int:
    """Delay of a filter of FFmpeg, samples."""
    probe = 0.1 * np.random.default_rng(0).standard_normal((channels, 4 * _LONGEST_DELAY))
    return _delay(probe, _through(name, probe, sample_rate))


def _through(name: str, degraded: Array, sample_rate: int) -> Array:
    """The output of a filter of FFmpeg, through PyAV."""
    import av
    from av.filter import Graph

    layout = "stereo" if len(degraded) == 2 else "mono"
    graph = Graph()
    nodes = [graph.add_abuffer(sample_rate=sample_rate, format="fltp", layout=layout)]
    nodes += [graph.add(name, FILTERS[name]), graph.add("aformat", f"sample_fmts=fltp:channel_layouts={layout}")]
    nodes.append(graph.add("abuffersink"))
    for first, second in pairwise(nodes):
        first.link_to(second)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(degraded, np.float32), "fltp", layout)
    frame.sample_rate, frame.pts = sample_rate, 0
    nodes[0].push(frame)
    nodes[0].push(None)
    parts = [np.zeros((len(degraded), 0))]
    while True:
        try:
            parts.append(nodes[-1].pull().to_ndarray().astype(np.float64))  # type: ignore[attr-defined]
        except (av.EOFError, av.BlockingIOError):
            return np.concatenate(parts, axis=1)


def _delay(probe: Array, heard: Array) -> int:
    """Delay of a filter's output, samples."""
    size = 1 << (probe.shape[1] + heard.shape[1]).bit_length()
    spectrum = np.fft.rfft(heard[0], size) * np.fft.rfft(probe[0], size).conj()
    return int(np.argmax(np.fft.irfft(spectrum)[:_LONGEST_DELAY]))


def _fitted(waveform: Array, n_samples: int) -> Array:
    """Exactly `n_samples`: cut, or padded with silence at the end."""
    return np.pad(waveform[:, :n_samples], ((0, 0), (0, max(0, n_samples - waveform.shape[1]))))
