"""Losses of a training step: what depends on the number of the step and on the progress of the run."""

import math

import pytest
import torch

from concertclean.config.training import LossSettings
from concertclean.dsp import stft
from concertclean.networks.layers.valid_waveform import ValidModel
from concertclean.networks.layers.waveform_model import SpectralModel
from concertclean.networks.scene_classifier import SceneClassifier
from concertclean.train import losses
from concertclean.train.objective import Objective


class Louder(SpectralModel):
    """A network that multiplies by 1.1, so the error is a tenth of the truth."""

    stems = 1

    def __init__(self):
        super().__init__()
        self.hop_length = 64
        self.register_buffer("window", stft.window("hann", 256))

    def stages(self, degraded):
        return (1.1 * degraded,)


@pytest.fixture
def clean():
    return 0.1 * torch.randn(2, 1, 6000, generator=torch.Generator().manual_seed(0))


def loss_of(clean, name, *, step=0, done=0.0, **settings):
    loss, _ = Objective(Louder(), name, LossSettings(**settings))(clean, clean, step, done)
    return float(loss)


@pytest.mark.parametrize("done", [0.0, 0.25, 1.0])
def test_caution_grows_from_zero_with_the_run(clean, done):
    """The error in dB is 10 log(0.1² + 0.001); its weight at the end of the run is the caution.

    Float32 rounds losses of about 5 to 5e-7 each.
    """
    error_db = 10 * math.log10(0.011)
    added = loss_of(clean, "relative", done=done, caution=0.5) - loss_of(clean, "relative", done=done, caution=0.0)
    assert added == pytest.approx(0.5 * done * error_db, abs=5e-6)


@pytest.mark.parametrize("step", range(9))
def test_one_resolution_takes_the_windows_in_turn(clean, step):
    """Each step has the loss of one window alone; after the last comes the first.

    The STFT of the network and its inverse round the estimate to 1e-7 of full scale.
    """
    estimate = 1.1 * clean
    window = (512, 1024, 2048, 4096)[step % 4]
    expected = math.sqrt(0.011) + float(losses.compressed_mae(clean, estimate, clean, window))
    assert loss_of(clean, "relative", step=step, one_resolution=True) == pytest.approx(expected, rel=1e-5)

    window = (4096, 2048, 1024, 512, 256)[step % 5]
    expected = float(losses.multi_resolution_mae(clean, estimate, [window]))
    found = loss_of(clean, "spectral", step=step, one_resolution=True, alpha=0.0, beta=0.0)
    assert found == pytest.approx(expected, rel=1e-5)


def test_without_one_resolution_a_step_takes_all_windows(clean):
    """The relative loss is a mean over windows. The spectral loss is a sum, but counts the waveform once."""
    turns = [loss_of(clean, "relative", step=step, one_resolution=True) for step in range(4)]
    assert loss_of(clean, "relative", step=1) == pytest.approx(sum(turns) / 4, rel=1e-5)
    only = {"alpha": 0.0, "beta": 0.0}
    turns = [loss_of(clean, "spectral", step=step, one_resolution=True, **only) for step in range(5)]
    waveform = float((0.1 * clean).abs().mean())
    assert loss_of(clean, "spectral", step=1, **only) == pytest.approx(sum(turns) - 4 * waveform, rel=1e-5)


class Delay(ValidModel):
    """A network of two stems that needs ten samples on either side; the input, and half of it."""

    stems, channels, shortest, margin, alignment = 2, 1, 24, 10, 4

    def valid(self, waveform):
        inner = waveform[..., 10:-10]
        return torch.stack([inner, 0.5 * inner], dim=1)


@pytest.mark.parametrize(("name", "power"), [("waveform_mse", 2), ("waveform_l1", 1)])
def test_waveforms_are_compared_at_the_centre(clean, name, power):
    """The item's length is not a possible one: 6,002 samples; 6,000 go in, 5,980 come out, the target is cut alike."""
    mixture = torch.nn.functional.pad(clean, (1, 1))
    stems = torch.stack([mixture, mixture], dim=1)
    stems[..., :11] = stems[..., -11:] = 100.0
    loss, estimate = Objective(Delay(), name, LossSettings())(mixture, stems, 0, 0.0)
    assert float(loss) == pytest.approx(float((0.5 * clean[..., 10:-10]).abs().pow(power).mean()) / 2, rel=1e-5)
    assert estimate is None


def test_a_whole_waveform_where_nothing_is_missing(clean):
    loss, estimate = Objective(Louder(), "waveform_l1", LossSettings())(clean, clean, 0, 0.0)
    assert float(loss) == pytest.approx(float((0.1 * clean).abs().mean()), rel=1e-4)
    assert torch.allclose(estimate, 1.1 * clean, atol=1e-5)


class Loudness(SceneClassifier):
    """Finds the first scene the likelier the louder a window is."""

    def logits(self, waveform):
        level = 10 * waveform.square().mean((1, 2))
        return torch.stack([level, *[torch.zeros_like(level)] * 3], dim=1)


def test_scenes_are_judged_window_by_window():
    """Two windows of four seconds, one of them loud; half a window at the end is left out."""
    network = Loudness(sample_rate=1000, n_fft=64, hop_length=32, n_mels=16, widths=(4,), hidden=4)
    item = torch.cat([torch.zeros(1, 1, 4000), torch.ones(1, 1, 4000), 100 * torch.ones(1, 1, 2000)], dim=2)
    classes = torch.zeros(1, 1, 1)
    loss, _ = Objective(network, "scene", LossSettings())(item, classes, 0, 0.0)
    expected = losses.scene_cross_entropy(torch.zeros(2).long(), torch.tensor([[0.0] * 4, [10.0, 0, 0, 0]]))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
