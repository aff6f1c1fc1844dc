"""What is stored of a file: resampled, without silence and clipping, with its peak where it belongs."""

import numpy as np
import pytest

from concertclean.corpora.sources import Source
from concertclean.dataset.prepare import clipped_blocks, prepare, silent_blocks, with_channels
from concertclean.dataset.store import FULL_SCALE
from concertclean.errors import AudioFileError
from tests.dataset.conftest import RATE, hiss, song


def source(path, role="clean", spans=()):
    return Source(path, path.name, role, "group", None, "CC0", "title", "", spans)


def tone(seconds, hz=440.0, rate=RATE, level=0.5):
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)[:, None]


def test_all_of_a_plain_file_is_kept_with_its_peak_at_minus_one_db(write):
    samples = song(1)
    found = prepare(source(write("a.wav", samples)), RATE, 2, None)
    assert found.pieces == (len(samples),)
    assert np.abs(found.samples).max() == round(FULL_SCALE * 10 ** (-1 / 20))
    expected = samples / np.abs(samples).max() * 10 ** (-1 / 20)
    # 16 bits: half a step, and the 24 bits of the file.
    assert np.abs(found.samples / FULL_SCALE - expected).max() < 0.51 / FULL_SCALE
    assert found.gain_db == pytest.approx(-1 - 20 * np.log10(np.abs(samples).max()), abs=1e-3)
    assert (found.silent_seconds, found.clipped_seconds) == (0, 0)


def test_another_rate_keeps_length_and_pitch(write):
    found = prepare(source(write("a.wav", tone(3, rate=16_000), rate=16_000)), RATE, 1, None)
    assert abs(len(found.samples) - 3 * RATE) <= 1
    spectrum = np.abs(np.fft.rfft(found.samples[:RATE, 0] * np.hanning(RATE)))
    assert spectrum.argmax() == 440


@pytest.mark.parametrize(("stored", "given"), [(1, 2), (2, 1), (2, 3)])
def test_channels_are_made_to_fit(write, stored, given):
    samples = song(2, channels=given)
    found = prepare(source(write("a.wav", samples)), RATE, stored, None).samples / FULL_SCALE
    expected = samples.mean(axis=1, keepdims=True) if stored == 1 else samples[:, [0, min(1, given - 1)]]
    correlation = np.corrcoef(found[:, 0], expected[:, 0])[0, 1]
    assert found.shape[1] == stored
    assert correlation > 0.9999


def test_silence_between_two_halves_is_left_out_but_not_their_decay(write):
    samples = np.concatenate([tone(2.5), np.zeros((2 * RATE, 1)), tone(2.5)])
    found = prepare(source(write("a.wav", samples)), RATE, 1, None)
    # 0.2 s are kept on each side of the gap; blocks of 0.1 s.
    assert found.pieces == (round(2.7 * RATE), round(2.7 * RATE))
    assert found.silent_seconds == pytest.approx(1.6)


def test_clipped_stretches_are_left_out(write):
    samples = np.concatenate([tone(3, level=0.6), tone(1, level=3.0).clip(-0.9, 0.9), tone(3, level=0.6)])
    found = prepare(source(write("a.wav", samples)), RATE, 1, None)
    assert found.pieces == (3 * RATE, 3 * RATE)
    assert found.clipped_seconds == pytest.approx(1.0)


def test_a_loud_sine_at_full_scale_is_not_called_clipped():
    assert not clipped_blocks(tone(2, hz=1000, level=1.0).T, 800).any()


def test_silent_blocks_are_those_far_below_the_loudest():
    waveform = np.concatenate([tone(1), tone(1, level=0.5e-3 / 1.1), tone(1, level=0.5e-3 * 1.1)]).T
    found = silent_blocks(waveform, 800)
    # -60.8 dB is silent but for the margin of two blocks on both sides, -59.2 dB is not.
    assert found.tolist() == [False] * 10 + [False] * 2 + [True] * 6 + [False] * 2 + [False] * 10


def test_only_the_middle_is_taken_when_asked(write):
    samples = np.concatenate([tone(2, 300), tone(3, 700), tone(2, 300)])
    found = prepare(source(write("a.wav", samples)), RATE, 1, 3.0)
    assert len(found.samples) == 3 * RATE
    assert np.abs(np.fft.rfft(found.samples[:RATE, 0])).argmax() == 700


def test_spans_become_pieces_of_their_own(write):
    samples = hiss(1, 6)
    found = prepare(source(write("a.wav", samples), "noise", ((0.5, 1.5), (4.0, 4.5))), RATE, 2, None)
    assert found.pieces == (RATE, RATE // 2)
    expected = np.concatenate([samples[RATE // 2 : 3 * RATE // 2], samples[4 * RATE : 9 * RATE // 2]])
    assert np.corrcoef(found.samples[:, 0], expected[:, 0])[0, 1] > 0.9999


def test_the_quiet_tail_of_a_response_is_kept(write):
    decay = np.exp(-np.arange(RATE) / 200)[:, None] * hiss(1, 1, channels=1)
    found = prepare(source(write("a.wav", decay), "response"), RATE, 1, None)
    assert found.pieces == (RATE,)


@pytest.mark.parametrize(
    ("samples", "complaint"),
    [
        (np.zeros((RATE * 3, 1)), "silent"),
        (tone(1.0), "silent, or too short"),
        (tone(3, level=5).clip(-0.9, 0.9), "it is clipped"),
    ],
)
def test_what_is_of_no_use_is_refused_in_words(write, samples, complaint):
    with pytest.raises(AudioFileError, match=complaint):
        prepare(source(write("a.wav", samples)), RATE, 1, None)


@pytest.mark.parametrize("seconds", [0.45, 0.3, 0.1])
def test_noise_of_a_few_blocks_is_measured_like_any_other(write, seconds):
    """Sounds shorter than the margin around them once ended the build."""
    found = prepare(source(write("a.wav", hiss(1, seconds)), "shout"), RATE, 2, None)
    assert len(found.samples) == round(seconds * RATE)


def test_the_same_short_sound_is_enough_for_a_clap(write):
    assert prepare(source(write("a.wav", tone(0.05)), "clap"), RATE, 1, None).pieces == (400,)


def test_one_channel_of_inverted_ones_holds_the_music():
    music = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 1000)).astype(np.float32)
    assert np.array_equal(with_channels(music * np.float32([[1], [-1]]), 1), music)
    assert np.array_equal(with_channels(music * np.float32([[1], [0.5]]), 1), music * np.float32(0.75))
