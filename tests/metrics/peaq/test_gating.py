"""Which frames count."""

import numpy as np
import pytest

from concertclean.metrics.peaq.gating import audible_frames, is_energetic, music_frames, settled

_STEP = 1 / 32768


def with_run(start, *, step=40, n_samples=20_480, channels=1, channel=0):
    """Five samples of `step` 16-bit steps in a silent recording of 20 frames."""
    waveform = np.zeros((channels, n_samples))
    waveform[channel, start : start + 5] = step * _STEP
    return waveform


@pytest.mark.parametrize(
    ("start", "frames"),
    [
        (0, range(1)),
        (1023, range(1)),
        (1024, range(2)),  # the frames at 0 and 1024 hold it
        (2043, range(2)),
        (2044, range(1, 2)),  # ends beyond frame 0
        (10_240, range(9, 11)),
        (20_475, range(18, 20)),
    ],
)
def test_a_run_of_five_samples_opens_the_frames_that_hold_it(start, frames):
    assert music_frames(with_run(start)) == frames
    assert music_frames(-with_run(start, channels=2, channel=1)) == frames


def test_the_threshold_is_200_steps():
    assert music_frames(with_run(5000, step=40)) == range(3, 5)
    assert music_frames(with_run(5000, step=39.99)) == range(0)


def test_silence_within_the_music_counts():
    waveform = with_run(5000) + with_run(15_000)
    assert music_frames(waveform) == range(3, 15)


@pytest.mark.parametrize("n_samples", [1, 4, 5, 20_480])
def test_silence_has_no_music(n_samples):
    assert len(music_frames(np.zeros((2, n_samples)))) == 0


def test_envelopes_settle_for_half_a_second_of_the_recording():
    assert settled(range(3, 40)) == range(24, 40)
    assert settled(range(30, 40)) == range(30, 40)
    assert len(settled(range(3, 20))) == 0


def test_loudness_waits_three_frames_more():
    is_audible = np.zeros(60, dtype=bool)
    is_audible[30:] = True
    assert audible_frames(range(3, 50), is_audible) == range(33, 50)
    assert audible_frames(range(3, 50), np.ones(60, dtype=bool)) == range(24, 50)
    assert len(audible_frames(range(3, 50), np.zeros(60, dtype=bool))) == 0


def test_energy_is_that_of_the_newer_half():
    """8000 squared steps: one sample of 90 steps is enough, 89 are not."""
    frames = np.zeros((3, 2048))
    frames[0, 1023] = frames[1, 1024] = 90 * _STEP
    frames[2, 2047] = 89 * _STEP
    assert is_energetic(frames).tolist() == [False, True, False]
