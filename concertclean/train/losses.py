"""What training makes small, each a function of estimates and truth.

*Conventions*: spectrograms are complex `(batch, channel, freq, frame)` in the scale of `dsp.stft` (a full-scale sine is
0.5); waveforms `(batch, channel, time)`, full scale ±1; every loss is a scalar, a mean over all it is given.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from concertclean.networks.layers.valid_waveform import centre

WINDOWS = (4096, 2048, 1024, 512, 256)
HOP = 147  # samples; 3.3 ms at 44.1 kHz
_FLOOR = 1e-10
_EXPONENT = 0.3
_SILENT_POWER = 1e-12
_SI_SNR_EPSILON = 1e-8
_SMOOTHING = 0.02  # of scenes: items under a crowd that is inaudible are among them
_LOAD = 1e-9  # of the power of a stem, against stems that are silent or equal


def magnitude_mae(reference: Tensor, estimate: Tensor) -> Tensor:
    """Mean absolute error of the magnitude, `mean | |Ŝ| - |S| |`.

    References:
        Zhang, KANUNet-ECA, the term weighted by alpha.
    """
    return (estimate.abs() - reference.abs()).abs().mean()


def complex_mae(reference: Tensor, estimate: Tensor) -> Tensor:
    """Mean modulus of the complex error, `mean |Ŝ - S|`.

    References:
        Zhang, KANUNet-ECA, the term weighted by beta; that the modulus is meant is our reading.
    """
    return (estimate - reference).abs().mean()


def multi_resolution_mae(
    reference: Tensor, estimate: Tensor, windows: Sequence[int] = WINDOWS, hop_length: int = HOP
) -> Tensor:
    """Waveform error and complex spectral errors, `mean |x̂ - x| + Σ_s mean |Ŷ_s - Y_s|`.

    Args:
        reference: waveform.
        estimate: waveform.
        windows: lengths of the Hann windows, samples; one spectrogram each, not scaled.
        hop_length: samples.

    References:
        Zhang, KANUNet-ECA, the term weighted by gamma: windows 4096 to 256, hop 147, summed over the windows.
    """
    total = (estimate - reference).abs().mean()
    for n_fft in windows:
        total = total + _spectrum(estimate - reference, n_fft, hop_length).abs().mean()
    return total


def two_stage_mae(reference: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Mean absolute error of real and imaginary parts of both stages, `mean|Ŷ₁ - Y| + mean|Ŷ₂ - Y|`.

    References:
        Moliner and Välimäki, ICASSP 2022, equation of the training loss; real and imaginary parts count apart, as in
        the authors' code.
    """
    return sum((torch.view_as_real(stage) - torch.view_as_real(reference)).abs().mean() for stage in (first, second))  # type: ignore[return-value]


def waveform_mse(reference: Tensor, estimate: Tensor) -> Tensor:
    """Mean square error of waveforms, `mean (ŷ - y)²`, over samples, channels and stems.

    References:
        Stoller, Ewert, Dixon: Wave-U-Net, ISMIR 2018, section 4.
    """
    return (estimate - reference).square().mean()


def waveform_mae(reference: Tensor, estimate: Tensor) -> Tensor:
    """Mean absolute error of waveforms, `mean |ŷ - y|`, over samples, channels and stems.

    References:
        github.com/f90/Wave-U-Net-Pytorch, which trains with it unless another is chosen.
    """
    return (estimate - reference).abs().mean()


def spectrogram_mse(reference: Tensor, estimate: Tensor) -> Tensor:
    """Mean square error of magnitudes, a mean for each stem and their sum: `Σ_stem mean (|Ŝ| - |S|)²`.

    Args:
        reference: |S|, `(batch, stem, channel, freq, frame)`.
        estimate: |Ŝ|, same shape; may be negative.

    References:
        Yazhou Li, denoising autoencoder. Stöter, Uhlich, Liutkus, Mitsufuji: Open-Unmix, Journal of Open Source
        Software 4(41), 2019, which trains a network for each stem: their sum is the same for all of them at once.
    """
    return (estimate - reference).square().mean(dim=(0, 2, 3, 4)).sum()


def error_db(reference: Tensor, estimate: Tensor, degraded: Tensor) -> Tensor:
    """Power of the error in dB of the power of the truth, of the degraded where the truth is silent, at least -30 dB.

    Args:
        reference: clean waveform.
        estimate: what came out.
        degraded: what went in.

    Returns:
        `(batch,)`.

    References:
        own.
    """
    power = reference.square().mean((-1, -2))
    unit = torch.where(power > 1e-9, power, degraded.square().mean((-1, -2)))
    return 10 * torch.log10((estimate - reference).square().mean((-1, -2)) / (unit + _FLOOR) + 1e-3)


def gain_db(reference: Tensor, estimate: Tensor, degraded: Tensor) -> Tensor:
    """How far the error of the estimate lies below that of the degraded, `(batch,)`; see `error_db`.

    The estimate may be that of the centre alone.
    """
    reference, degraded = (centre(each, estimate.shape[-1]) for each in (reference, degraded))
    return error_db(reference, degraded, degraded) - error_db(reference, estimate, degraded)


def relative_error(reference: Tensor, estimate: Tensor, degraded: Tensor, caution: float) -> Tensor:
    """Relative rms error plus its level in dB, `mean (10^(e/20) + caution · e)` with e of `error_db`.

    The level in dB gives clean items, whose error is small, most of the gradient: early in a run it holds the network
    where it leaves everything alone, late it teaches to leave clean music alone.

    References:
        own.
    """
    error = error_db(reference, estimate, degraded)
    return (10 ** (error / 20) + caution * error).mean()


def compressed_mae(
    reference: Tensor, estimate: Tensor, degraded: Tensor, n_fft: int, hole_weight: float = 1.0
) -> Tensor:
    """Error of spectra whose magnitudes are raised to 0.3, so that quiet highs count too.

    `mean | |Ŝ|^0.3 - |S|^0.3 | + ½ mean |Ŝ^0.3 - S^0.3|` (real and imaginary parts apart), with both waveforms
    divided by the rms of the degraded.

    Args:
        reference: clean waveform.
        estimate: what came out.
        degraded: what went in.
        n_fft: samples of the Hann window; the hop is a quarter.
        hole_weight: how many times as much a magnitude below the truth counts as one above it. A hole in the music is
            heard sooner than noise that is left; the mean of both weights stays one.

    References:
        own; the compression is common in speech enhancement, for example Braun and Tashev 2021, section 3. The
        asymmetry follows Wilson et al., Exploring tradeoffs in models for low-latency speech enhancement, IWAENC 2018.
    """
    unit = degraded.square().mean((-1, -2), keepdim=True).sqrt() + 1e-6
    spectra = (_spectrum(waveform / unit, n_fft, n_fft // 4) / n_fft**0.5 for waveform in (reference, estimate))
    (m1, c1), (m2, c2) = (_compressed(spectrum) for spectrum in spectra)
    below, above = (m1 - m2).clamp_min(0).mean(), (m2 - m1).clamp_min(0).mean()
    magnitude = 2 * (hole_weight * below + above) / (hole_weight + 1)
    return magnitude + 0.5 * torch.view_as_real(c1 - c2).abs().mean()


def si_snr(reference: Tensor, estimate: Tensor) -> Tensor:
    """Mean scale-invariant ratio of a waveform to its error in dB, without removal of the mean, to be made large.

    Args:
        reference: clean waveform.
        estimate: what came out, at any level.

    References:
        Hu et al., DCCRN, Interspeech 2020, section 2.5; as in the authors' code, which adds 1e-8 to every power and to
        the ratio.
    """
    power = reference.square().sum(-1, keepdim=True)
    found = (estimate * reference).sum(-1, keepdim=True) / (power + _SI_SNR_EPSILON) * reference
    error = (estimate - found).square().sum(-1)
    return (10 * torch.log10(found.square().sum(-1) / (error + _SI_SNR_EPSILON) + _SI_SNR_EPSILON)).mean()


def detection_bce(is_noise: Tensor, logits: Tensor) -> Tensor:
    """Cross entropy of noise and music, `-mean (y ln σ(z) + (1 - y) ln (1 - σ(z)))`.

    Args:
        is_noise: y, 1 where there is nothing but noise, else 0.
        logits: z, same shape.

    References:
        Sehgal, Kehtarnavaz: A convolutional neural network smartphone app for real-time voice activity detection,
        IEEE Access 2018, section II.
    """
    return F.binary_cross_entropy_with_logits(logits, is_noise)


def scene_cross_entropy(scene: Tensor, logits: Tensor) -> Tensor:
    """Cross entropy of scenes, `-mean ln softmax(z)_y`.

    Args:
        scene: y, index of the scene, `(batch,)`.
        logits: z, `(batch, scene)`.
    """
    return F.cross_entropy(logits, scene, label_smoothing=_SMOOTHING)


def mixing_matrix(stems: Tensor, microphones: Tensor) -> Tensor:
    """The matrix that stems were mixed with, by least squares, `Λ = X Sᵀ (S Sᵀ)⁻¹`.

    Exact where microphones pick up gains alone, as in training.

    Args:
        stems: S `(batch, stem, time)`.
        microphones: X `(batch, microphone, time)`.

    Returns:
        Λ `(batch, microphone, stem)`.

    References:
        own; the published training keeps the matrix that it drew, which is the same.
    """
    power = stems @ stems.mT
    unit = torch.eye(power.shape[-1], device=power.device)
    load = _LOAD * power.diagonal(dim1=1, dim2=2).mean(dim=1)[:, None, None] * unit
    truth: Tensor = torch.linalg.solve(power + load, stems @ microphones.mT).mT
    return truth


def matrix_mse(reference: Tensor, estimate: Tensor) -> Tensor:
    """Mean square error of mixing matrices, `mean (Λ̂ - Λ)²`.

    References:
        Rajesh, Rajan: Neural networks for interference reduction in multi-track recordings, WASPAA 2023, section 5.1.
    """
    return (estimate - reference).square().mean()


def magnitude_mse(reference: Tensor, estimate: Tensor, degraded: Tensor) -> Tensor:
    """Mean square error of magnitudes, half of it over the power of the stem, half frequency by frequency.

    `mean (|Ŝ| - |S|)² / mean |S|²`, and at each frequency over the power of the recording there, mean of frequencies.
    The first half weighs little but the bass; elsewhere a network would leave holes or bleed.

    Args:
        reference: S, spectrogram of the stem, `(batch, channel, freq, frame)`.
        estimate: Ŝ, same shape.
        degraded: of the recording, same shape.

    References:
        Rajesh, Rajan, WASPAA 2023, section 3.1; own: the second half, and to divide by powers, so that the level of a
        batch does not decide how much it teaches.
    """
    truth = reference.abs()
    error = (estimate.abs() - truth).square()
    whole = error.mean() / truth.square().mean().clamp_min(_SILENT_POWER)
    power = degraded.abs().square().mean(dim=(0, 1, 3))
    return (whole + (error.mean(dim=(0, 1, 3)) / power.clamp_min(_SILENT_POWER)).mean()) / 2


def windows_mse(reference: Tensor, estimate: Tensor) -> Tensor:
    """Mean square error of rebuilt magnitudes, `mean (Ŝ - |S|)²`; estimates may be negative.

    Args:
        reference: windows of the stem, `(batch, window, 3 · freq)`, magnitudes not scaled.
        estimate: the rebuilt ones, same shape.

    References:
        Rajesh, Rajan, WASPAA 2023, section 3.1.
    """
    return (estimate - reference).square().mean()


def _compressed(spectrum: Tensor) -> tuple[Tensor, Tensor]:
    """Magnitude to the power 0.3, and the spectrum with it."""
    magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-6).sqrt()
    return magnitude**_EXPONENT, spectrum * magnitude ** (_EXPONENT - 1)


def _spectrum(waveform: Tensor, n_fft: int, hop_length: int) -> Tensor:
    """Complex spectrum of `(batch, channel, time)`, not scaled, `(batch · channel, freq, frame)`."""
    window = _hann(n_fft, waveform.device)
    return torch.stft(
        waveform.flatten(0, -2), n_fft, hop_length, window=window, pad_mode="constant", return_complex=True
    )


@lru_cache(maxsize=16)
def _hann(n_fft: int, device: torch.device) -> Tensor:
    return torch.hann_window(n_fft, device=device)
