"""One step of KAMIR, worked out by hand."""

import pytest
import torch

from concertclean.bleed import kamir, power_model
from concertclean.bleed.power_model import Settings
from tests.bleed import bands


def column(*values):
    """Two numbers as `(freq, microphone or stem, frame)` of a single time-frequency bin."""
    return torch.tensor(values, dtype=torch.float64).reshape(1, 2, 1)


def test_one_step_in_a_single_bin():
    """Two microphones, two stems, one frequency, one frame.

    Levels λ = [[2, 1], [1, 1]], powers p = (1, 2) and observations V = (8, 9).

    The model is P = λ p = (2·1 + 1·2, 1·1 + 1·2) = (4, 3). The Wiener gain of microphone k is λ_kk p_k / P_k:
    (2/4, 2/3) = (1/2, 2/3). It multiplies amplitudes, so powers by its square, and a stem's power is that of its
    microphone over λ_kk: p = (1/4 · 8 / 2, 4/9 · 9 / 1) = (1, 4).

    With these powers P = (2·1 + 1·4, 1·1 + 1·4) = (6, 5). With β = 0 and one frame the multiplicative update of λ_ij is
    (V_i P_i⁻² p_j / (P_i⁻¹ p_j))^½ = (V_i / P_i)^½, the same for every stem: (8/6)^½ and (9/5)^½.

    The floor of 1e-10 under the model changes the levels by 1e-11 of their value.
    """
    levels = torch.tensor([[[2.0, 1.0], [1.0, 1.0]]], dtype=torch.float64)
    observed = column(8.0, 9.0)
    powers = kamir.power_step(observed, levels, column(1.0, 2.0))
    assert powers.flatten().tolist() == pytest.approx([1.0, 4.0], rel=1e-12)
    found = power_model.level_step(observed, levels, powers, beta=0.0)
    first, second = (8 / 6) ** 0.5, (9 / 5) ** 0.5
    assert found.flatten().tolist() == pytest.approx([2 * first, first, second, second], rel=1e-10)


def test_a_gain_changes_magnitudes_by_its_power_alpha():
    """As above with α = 1: V are magnitudes, which the gains (1/2, 2/3) multiply: p = (1/2 · 8 / 2, 2/3 · 9 / 1)."""
    levels = torch.tensor([[[2.0, 1.0], [1.0, 1.0]]], dtype=torch.float64)
    powers = kamir.power_step(column(8.0, 9.0), levels, column(1.0, 2.0), alpha=1.0)
    assert powers.flatten().tolist() == pytest.approx([2.0, 6.0], rel=1e-12)


def test_the_exponent_of_the_settings_is_that_of_the_gains(monkeypatch):
    """Learning and its last update use one exponent, in the powers and in the gains."""
    seen = []
    step = kamir.power_step
    monkeypatch.setattr(kamir, "power_step", lambda *words: seen.append(words[4]) or step(*words))
    kamir.learn_kamir(bands.matrix(2, 0.2, 0.4) @ bands.band(2, seconds=1), bands.SAMPLE_RATE, Settings(alpha=1.2))
    assert set(seen) == {1.2}


def test_the_median_smooths_over_frames():
    """Without bleed the gain is 1, so the powers are the observations; beyond both ends there is silence."""
    levels = torch.eye(2)[None]
    observed = torch.tensor([[[1.0, 9.0, 2.0, 3.0], [5.0, 5.0, 5.0, 5.0]]])
    powers = kamir.power_step(observed, levels, observed, median_frames=3)
    assert powers.tolist() == [[[1.0, 2.0, 3.0, 2.0], [5.0, 5.0, 5.0, 5.0]]]
