"""The classifier of scenes: probabilities, the same at any level, whatever the length."""

import pytest
import torch

from concertclean.dsp.scene_images import SCENES
from concertclean.networks.scene_classifier import SceneClassifier


@pytest.fixture(params=[0, 1024], ids=["level", "level and flatness"])
def classifier(request):
    torch.manual_seed(0)
    small = {"n_fft": 512, "hop_length": 256, "n_mels": 16, "widths": (4, 8), "hidden": 8}
    return SceneClassifier(**small, flatness_n_fft=request.param).eval()


@torch.no_grad()
@pytest.mark.parametrize("n_samples", [1, 300, 30_000])
def test_probabilities_add_up_to_one(classifier, n_samples):
    found = classifier(0.1 * torch.randn(3, 1, n_samples))
    assert found.shape == (3, len(SCENES))
    assert found.sum(1) == pytest.approx(torch.ones(3), abs=1e-5)


@torch.no_grad()
def test_the_level_does_not_matter(classifier):
    waveform = 0.1 * torch.randn(1, 1, 30_000)
    assert classifier.logits(waveform) == pytest.approx(classifier.logits(0.01 * waveform), abs=1e-3)


def test_every_parameter_gets_a_gradient(classifier):
    classifier.train()
    classifier.logits(0.1 * torch.randn(4, 1, 30_000)).square().sum().backward()
    assert not [name for name, p in classifier.named_parameters() if p.grad is None or not p.grad.any()]


def test_windows_are_cut_item_by_item(classifier):
    """Ten seconds of two items: two windows of four seconds each, in order; what is shorter than one stays whole."""
    waveform = torch.arange(2 * 441_000.0).reshape(2, 1, 441_000)
    windows = classifier.windows(waveform)
    assert windows.shape == (4, 1, 176_400)
    assert windows[:, 0, 0].tolist() == [0, 176_400, 441_000, 441_000 + 176_400]
    assert torch.equal(classifier.windows(waveform[..., :1000]), waveform[..., :1000])


def test_bands_must_divide():
    with pytest.raises(ValueError, match="n_mels=20"):
        SceneClassifier(n_mels=20)


def test_it_learns_to_tell_a_tone_from_noise():
    torch.manual_seed(0)
    network = SceneClassifier(n_fft=512, hop_length=256, n_mels=16, widths=(4, 8), hidden=8)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    time = torch.arange(8000) / 44_100
    for _ in range(30):
        tones = torch.sin(2 * torch.pi * (200 + 2000 * torch.rand(4, 1, 1)) * time)
        batch = torch.cat([tones, torch.randn(4, 1, 8000)])
        loss = torch.nn.functional.cross_entropy(network.logits(batch), torch.tensor([0] * 4 + [2] * 4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        found = network.eval()(torch.cat([torch.sin(2 * torch.pi * 700 * time)[None, None], torch.randn(1, 1, 8000)]))
    assert found.argmax(1).tolist() == [0, 2]
