"""From a batch to one loss: the network's stages, and the loss of the settings on them."""

from typing import Protocol, cast

import torch
from torch import Tensor, nn

from concertclean.config.training import LossSettings
from concertclean.dsp import stft
from concertclean.networks.noise_detector import NoiseDetector
from concertclean.networks.scene_classifier import SceneClassifier
from concertclean.train import losses

_COMPRESSED_WINDOWS = (512, 1024, 2048, 4096)
_JUDGED_EVERY = 5  # frames; neighbours look at nearly the same image


class SpectrogramNetwork(Protocol):
    """What a network has to be, to be trained.

    Attributes:
        window: of its STFT.
        hop_length: of its STFT, samples.
    """

    window: Tensor
    hop_length: int

    def stages(self, degraded: Tensor) -> tuple[Tensor, ...]:
        """Estimates `(batch, channel, freq, frame)` of all stages, the result last."""


class MatrixNetwork(Protocol):
    """What a network of mixing matrices has to be, to be trained."""

    def __call__(self, waveform: Tensor) -> Tensor:
        """Matrices `(batch, microphone, stem)` of waveforms `(batch, microphone, time)`."""


class Objective(nn.Module):
    """A network and its loss as one module: degraded and clean in, loss and result out.

    One module, because DistributedDataParallel sums the gradients of what its `forward` made.

    Args:
        network: to be trained.
        settings: of the loss.
    """

    def __init__(self, network: nn.Module, settings: LossSettings) -> None:
        super().__init__()
        self.network, self._settings = network, settings

    def forward(self, degraded: Tensor, clean: Tensor, step: int, done: float) -> tuple[Tensor, Tensor | None]:
        """Loss and estimate of a batch.

        Args:
            degraded: `(batch, channel, time)`.
            clean: same shape; for "scene" indices of scenes, `(batch, 1, 1)`.
            step: which step this is, to take resolutions in turn.
            done: part of the run that is over, 0 to 1.

        Returns:
            Scalar loss, and the result `(batch, channel, time)` without gradient, None where there is no waveform.
        """
        if self._settings.name == "detection":
            return self._detection(degraded, clean), degraded
        if self._settings.name == "scene":
            logits = cast(SceneClassifier, self.network).logits(degraded)
            return losses.scene_cross_entropy(clean.flatten().long(), logits), None
        if self._settings.name == "matrix":
            return _matrix_error(cast(MatrixNetwork, self.network), degraded, clean)
        network = cast(SpectrogramNetwork, self.network)
        spectrogram = stft.spectrogram(degraded, network.window, network.hop_length)
        stages = network.stages(spectrogram)
        # Losses in full precision, whatever the inner layers had.
        with torch.autocast(degraded.device.type, enabled=False):
            stages = tuple(stage.to(torch.complex64) for stage in stages)
            # Earlier stages become waveforms only where their waveforms are judged.
            is_relative = self._settings.name == "relative"
            estimates = [
                stft.waveform(stage, network.window, network.hop_length, degraded.shape[-1])
                for stage in (stages if is_relative else stages[-1:])
            ]
            if is_relative:
                parts = [self._relative(clean, estimate, degraded, step, done) for estimate in estimates]
                loss = torch.stack(parts).mean()
            else:
                truth = stft.spectrogram(clean, network.window, network.hop_length)
                if self._settings.name == "two_stage":
                    loss = losses.two_stage_mae(truth, stages[0], stages[-1])
                elif self._settings.name == "magnitude":
                    loss = losses.magnitude_mse(truth, stages[-1], spectrogram)
                else:
                    loss = self._spectral(truth, stages[-1], clean, estimates[-1], step)
        return loss, estimates[-1].detach()

    def _detection(self, degraded: Tensor, clean: Tensor) -> Tensor:
        """Loss of a network that tells noise from music."""
        network = cast(NoiseDetector, self.network)
        heard, music, noise = (
            stft.spectrogram(waveform, network.window, network.hop_length)
            for waveform in (degraded, clean, degraded - clean)
        )
        wanted = network.is_noise_alone(music, noise, _JUDGED_EVERY)
        return losses.detection_bce(wanted, network.noise_logits(heard, _JUDGED_EVERY))

    def _relative(self, clean: Tensor, estimate: Tensor, degraded: Tensor, step: int, done: float) -> Tensor:
        s = self._settings
        windows = self._windows(_COMPRESSED_WINDOWS, step)
        spectral = [losses.compressed_mae(clean, estimate, degraded, n_fft, s.hole_weight) for n_fft in windows]
        return losses.relative_error(clean, estimate, degraded, s.caution * done) + torch.stack(spectral).mean()

    def _spectral(self, truth: Tensor, stage: Tensor, clean: Tensor, estimate: Tensor, step: int) -> Tensor:
        s = self._settings
        windows = self._windows(losses.WINDOWS, step)
        return (
            s.alpha * losses.magnitude_mae(truth, stage)
            + s.beta * losses.complex_mae(truth, stage)
            + s.gamma * losses.multi_resolution_mae(clean, estimate, windows)
        )

    def _windows(self, windows: tuple[int, ...], step: int) -> tuple[int, ...]:
        return (windows[step % len(windows)],) if self._settings.one_resolution else windows


def unmixed(network: MatrixNetwork, heard: Tensor) -> tuple[Tensor, Tensor]:
    """Mixing matrices `(batch, microphone, stem)`, and the stems `(batch, stem, time)` that their inverse gives."""
    matrix = network(heard).float()
    return matrix, torch.linalg.pinv(matrix.detach()) @ heard


def _matrix_error(network: MatrixNetwork, heard: Tensor, stems: Tensor) -> tuple[Tensor, Tensor]:
    """Error of the mixing matrix, and the stems."""
    matrix, estimate = unmixed(network, heard)
    return losses.matrix_mse(losses.mixing_matrix(stems, heard), matrix), estimate
