"""Bands and what is fixed for them, against the standard's table and the formulas."""

import numpy as np
import pytest

from concertclean.metrics.peaq.bands import (
    CENTRE_HZ,
    HOP,
    LINE_HZ,
    LOWER_HZ,
    N_BANDS,
    SAMPLE_RATE,
    UPPER_HZ,
    bark,
    decay,
    ear_weight,
    grouping,
    hertz,
    internal_noise,
)


@pytest.mark.parametrize(
    ("band", "lower", "centre", "upper"),
    [
        (0, 80.000, 91.708, 103.445),
        (1, 103.445, 115.216, 127.023),
        (28, 893.091, 912.959, 933.119),
        (50, 2143.227, 2183.564, 2224.597),
        (66, 3853.348, 3923.748, 3995.399),
        (70, 4452.890, 4533.963, 4616.482),
        (100, 13061.229, 13296.850, 13536.710),
        (108, 17385.420, 17690.045, 18000.000),
    ],
)
def test_bands_are_those_of_table_6(band, lower, centre, upper):
    """The table has three decimals and was computed with a rounding of its own: 3 mHz apart at most."""
    assert [LOWER_HZ[band], CENTRE_HZ[band], UPPER_HZ[band]] == pytest.approx([lower, centre, upper], abs=3e-3)


def test_bands_touch_and_are_a_quarter_bark_wide():
    assert LOWER_HZ[1:] == pytest.approx(UPPER_HZ[:-1], rel=1e-12)
    assert np.diff(bark(LOWER_HZ)) == pytest.approx(np.full(N_BANDS - 1, 0.25), rel=1e-9)
    assert hertz(bark(CENTRE_HZ)) == pytest.approx(CENTRE_HZ, rel=1e-12)


def test_grouping_loses_no_energy():
    """Lines from 82 Hz to 17.98 kHz belong whole to bands; a flat spectrum fills a band by its width."""
    shares = grouping()
    assert shares[5:767].sum(axis=1) == pytest.approx(np.ones(762), abs=1e-12)
    assert not shares[:3].any()
    assert not shares[769:].any()
    assert shares.sum(axis=0) == pytest.approx((UPPER_HZ - LOWER_HZ) / LINE_HZ, rel=1e-9)


def test_ear_weight_is_the_formula_and_shuts_out_0_hz():
    weight = ear_weight()
    assert weight[0] == 0
    khz = 141 * 48 / 2048  # the line nearest to the resonance of the ear canal, 3.3 kHz
    gain_db = -2.184 * khz**-0.8 + 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) - 0.001 * khz**3.6
    assert 10 * np.log10(weight[141]) == pytest.approx(gain_db, abs=1e-9)
    assert weight.argmax() == pytest.approx(141, abs=5)


def test_internal_noise_of_1_khz_is_1_46_db_and_falls():
    noise_db = 10 * np.log10(internal_noise())
    assert np.interp(1000, CENTRE_HZ, noise_db) == pytest.approx(1.456, abs=2e-3)
    assert (np.diff(noise_db) < 0).all()


@pytest.mark.parametrize("seconds", [0.030, 0.050])
def test_decay_has_the_time_constants_of_the_standard(seconds):
    """`seconds` at 100 Hz, towards 8 ms at high frequencies."""
    constants = -HOP / (SAMPLE_RATE * np.log(decay(seconds)))
    assert np.interp(100 / 100, 100 / CENTRE_HZ[::-1], constants[::-1]) == pytest.approx(seconds, rel=1e-9)
    assert constants[-1] == pytest.approx(0.008, abs=3e-4)
