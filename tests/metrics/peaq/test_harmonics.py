"""Harmonic structure of the error, on log spectra made for it."""

import numpy as np
import pytest

from concertclean.metrics.peaq.harmonics import correlation, harmonic_structure, log_error

_LINE = np.arange(1025)


def powers(log_ratio):
    """A reference and an estimate `log_ratio` (natural) above it, from line 1 on."""
    reference = np.where(_LINE > 0, 100.0, 0.0)[None]
    return reference, reference * np.exp(log_ratio)


def test_log_error_is_the_ratio_and_0_where_it_has_no_value():
    reference, estimate = powers(0.3)
    error = log_error(reference, estimate)
    assert error.shape == (1, 512)
    assert error[0, 0] == 0
    assert error[0, 1:] == pytest.approx(np.full(511, 0.3))
    for pair in ((reference, 0 * estimate), (0 * reference, estimate), (0 * reference, 0 * estimate)):
        assert not log_error(*pair).any()


def test_correlation_is_the_definition():
    error = np.random.default_rng(0).normal(size=(2, 512))
    found = correlation(error)
    for lag in (0, 1, 100, 255):
        still, shifted = error[1, :256], error[1, lag : lag + 256]
        assert found[1, lag] == pytest.approx(still @ shifted / np.sqrt(still @ still * (shifted @ shifted)), rel=1e-12)
    assert found[:, 0] == pytest.approx([1, 1], rel=1e-12)
    assert (correlation(np.zeros((1, 512))) == 1).all()


def test_correlation_is_exact_beside_errors_of_another_order():
    """Near identity: tiny differences below 6 kHz, large ones above."""
    error = np.random.default_rng(0).normal(size=(1, 512))
    error[0, :256] *= 1e-12
    assert np.abs(correlation(error)).max() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("cycles", [8, 32, 100])
def test_a_harmonic_error_gives_a_peak_of_a_sixth(cycles):
    """A cosine over the lines correlates into itself; half of it times the window's sum, √(8/3) · 0.5, squared: 1/6.

    The window is symmetric and not periodic, and line 0 is left out: 2 %.
    """
    found = harmonic_structure(*powers(0.5 * np.cos(2 * np.pi * cycles * _LINE / 256)))
    assert found == pytest.approx([1 / 6], rel=0.02)


def test_an_error_without_structure_has_little_and_none_has_0():
    noise = np.random.default_rng(0).normal(size=1025)
    assert harmonic_structure(*powers(noise))[0] < 0.01
    for level in (0.0, 1.0):  # identical, and louder everywhere
        assert harmonic_structure(*powers(level)) == pytest.approx([0.0], abs=1e-3)
    assert harmonic_structure(*powers(0.0))[0] == 0
