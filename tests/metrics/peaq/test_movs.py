"""Averages over frames, on values known on paper."""

from dataclasses import replace

import numpy as np
import pytest

from concertclean.metrics.peaq import movs
from concertclean.metrics.peaq.bands import N_BANDS
from concertclean.metrics.peaq.channel import Channel
from concertclean.metrics.peaq.network import MOV_NAMES

_FRAMES = 40


@pytest.fixture
def channel():
    """A channel that says the same in all frames."""
    frame, band = np.ones(_FRAMES), np.ones((_FRAMES, N_BANDS))
    return Channel(
        reference_bandwidth=np.full(_FRAMES, 800),
        estimate_bandwidth=np.full(_FRAMES, 600),
        noise_to_mask=0.1 * band,
        modulation_difference=4 * frame,
        modulation_gain=5 * frame,
        modulation_weight=6 * frame,
        noise_loudness=2 * frame,
        is_audible=frame > 0,
        harmonics=0.003 * frame,
        is_energetic=frame > 0,
        probability=(1 - 0.2 ** (1 / N_BANDS)) * band,  # 0.8 over all bands
        steps=band,
    )


def test_a_constant_averages_to_itself(channel):
    found = movs.model_output([channel], range(_FRAMES))
    assert tuple(found) == MOV_NAMES
    assert found == pytest.approx(
        {
            "BandwidthRefB": 800,
            "BandwidthTestB": 600,
            "TotalNMRB": -10,
            "WinModDiff1B": 4,
            "ADBB": np.log10(N_BANDS),
            "EHSB": 3,
            "AvgModDiff1B": 4,
            "AvgModDiff2B": 5,
            "RmsNoiseLoudB": 2,
            "MFPDB": 0.8 * (1 - 0.9**_FRAMES),
            "RelDistFramesB": 0,
        }
    )


def test_channels_are_averaged_but_for_detection(channel):
    """What one ear notices is noticed."""
    perfect = replace(
        channel,
        reference_bandwidth=np.zeros(_FRAMES, dtype=int),
        noise_to_mask=10 * channel.noise_to_mask,
        noise_loudness=0 * channel.noise_loudness,
        probability=0 * channel.probability,
        steps=0 * channel.steps,
    )
    alone, both = (movs.model_output(channels, range(_FRAMES)) for channels in ([channel], [channel, perfect]))
    for name in ("ADBB", "MFPDB"):
        assert both[name] == pytest.approx(alone[name], rel=1e-12)
    assert both["RmsNoiseLoudB"] == pytest.approx(1.0)
    assert both["BandwidthRefB"] == pytest.approx(400.0)  # no measurement counts as 0
    assert both["TotalNMRB"] == pytest.approx(-5.0)


def test_only_frames_with_music_count(channel):
    spoilt = channel.noise_loudness.copy()
    spoilt[[0, 5, 23, 35, 39]] = 1e9
    found = movs.model_output([replace(channel, noise_loudness=spoilt)], range(3, 35))
    assert found["RmsNoiseLoudB"] == pytest.approx(2.0)
    probability = channel.probability.copy()
    probability[[1, 36]] = 1.0
    found = movs.model_output([replace(channel, probability=probability)], range(3, 35))
    assert found["MFPDB"] == pytest.approx(0.8 * (1 - 0.9**32))


def test_nothing_measured_is_0_and_never_nan(channel):
    never = np.zeros(_FRAMES, dtype=bool)
    nothing = np.zeros(_FRAMES, dtype=int)
    empty = replace(
        channel, reference_bandwidth=nothing, estimate_bandwidth=nothing, is_audible=never, is_energetic=never
    )
    found = movs.model_output([empty], range(_FRAMES))
    assert [found[name] for name in ("BandwidthRefB", "BandwidthTestB", "EHSB", "RmsNoiseLoudB")] == [0, 0, 0, 0]


def test_bandwidth_of_the_estimate_counts_where_the_reference_was_measured(channel):
    reference, estimate = channel.reference_bandwidth.copy(), channel.estimate_bandwidth.copy()
    reference[:20], estimate[:20], estimate[20:30] = 0, 0, 0
    found = movs.model_output([replace(channel, reference_bandwidth=reference, estimate_bandwidth=estimate)], range(40))
    assert found["BandwidthRefB"] == 800
    assert found["BandwidthTestB"] == 300


def test_disturbed_frames_have_any_band_1_5_db_over_the_mask(channel):
    noise = channel.noise_to_mask.copy()
    noise[:10, 7] = 1.42
    noise[10:20, 7] = 1.41
    assert movs.model_output([replace(channel, noise_to_mask=noise)], range(40))["RelDistFramesB"] == 0.25


def test_windows_let_an_outburst_weigh_more():
    steady, outburst = np.full(40, 4.0), np.full(40, 3.0)
    outburst[20] = 43.0
    assert outburst.mean() == steady.mean()
    assert movs.windowed_mean(outburst) > movs.windowed_mean(steady) == pytest.approx(4.0)
    # One window: the mean of the roots 0, 0, 0, 2 to the fourth, rooted.
    assert movs.windowed_mean(np.array([0.0, 0.0, 0.0, 4.0])) == pytest.approx(0.25)


def test_average_distorted_block_knows_its_three_cases():
    certain, steps = np.array([0.9, 0.4, 0.6]), np.array([30.0, 1e6, 10.0])
    assert movs.average_distorted_block(certain, steps) == pytest.approx(np.log10(20))
    assert movs.average_distorted_block(0.5 * certain, steps) == 0
    assert movs.average_distorted_block(certain, 0 * steps) == -0.5


def test_highest_filtered_remembers_the_worst_moment():
    assert movs.highest_filtered(np.array([1.0, 1.0, 0.0, 0.0])) == pytest.approx(0.19)
    assert movs.highest_filtered(np.zeros(4)) == 0
