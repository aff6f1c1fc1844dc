import pytest
import torch
from torch import nn

from concertclean.config.training import LossSettings
from concertclean.networks import cae
from concertclean.networks.cae import CAE
from concertclean.train.objective import Objective

SMALL = {"n_fft": 64, "hop_length": 16, "widths": (2, 3), "code": 5}


def test_published_size():
    """39 540 137 numbers as Keras counts them: parameters and running statistics; nearly all around the code."""
    with torch.device("meta"):
        model = CAE()
    running = [norm for norm in model.modules() if isinstance(norm, nn.BatchNorm1d)]
    n_running = sum(2 * norm.num_features for norm in running)
    assert sum(p.numel() for p in model.parameters()) + n_running == 39_540_137
    assert model.squeeze.in_features == 3073 * 64
    assert model.rebuilt(torch.zeros(2, 5, 1025, device="meta")).shape == (2, 3, 3075)


def windows(frames):
    """What the network sees: three frames of 33 bins at a time."""
    return frames.flatten(1).unfold(1, 99, 33)


def spectrogram(n_frames):
    return torch.randn(2, 1, 33, n_frames, dtype=torch.complex64)


def test_a_network_that_gives_back_what_it_sees_changes_nothing(monkeypatch):
    """Each frame comes from three windows, in the right places; the published code keeps one in three."""
    model = CAE(**SMALL).eval()
    monkeypatch.setattr(model, "rebuilt", windows)
    degraded = spectrogram(7)
    assert torch.allclose(model.stages(degraded)[0], degraded, atol=1e-6)


def test_the_estimate_is_the_mean_of_three(monkeypatch):
    model = CAE(**SMALL).eval()
    factors = torch.tensor([0.1, 0.2, 0.6]).repeat_interleave(33)
    monkeypatch.setattr(model, "rebuilt", lambda frames: windows(frames) * factors)
    degraded = spectrogram(5)
    assert torch.allclose(model.stages(degraded)[0], 0.3 * degraded, atol=1e-5)


def test_magnitudes_are_never_negative(monkeypatch):
    """Normalisation after the last ReLU gave negative magnitudes, which turn the phase."""
    model = CAE(**SMALL).eval()
    monkeypatch.setattr(model, "rebuilt", lambda frames: -windows(frames))
    assert not model.stages(spectrogram(5))[0].any()


def test_nothing_becomes_louder(monkeypatch):
    """What is rebuilt louder than the microphone heard it would be bleed brought back."""
    model = CAE(**SMALL).eval()
    monkeypatch.setattr(model, "rebuilt", lambda frames: 2 * windows(frames))
    degraded = spectrogram(5)
    assert torch.allclose(model.stages(degraded)[0], degraded, atol=1e-6)


def test_published_mode_takes_one_window_for_each_frame(monkeypatch):
    """The first frame of every window, and all three of the last; too loud and negative magnitudes stay."""
    model = CAE(average=False, clamp=False, **SMALL).eval()
    factors = torch.tensor([-2.0, 3.0, 5.0]).repeat_interleave(33)
    monkeypatch.setattr(model, "rebuilt", lambda frames: windows(frames) * factors)
    degraded = spectrogram(6)
    expected = degraded * torch.tensor([-2.0, -2.0, -2.0, -2.0, 3.0, 5.0])
    assert torch.allclose(model.stages(degraded)[0], expected, atol=1e-5)
    for n_frames in (1, 2):  # fewer than a window
        short = degraded[..., :n_frames]
        assert torch.allclose(model.stages(short)[0], short * factors[::33][:n_frames], atol=1e-5)


def test_published_loss_is_the_square_error_of_the_rebuilt_magnitudes(monkeypatch):
    """Windows rebuilt as zeros have the mean square of the stem's magnitudes, not divided by any power."""
    model = CAE(average=False, clamp=False, **SMALL)
    monkeypatch.setattr(model, "rebuilt", lambda frames: 0 * windows(frames))
    clean, degraded = torch.randn(2, 2, 1, 16 * 5, generator=torch.Generator().manual_seed(0))
    loss, estimate = Objective(model, "windows", LossSettings())(degraded, clean, 0, 0.0)
    magnitudes = 32 * model.spectrogram(clean)[:, 0].abs()  # the window of 64 samples has a sum of 32
    inside = torch.stack([magnitudes[..., k : magnitudes.shape[-1] - 2 + k] for k in range(3)])
    assert float(loss) == pytest.approx(float(inside.square().mean()), rel=1e-5)
    assert estimate.shape == degraded.shape
    assert not estimate.any()


def test_the_same_windows_in_training_and_in_use(monkeypatch):
    """The published test script stacks three windows of three frames, a shape that its own network refuses."""
    seen = []
    model = CAE(**SMALL).eval()
    monkeypatch.setattr(model.squeeze, "forward", lambda heard: seen.append(heard) or torch.zeros(*heard.shape[:2], 5))
    degraded = spectrogram(6)
    magnitude_mse = Objective(model, "magnitude", LossSettings())
    waveform = torch.randn(2, 1, 16 * 5)
    magnitude_mse(waveform, waveform, 0, 0.0)
    model.stages(degraded)
    assert [each.shape for each in seen] == [(2, 6 + 2, 3 * 97)] * 2


def test_a_frame_is_encoded_once_for_all_its_windows():
    model = CAE(**SMALL).eval()
    frames = torch.rand(2, 7, 33)
    alone = [model.rebuilt(window.reshape(2, 3, 33)) for window in windows(frames).unbind(1)]
    assert torch.allclose(model.rebuilt(frames), torch.cat(alone, dim=1), atol=1e-6)


def test_decoding_as_published():
    """Transposed convolutions of two taps are convolutions with the taps turned round."""
    model = CAE(**SMALL).eval()
    inner = torch.randn(4, 3, 97)
    for layer, channels in ((model.decoder[0], (3, 2)), (model.decoder[3], (2, 1))):
        transposed = nn.ConvTranspose1d(*channels, 2)
        with torch.no_grad():
            transposed.weight.copy_(layer.weight.transpose(0, 1).flip(2))
            transposed.bias.copy_(layer.bias)
            assert torch.allclose(layer(inner), transposed(inner), atol=1e-5)
            inner = torch.randn(4, 2, 98)


def test_few_channels_are_convolved_like_many(monkeypatch):
    """One by one in use and in training, as the library does where there are more."""
    model = CAE(**SMALL).double()
    frames = torch.rand(2, 5, 33).double()
    few = model.rebuilt(frames)
    few.square().sum().backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    monkeypatch.setattr(cae, "_FEW", 0)
    many = model.rebuilt(frames)
    assert torch.allclose(few, many)
    many.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter.grad, gradients[name]), name


def test_it_sees_magnitudes(monkeypatch):
    """The published training data were real parts: a complex number cast to a real one."""
    seen = []
    model = CAE(**SMALL).eval()
    monkeypatch.setattr(model, "rebuilt", lambda frames: seen.append(frames) or windows(frames))
    model.stages(1j * torch.ones(1, 1, 33, 4))
    assert float(seen[0].max()) == pytest.approx(32)  # times the sum of the window


def test_normalised_in_use_as_in_training():
    """In place where nothing is to be learned, by the library where it is."""
    model = CAE(**SMALL).train()
    model.rebuilt(torch.rand(4, 9, 33))  # gives the statistics
    model.eval()
    frames = torch.rand(2, 7, 33)
    learning = model.rebuilt(frames)
    with torch.inference_mode():
        assert torch.allclose(model.rebuilt(frames), learning, atol=1e-5)
