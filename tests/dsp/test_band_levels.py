"""Energies of octaves: tones in their band, the same however a waveform is cut."""

import numpy as np
import pytest

from concertclean.dsp.band_levels import BANDS_HZ, BandMeter

RATE = 8000


def tone(hz, seconds=1.0, level=0.5):
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)[None]


@pytest.mark.parametrize("band", range(len(BANDS_HZ)))
def test_a_tone_lies_in_its_octave(band):
    meter = BandMeter(RATE)
    meter.add(tone(round(1.3 * BANDS_HZ[band][0])))
    (energies,) = meter.values()
    assert energies[-1] == pytest.approx(0.125 * RATE, rel=1e-3)
    assert energies[band] == pytest.approx(energies[-1], rel=1e-3)
    assert np.delete(energies[:-1], band) == pytest.approx(0, abs=1e-3 * energies[-1])


def test_blocks_may_be_cut_anywhere_and_the_last_second_may_be_short(noise):
    waveform = noise(int(2.4 * RATE))
    whole, cut = BandMeter(RATE), BandMeter(RATE)
    whole.add(waveform)
    for start in range(0, waveform.shape[1], 777):
        cut.add(waveform[:, start : start + 777])
    assert whole.values().shape == (3, len(BANDS_HZ) + 1)
    assert cut.values() == pytest.approx(whole.values(), rel=1e-9)
    assert whole.values()[:, -1].sum() == pytest.approx(np.square(waveform).sum(), rel=1e-9)


def test_nothing_has_no_seconds():
    assert BandMeter(RATE).values().shape == (0, len(BANDS_HZ) + 1)
