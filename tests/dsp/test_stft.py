"""The STFT convention: inverse, scale, and frames that do not depend on where a segment starts."""

import pytest
import torch

from concertclean.dsp import stft


@pytest.mark.parametrize("name", ["hann", "hamming"])
@pytest.mark.parametrize("n_samples", [1, 100, 1024, 5000])
def test_inverse_gives_the_waveform_back(name: str, n_samples: int) -> None:
    window = stft.window(name, 512)  # type: ignore[arg-type]
    waveform = torch.randn(2, 2, n_samples)
    back = stft.waveform(stft.spectrogram(waveform, window, 128), window, 128, n_samples)
    assert torch.allclose(back, waveform, atol=1e-5)


@pytest.mark.parametrize("name", ["hann", "hamming"])
def test_full_scale_sine_has_magnitude_one_half(name: str) -> None:
    window = stft.window(name, 512)  # type: ignore[arg-type]
    sine = torch.sin(2 * torch.pi * 32 / 512 * torch.arange(4096))
    assert float(stft.spectrogram(sine, window, 128)[32, 16].abs()) == pytest.approx(0.5, abs=1e-4)


def test_frames_of_a_later_start_are_those_of_the_whole() -> None:
    window = stft.window("hann", 256)
    waveform = torch.randn(4096)
    whole = stft.spectrogram(waveform, window, 64)
    later = stft.spectrogram(waveform[640:], window, 64)
    assert torch.allclose(later[:, 2:40], whole[:, 12:50], atol=1e-6)


@pytest.mark.parametrize("n_frames", [1, 127, 128, 129, 300])
def test_pieces_give_the_same_as_the_whole(n_frames: int) -> None:
    """Without gradients a few frames are transformed at a time; whether there are any must not be audible."""
    window = stft.window("hann", 64)
    waveform = torch.randn(2, 2, 16 * (n_frames - 1) + 1)
    whole = stft.spectrogram(waveform, window, 16)
    back = stft.waveform(whole, window, 16, waveform.shape[-1])
    with torch.inference_mode():
        pieces = stft.spectrogram(waveform, window, 16)
        assert torch.allclose(pieces, whole, atol=1e-7)
        assert torch.allclose(stft.waveform(pieces, window, 16, waveform.shape[-1]), back, atol=1e-6)


def test_unknown_window_is_refused() -> None:
    with pytest.raises(ValueError, match="hamming"):
        stft.window("kaiser", 64)  # type: ignore[arg-type]


@pytest.mark.parametrize("hop_length", [128, 100, 256])
def test_inverse_is_that_of_the_library(hop_length: int) -> None:
    """For spectrograms that are of no waveform, as networks give them, and hops that do not divide the window."""
    window = stft.window("hann", 512)
    spectrogram = torch.randn(2, 257, 20, dtype=torch.complex64)
    found = stft.waveform(spectrogram, window, hop_length, 19 * hop_length)
    expected = torch.istft(spectrogram * window.sum(), 512, hop_length, window=window, length=19 * hop_length)
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()))
