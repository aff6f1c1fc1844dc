"""Losses against values worked out by hand."""

import math

import pytest
import torch

from concertclean.train import losses


def spectrogram(*values):
    return torch.tensor(values, dtype=torch.complex64).reshape(1, 1, 1, -1)


def test_magnitude_error_does_not_see_the_phase():
    reference, estimate = spectrogram(3 + 4j, 1, 0), spectrogram(-3 - 4j, 1j, 2)
    assert float(losses.magnitude_mae(reference, estimate)) == pytest.approx(2 / 3)  # only |2| - |0| differs


def test_complex_error_is_the_modulus_of_the_difference():
    reference, estimate = spectrogram(3 + 4j, 1, 0), spectrogram(0, 1, 2)
    assert float(losses.complex_mae(reference, estimate)) == pytest.approx((5 + 0 + 2) / 3)


def test_two_stages_count_real_and_imaginary_parts_apart():
    reference, first, second = spectrogram(3 + 4j, 1), spectrogram(0, 1), spectrogram(3 + 4j, 1 - 1j)
    # First: (3 + 4 + 0 + 0) / 4, second: (0 + 0 + 0 + 1) / 4.
    assert float(losses.two_stage_mae(reference, first, second)) == pytest.approx(2.0)


def test_multi_resolution_error_of_an_offset():
    """A constant error c: the waveform part is c, and only the lowest bins see it, with the sum of the window."""
    n_fft, hop = 256, 147
    reference = torch.zeros(1, 1, 2048)
    estimate = torch.full_like(reference, 0.25)
    window = torch.hann_window(n_fft)
    frames = torch.nn.functional.pad(estimate[0], (n_fft // 2, n_fft // 2)).unfold(1, n_fft, hop)
    expected = 0.25 + float(torch.fft.rfft(frames[0] * window).abs().mean())
    assert float(losses.multi_resolution_mae(reference, estimate, [n_fft])) == pytest.approx(expected, rel=1e-5)


def test_multi_resolution_error_sums_over_the_windows():
    reference, estimate = torch.zeros(1, 2, 5000), torch.randn(1, 2, 5000, generator=torch.Generator().manual_seed(0))
    waveform = float((estimate - reference).abs().mean())
    single = [float(losses.multi_resolution_mae(reference, estimate, [n])) - waveform for n in losses.WINDOWS]
    assert losses.WINDOWS == (4096, 2048, 1024, 512, 256)
    assert losses.HOP == 147
    assert float(losses.multi_resolution_mae(reference, estimate)) == pytest.approx(waveform + sum(single), rel=1e-5)


@pytest.mark.parametrize(("factor", "level_db"), [(0.1, -20.0), (1.0, 0.0), (2.0, 6.0206)])
def test_error_in_db_is_relative_to_the_truth(factor, level_db):
    clean = torch.ones(1, 1, 100)
    found = losses.error_db(clean, clean * (1 + factor), clean)
    # The floor of -30 dB adds 1e-3 to the ratio.
    assert float(found) == pytest.approx(10 * math.log10(10 ** (level_db / 10) + 1e-3), abs=1e-3)


def test_error_in_db_of_noise_alone_is_relative_to_the_noise():
    silence, noise = torch.zeros(2, 1, 100), torch.ones(2, 1, 100)
    found = losses.error_db(silence, noise * torch.tensor([1.0, 0.1]).reshape(2, 1, 1), noise)
    assert found.tolist() == pytest.approx([10 * math.log10(1.001), 10 * math.log10(0.011)], abs=1e-3)


def test_relative_error_weighs_the_level_by_its_caution():
    clean = torch.ones(1, 1, 100)
    estimate = 1.1 * clean
    error = float(losses.error_db(clean, estimate, clean))
    assert float(losses.relative_error(clean, estimate, clean, 0.0)) == pytest.approx(10 ** (error / 20), rel=1e-6)
    expected = 10 ** (error / 20) + 0.5 * error
    assert float(losses.relative_error(clean, estimate, clean, 0.5)) == pytest.approx(expected, rel=1e-5)


def test_compressed_error_does_not_depend_on_the_level_and_vanishes_for_equals():
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(1, 2, 4096, generator=generator)
    noise = torch.randn(1, 2, 4096, generator=generator)
    loud = losses.compressed_mae(clean, clean + noise, clean + 2 * noise, 512)
    quiet = losses.compressed_mae(0.01 * clean, 0.01 * (clean + noise), 0.01 * (clean + 2 * noise), 512)
    # The rms has a floor of 1e-6, which is 1e-4 of the quiet one.
    assert float(loud) == pytest.approx(float(quiet), rel=1e-3)
    assert float(losses.compressed_mae(clean, clean, clean, 512)) == 0


def test_compressed_error_of_a_known_pair():
    """Silence for an estimate of a spectrum S: mean |S|^0.3 less the floor, plus half its parts' mean."""
    clean = torch.randn(1, 1, 2048, generator=torch.Generator().manual_seed(1))
    clean = clean / clean.square().mean().sqrt()
    spectrum = torch.stft(clean[0], 256, 64, window=torch.hann_window(256), pad_mode="constant", return_complex=True)
    spectrum = spectrum / 16
    power = (spectrum.abs() ** 2 + 1e-6) ** 0.15
    parts = torch.view_as_real(spectrum * (spectrum.abs() ** 2 + 1e-6) ** -0.35).abs().mean()
    expected = (power - 1e-6**0.15).abs().mean() + 0.5 * parts
    found = losses.compressed_mae(clean, torch.zeros_like(clean), clean, 256)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)


def test_scale_invariant_ratio_of_an_orthogonal_error():
    """An error of a tenth of the power, at any gain of the estimate: 10 dB. An offset counts as an error."""
    time = torch.arange(8000) / 8000
    clean = torch.sin(2 * torch.pi * 100 * time)[None, None]
    error = torch.cos(2 * torch.pi * 100 * time)[None, None] * 10**-0.5
    for gain in (1.0, 0.01, -3.0):
        assert float(losses.si_snr(clean, gain * (clean + error))) == pytest.approx(10, abs=1e-3)
    assert float(losses.si_snr(clean, clean + 0.5)) == pytest.approx(10 * math.log10(0.5 / 0.25), abs=1e-3)


def test_scale_invariant_ratio_of_silence_is_finite_and_has_a_gradient():
    estimate = torch.full((1, 1, 100), 0.1, requires_grad=True)
    losses.si_snr(torch.zeros(1, 1, 100), estimate).backward()
    assert torch.isfinite(estimate.grad).all()


def test_detection_error():
    logits, is_noise = torch.tensor([0.0, math.log(3)]), torch.tensor([1.0, 0.0])
    assert float(losses.detection_bce(is_noise, logits)) == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_the_mixing_matrix_is_the_one_that_mixed():
    generator = torch.Generator().manual_seed(0)
    stems = torch.randn(3, 4, 2000, generator=generator)
    truth = torch.rand(3, 4, 4, generator=generator)
    assert torch.allclose(losses.mixing_matrix(stems, truth @ stems), truth, atol=1e-5)
    stems[:, 2] = 0
    assert torch.isfinite(losses.mixing_matrix(stems, truth @ stems)).all()


def test_matrix_error():
    truth = torch.tensor([[[1.0, 0.5], [0.0, 1.0]]])
    assert float(losses.matrix_mse(truth, torch.eye(2)[None])) == pytest.approx(0.25 / 4)


def test_magnitudes_of_quiet_frequencies_count_as_much_as_loud_ones():
    """A hole in the highs of a recording costs a quarter of what silence costs, a millionth of its power as it is."""
    loud, quiet = torch.full((1, 1, 1, 5), 1.0), torch.full((1, 1, 1, 5), 1e-3)
    stem = torch.cat([loud, quiet], dim=2)
    hole = torch.cat([loud, 0 * quiet], dim=2)
    assert float(losses.magnitude_mse(stem, 0 * stem, stem)) == pytest.approx(1)
    assert float(losses.magnitude_mse(stem, hole, stem)) == pytest.approx(0.25, rel=1e-5)
    assert float(losses.magnitude_mse(stem, -1j * stem, stem)) == 0  # phases do not matter
    assert float(losses.magnitude_mse(stem, 2j * stem, 2 * stem)) == pytest.approx(0.5 + 0.125)
    assert float(losses.magnitude_mse(0 * stem, 0 * stem, 0 * stem)) == 0


def test_errors_of_waveforms():
    reference, estimate = torch.tensor([[[[1.0, -1.0, 0.0, 2.0]]]]), torch.tensor([[[[1.0, 1.0, 1.0, 2.0]]]])
    assert float(losses.waveform_mse(reference, estimate)) == pytest.approx((4 + 1) / 4)
    assert float(losses.waveform_mae(reference, estimate)) == pytest.approx((2 + 1) / 4)


def test_gain_of_an_estimate_of_the_centre():
    """A tenth of the error is 20 dB less, but for the floor of -30 dB; what lies outside the centre does not count."""
    clean = torch.ones(1, 1, 100)
    degraded = 2 * clean
    degraded[..., :20] = 50
    found = losses.gain_db(clean, 1.1 * clean[..., 20:80], degraded)
    assert float(found) == pytest.approx(10 * math.log10(1.001 / 0.011), abs=1e-3)
