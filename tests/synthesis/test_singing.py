"""Singing made from speech: the melody's pitch, the speaker's formants, consonants that stay unvoiced."""

from importlib.util import find_spec

import numpy as np
import pytest

from concertclean.errors import ConfigError
from concertclean.synthesis import melody, singing

RATE = 22_050
if find_spec("pyworld") is None:
    pytest.skip("singing needs pyworld, which the extra `train` brings", allow_module_level=True)


def spoken(pitch_hz=120.0, seconds=0.6, formants_hz=(700, 1200, 2600), noise_seconds=0.2):
    """Noise like an s, then a vowel of known formants: `(1, time)`."""
    time = np.arange(int(seconds * RATE)) / RATE
    vowel = np.zeros(len(time))
    for k in range(1, int(0.45 * RATE / pitch_hz)):
        level = sum(1 / (1 + ((k * pitch_hz - f) / (0.06 * f)) ** 2) for f in formants_hz) + 0.003
        vowel += level * np.cos(2 * np.pi * k * pitch_hz * time + 0.3 * k**2)
    vowel *= np.minimum(1, np.minimum(time, time[::-1]) / 0.02) / np.abs(vowel).max()
    rng = np.random.default_rng(1)
    hiss = np.diff(rng.standard_normal(int(noise_seconds * RATE) + 1)) * 0.1
    return np.concatenate([hiss, vowel])[None].astype(np.float32)


class Spoken:
    """A collection of one clip."""

    def __init__(self, waveform):
        self.waveform = waveform

    def draw(self, rng, seconds, speed=1.0):
        return self.waveform


def pitch_of(waveform, near_hz):
    """Frequency of the strongest partial near a frequency, to a hundredth of a bin of a padded spectrum."""
    n_fft = 1 << 20
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)), n_fft))
    hz = RATE / n_fft
    low, high = int(near_hz * 0.9 / hz), int(near_hz * 1.1 / hz)
    return (low + int(np.argmax(spectrum[low:high]))) * hz


@pytest.mark.parametrize("asked_hz", [110.0, 233.1, 440.0])
def test_the_pitch_is_the_melodys_within_ten_cents(asked_hz):
    voice = singing.hold(singing.analyse(spoken(), RATE), 3.0)
    sung = singing.render(voice, np.full(len(voice), asked_hz), RATE)[0]
    middle = sung[len(sung) // 2 : len(sung) // 2 + RATE // 2]  # held vowel
    cents = 1200 * np.log2(pitch_of(middle, asked_hz) / asked_hz)
    assert abs(cents) < 10


def test_formants_stay_where_the_speaker_has_them_and_move_by_the_factor():
    voice = singing.analyse(spoken(), RATE)
    frequency = np.linspace(0, RATE / 2, voice.envelope.shape[1])
    band = (frequency > 400) & (frequency < 950)

    def first_formant(voice):
        envelope = voice.envelope[voice.voiced].mean(axis=0)
        return frequency[band][int(np.argmax(envelope[band]))]

    sung = singing.render(voice, np.full(len(voice), 180.0), RATE)
    # Formants are sampled by harmonics, so one can move by half their distance.
    assert first_formant(singing.analyse(sung, RATE)) == pytest.approx(700, abs=90)
    assert first_formant(singing.shift_formants(voice, 1.12)) == pytest.approx(1.12 * first_formant(voice), rel=0.02)


def test_consonants_stay_unvoiced_and_as_long_as_they_were():
    voice = singing.analyse(spoken(noise_seconds=0.3), RATE)
    held = singing.hold(voice, 2.5)
    n_unvoiced, n_voiced = (~voice.voiced).sum(), voice.voiced.sum()
    assert (~held.voiced).sum() == pytest.approx(n_unvoiced, abs=3)
    assert held.voiced.sum() == pytest.approx(2.5 * n_voiced, abs=4)
    sung = singing.render(held, np.full(len(held), 220.0), RATE)[0]
    start = sung[: int(0.2 * RATE)]  # inside the hiss
    spectrum = np.abs(np.fft.rfft(start * np.hanning(len(start)))) ** 2
    lags = np.fft.irfft(spectrum)
    period = round(RATE / 220)
    assert lags[period - 3 : period + 4].max() < 0.3 * lags[0]  # noise has no period


def test_a_melody_keeps_its_range_and_its_scale():
    rng = np.random.default_rng(3)
    for _ in range(20):
        tune = melody.melody(rng, 2000, 130.0, 350.0)
        assert len(tune) == 2000
        # Vibrato of 0.6 semitones, drift of three standard deviations.
        assert tune.min() > 130.0 * 2 ** (-1 / 12)
        assert tune.max() < 350.0 * 2 ** (1 / 12)
    assert len({round(float(hz)) for hz in tune[::40]}) > 3  # it moves


def test_a_phrase_is_as_long_as_asked_and_the_same_for_the_same_seed():
    clips = Spoken(spoken())
    first, second = (singing.sing(np.random.default_rng(5), clips, 2.0, RATE) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape[0] == 1
    assert 2.0 * RATE <= first.shape[1] < 6.0 * RATE
    assert np.abs(first).max() == pytest.approx(0.9, abs=1e-3)


def test_speech_without_a_voice_cannot_be_sung():
    noise = np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32) * 0.1
    with pytest.raises(ConfigError, match="nothing voiced"):
        singing.sing(np.random.default_rng(0), Spoken(noise), 1.0, RATE)


def test_a_melody_is_sung_at_its_times_and_in_its_intervals():
    rng = np.random.default_rng(7)
    notes = [melody.Note(0.5, 2.5, 26.0), melody.Note(2.6, 4.6, 33.0), melody.Note(6.0, 8.0, 29.0)]
    sung = singing.sing_notes(rng, [singing.analyse(spoken(noise_seconds=0.05), RATE)], notes, RATE)
    assert sung.shape == (1, 8 * RATE)
    loud = np.abs(sung[0])
    assert loud.max() == pytest.approx(0.9, abs=1e-3)
    for rest in (slice(0, int(0.45 * RATE)), slice(int(4.7 * RATE), int(5.95 * RATE))):
        assert loud[rest].max() < 1e-3
    pitch = singing.analyse(sung, RATE).pitch_hz
    frames = [slice(int((note.begin + 0.2) / 0.005), int((note.end - 0.1) / 0.005)) for note in notes]
    found = [12 * np.log2(np.median(pitch[part][pitch[part] > 0]) / 55) for part in frames]
    octaves = 12 * round((found[0] - 26) / 12)  # the speaker, at 120 Hz, sings an octave lower
    assert octaves == -12
    for note, semitones in zip(notes, found, strict=True):
        assert semitones == pytest.approx(note.semitones + octaves, abs=0.3)  # vibrato and drift go around it


def test_singing_needs_words_and_notes():
    with pytest.raises(ValueError, match="0 words and 1 notes"):
        singing.sing_notes(np.random.default_rng(0), [], [melody.Note(0, 1, 20)], RATE)
