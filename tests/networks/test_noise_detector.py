"""The classifier of noise alone: its layers, its labels, and what it must not see."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from concertclean.dsp import stft
from concertclean.dsp.mel import mel_filters
from concertclean.networks.noise_detector import FRAMES, NoiseDetector, SameConv


def test_the_parameters_are_those_of_the_paper_less_one_of_two_answers() -> None:
    count = sum(p.numel() for p in NoiseDetector(n_mels=40).parameters())
    assert count == 1_040 + 20_020 + 5_010 + 25_100 + 202 // 2


@pytest.mark.parametrize("size", [4, 5, 10, 40])
def test_padding_is_that_of_same(size: int) -> None:
    """TensorFlow: ceil(size / 2) outputs, all padding needed for that, the odd sample of it behind."""
    torch.manual_seed(size)
    convolution = SameConv(1, 3)
    images = torch.randn(2, 1, size, size)
    n_out = -(-size // 2)
    needed = (n_out - 1) * 2 + 5 - size
    before, behind = needed // 2, needed - needed // 2
    padded = torch.zeros(2, 1, size + needed, size + needed)
    padded[:, :, before : before + size, before : before + size] = images
    assert (before, behind) == ((2, 2) if size % 2 else (1, 2))
    expected = F.relu(F.conv2d(padded, convolution.weight, convolution.bias, stride=2))
    assert expected.shape[-1] == n_out
    assert torch.allclose(convolution(images), expected, atol=1e-6)


def test_filters_peak_at_one_and_none_is_empty() -> None:
    filters = mel_filters(2048, 44100, 64, 40.0, 16_000.0)
    assert filters.shape == (1025, 64)
    assert (filters.sum(0) > 0).all()
    assert float(filters.max()) <= 1
    centres = filters.argmax(0) * 44100 / 2048
    assert (np.diff(centres) >= 0).all()
    assert abs(float(centres[-1]) - 15_300) < 500  # one band below the upper edge of 16 kHz


@torch.no_grad()
def test_the_level_of_a_recording_does_not_matter() -> None:
    torch.manual_seed(1)
    detector = NoiseDetector().eval()
    waveform = 0.3 * torch.randn(1, 1, 60_000)
    loud, quiet = (detector.noise_probability(waveform * gain) for gain in (1.0, 0.003))
    assert torch.allclose(loud, quiet, atol=1e-4)


@torch.no_grad()
def test_every_fifth_frame_is_judged_as_among_all() -> None:
    torch.manual_seed(2)
    detector = NoiseDetector(n_mels=16).eval()
    spectrogram = stft.spectrogram(torch.randn(2, 1, 50_000), detector.window, detector.hop_length)
    every = detector.noise_logits(spectrogram)
    assert every.shape == (2, spectrogram.shape[-1])
    assert torch.allclose(detector.noise_logits(spectrogram, 5), every[:, ::5], atol=1e-5)


def test_labels_call_music_what_stands_out_of_the_noise_in_some_band() -> None:
    detector = NoiseDetector()
    hop = detector.hop_length
    n_samples = 100 * hop
    time = torch.arange(n_samples) / 44100
    tone = torch.sin(2 * torch.pi * 440 * time)
    torch.manual_seed(3)
    noise = stft.spectrogram(0.1 * torch.randn(1, 1, n_samples), detector.window, hop)

    def labels(music: torch.Tensor) -> torch.Tensor:
        return detector.is_noise_alone(stft.spectrogram(music[None, None], detector.window, hop), noise)[0]

    assert labels(0 * tone).all()
    assert labels(1e-5 * tone).all()  # 80 dB below: nobody hears it
    assert not labels(0.01 * tone).any()  # 17 dB below the noise as a whole, yet its band stands out
    beginning_late = labels(0.1 * tone * (time > 50 * hop / 44100))
    last = int(beginning_late.nonzero().max())
    assert beginning_late[: last + 1].all()
    assert 50 - FRAMES // 2 <= last <= 50 - FRAMES // 2 + 8  # five frames of it may be in the image


def test_a_number_of_bands_that_cannot_be_halved_thrice_is_refused() -> None:
    with pytest.raises(ValueError, match="n_mels=20 is not divisible by 8"):
        NoiseDetector(n_mels=20)
