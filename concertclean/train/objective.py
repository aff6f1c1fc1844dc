"""From a batch to one number: the losses by the names that recipes give them.

Each is a function of the network and a batch: some losses look at spectrograms of every stage, some at waveforms, some
at matrices or at classes, and only the loss knows what it needs of the network it is for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from concertclean.config.training import LossSettings
from concertclean.errors import ConfigError
from concertclean.networks.cae import CAE
from concertclean.networks.layers.valid_waveform import centre
from concertclean.networks.layers.waveform_model import SpectralModel, WaveformModel
from concertclean.networks.noise_detector import NoiseDetector
from concertclean.networks.scene_classifier import SceneClassifier
from concertclean.networks.tunet import TUNet
from concertclean.train import losses

_COMPRESSED_WINDOWS = (512, 1024, 2048, 4096)
_JUDGED_EVERY = 5  # frames; neighbours look at nearly the same image


@dataclass(frozen=True)
class Batch:
    """Items of one step.

    Attributes:
        degraded: `(batch, channel, time)`, full scale ±1.
        clean: same shape; for "scene" indices of scenes, `(batch, 1, 1)`; for a network that separates
            `(batch, stem, channel, time)`.
    """

    degraded: Tensor
    clean: Tensor


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: number of the step, to take resolutions in turn.
        done: part of the run that is over, 0 to 1.
    """

    step: int
    done: float


class Rebuilds(Protocol):
    """A network from magnitudes to magnitudes."""

    def magnitude(self, waveform: Tensor) -> Tensor:
        """Magnitudes `(..., freq, frame)` of waveforms `(..., time)`."""

    def rebuilt(self, magnitude: Tensor) -> Tensor:
        """Maps `(batch, channel, freq, frame)` to `(batch, stem, channel, freq, frame)`, the whole or its centre."""


Result = tuple[Tensor, Tensor | None]
"""A scalar loss, and the estimate `(batch, channel, time)`, of the whole item or of its centre; None where there is no
waveform, or more than one."""

Loss = Callable[[Any, Batch, Progress, LossSettings], Result]


def relative(network: WaveformModel, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Mean over the stages of `losses.relative_error` and `losses.compressed_mae`."""
    estimates = [estimate[:, 0] for estimate in network.estimates(batch.degraded)]
    windows = _windows(_COMPRESSED_WINDOWS, progress, settings)
    with _full_precision(batch):
        parts = []
        for estimate in estimates:
            signals = batch.clean, estimate, batch.degraded
            spectral = [losses.compressed_mae(*signals, n_fft, settings.hole_weight) for n_fft in windows]
            error = losses.relative_error(*signals, settings.caution * progress.done)
            parts.append(error + torch.stack(spectral).mean())
        loss = torch.stack(parts).mean()
    return loss, estimates[-1]


def spectral(network: SpectralModel, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Weighted sum of magnitude, complex and multi-resolution error of the last stage (Zhang, KANUNet-ECA)."""
    (*_, stage), truth, _ = _spectrograms(network, batch)
    estimate = network.waveform(stage, batch.degraded.shape[-1])
    windows = _windows(losses.WINDOWS, progress, settings)
    unit = network.window.sum() if settings.unscaled else 1.0
    with _full_precision(batch):
        loss = (
            settings.alpha * unit * losses.magnitude_mae(truth, stage)
            + settings.beta * unit * losses.complex_mae(truth, stage)
            + settings.gamma * losses.multi_resolution_mae(batch.clean, estimate, windows)
        )
    return loss, estimate


def complex_error(network: SpectralModel, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Mean modulus of the error of the last stage's spectrogram, not divided by the sum of the window (SEANet)."""
    (*_, stage), truth, _ = _spectrograms(network, batch)
    with _full_precision(batch):
        loss = losses.complex_mae(truth, stage) * network.window.sum()
    return loss, network.waveform(stage, batch.degraded.shape[-1])


def si_snr(network: WaveformModel, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Scale-invariant ratio of the last estimate, its sign turned (Hu et al., DCCRN)."""
    estimate = network(batch.degraded)[:, 0]
    with _full_precision(batch):
        loss = -losses.si_snr(batch.clean, estimate)
    return loss, estimate


def two_stage(network: SpectralModel, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Errors of the first and the last stage (Moliner and Välimäki)."""
    (first, *_, last), truth, _ = _spectrograms(network, batch)
    with _full_precision(batch):
        loss = losses.two_stage_mae(truth, first, last)
    return loss, network.waveform(last, batch.degraded.shape[-1])


def magnitude(network: SpectralModel, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Error of magnitudes, for networks of one instrument (Rajesh and Rajan)."""
    (*_, stage), truth, degraded = _spectrograms(network, batch)
    with _full_precision(batch):
        loss = losses.magnitude_mse(truth, stage, degraded)
    return loss, network.waveform(stage, batch.degraded.shape[-1])


def windows(network: CAE, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Error of the magnitudes of all windows as they are rebuilt (Rajesh and Rajan, as published)."""
    degraded, clean = (network.spectrogram(waveform) for waveform in (batch.degraded, batch.clean))
    found = network.rebuilt(network.frames(degraded[:, 0].abs())).float()
    with _full_precision(batch):
        loss = losses.windows_mse(network.windows(network.frames(clean[:, 0].abs())), found)
    return loss, network.waveform(network.stage(degraded, found.detach()), batch.degraded.shape[-1])


def waveform_mse(network: WaveformModel, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Mean square error of the waveforms of all stems (Stoller, Ewert, Dixon)."""
    return _of_waveforms(network, batch, losses.waveform_mse)


def waveform_l1(network: WaveformModel, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Mean absolute error of the waveforms of all stems."""
    return _of_waveforms(network, batch, losses.waveform_mae)


def spectrogram_mse(network: Rebuilds, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Error of magnitudes as the network finds them, not yet a waveform (Li; Stöter and others)."""
    found = network.rebuilt(network.magnitude(batch.degraded))
    truth = network.magnitude(batch.clean if batch.clean.ndim == 4 else batch.clean[:, None])
    truth = centre(centre(truth, found.shape[-1]).mT, found.shape[-2]).mT
    with _full_precision(batch):
        loss = losses.spectrogram_mse(truth, found.float())
    return loss, None


def detection(network: NoiseDetector, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Cross entropy of frames of noise alone and frames with music."""
    degraded, music, noise = (
        network.spectrogram(waveform) for waveform in (batch.degraded, batch.clean, batch.degraded - batch.clean)
    )
    is_noise = network.is_noise_alone(music, noise, _JUDGED_EVERY)
    return losses.detection_bce(is_noise, network.noise_logits(degraded, _JUDGED_EVERY)), None


def scene(network: SceneClassifier, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Cross entropy of scenes, of each window of an item."""
    windows, scenes = network.windows(batch.degraded), batch.clean.flatten().long()
    scenes = scenes.repeat_interleave(len(windows) // len(scenes))
    return losses.scene_cross_entropy(scenes, network.logits(windows)), None


def matrix(network: TUNet, batch: Batch, progress: Progress, settings: LossSettings) -> Result:
    """Error of the mixing matrix; the estimate is what its inverse makes of the microphones."""
    found = network(batch.degraded).float()
    truth = losses.mixing_matrix(batch.clean, batch.degraded)
    return losses.matrix_mse(truth, found), unmixed(found, batch.degraded)


LOSSES: dict[str, Loss] = {
    "relative": relative,
    "spectral": spectral,
    "complex": complex_error,
    "si_snr": si_snr,
    "two_stage": two_stage,
    "magnitude": magnitude,
    "windows": windows,
    "waveform_mse": waveform_mse,
    "waveform_l1": waveform_l1,
    "spectrogram_mse": spectrogram_mse,
    "detection": detection,
    "scene": scene,
    "matrix": matrix,
}
"""Every loss by the name that `loss.name` of a recipe gives."""


_WORKS_ON: dict[str, str] = {
    "spectral": "spectrogram",
    "complex": "spectrogram",
    "two_stage": "spectrogram",
    "magnitude": "spectrogram",
    "spectrogram_mse": "rebuilt",
}
"""What a network must have for a loss."""


class Objective(nn.Module):
    """A network and its loss as one module: degraded and clean in, loss and estimate out.

    One module, because DistributedDataParallel sums the gradients of what its `forward` made.

    Args:
        network: to be trained.
        name: of the loss.
        settings: of the loss.
        more: what is added to the loss of an estimate; None: nothing.

    Raises:
        ConfigError: the loss compares spectrograms, and the network returns waveforms only.
    """

    def __init__(
        self, network: nn.Module, name: str, settings: LossSettings, more: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        super().__init__()
        if not hasattr(network, _WORKS_ON.get(name, "forward")):
            raise ConfigError(f"loss.name={name}: not for this network, which returns no spectrograms; leave it out")
        self.network, self._loss, self._settings, self._more = network, LOSSES[name], settings, more

    def forward(self, degraded: Tensor, clean: Tensor, step: int, done: float) -> Result:
        """Loss, and estimate without gradient, of a batch; see `Batch` and `Progress`."""
        loss, estimate = self._loss(self.network, Batch(degraded, clean), Progress(step, done), self._settings)
        if estimate is None:
            return loss, None
        if self._more is not None:
            loss = loss + self._more(estimate)
        return loss, estimate.detach()


def unmixed(matrix: Tensor, microphones: Tensor) -> Tensor:
    """Stems `(batch, stem, time)` that the inverse of mixing matrices `(batch, microphone, stem)` gives."""
    stems: Tensor = torch.linalg.pinv(matrix.detach()) @ microphones
    return stems


def _spectrograms(network: SpectralModel, batch: Batch) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
    """Spectrograms of all stages, of the truth, and of what went in; complex64 whatever the inner layers had."""
    degraded = network.spectrogram(batch.degraded)
    stages = tuple(stage.to(torch.complex64) for stage in network.stages(degraded))
    return stages, network.spectrogram(batch.clean), degraded


def _of_waveforms(network: WaveformModel, batch: Batch, error: Callable[[Tensor, Tensor], Tensor]) -> Result:
    """An error of waveforms, where the network has the context it needs."""
    estimate = network.inner(batch.degraded)
    truth = batch.clean if batch.clean.ndim == estimate.ndim else batch.clean[:, None]
    with _full_precision(batch):
        loss = error(centre(truth, estimate.shape[-1]), estimate.float())
    return loss, estimate[:, 0] if network.stems == 1 else None


def _windows(windows: tuple[int, ...], progress: Progress, settings: LossSettings) -> tuple[int, ...]:
    """The windows of this step: all, or one in turn."""
    return (windows[progress.step % len(windows)],) if settings.one_resolution else windows


def _full_precision(batch: Batch) -> torch.autocast:
    """Losses in full precision, whatever the inner layers had."""
    return torch.autocast(batch.degraded.device.type, enabled=False)
