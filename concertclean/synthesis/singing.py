"""Singing made from speech: words of a speaker, held and set to a melody by a vocoder.

Free recordings of singers are rare, free speech is not. WORLD splits speech into pitch, spectral envelope and
aperiodicity; voiced frames are held longer, the pitch is replaced by a melody with glides and vibrato, formants are
shifted a little, and WORLD resynthesises it. Consonants stay unvoiced and keep their length. The ranges are our own;
needs `pyworld`, which the extra `train` installs.

References:
    Morise, Yokomori, Ozawa, WORLD: a vocoder-based high-quality speech synthesis system for real-time applications,
    IEICE Trans. Inf. Syst. E99-D(7), 2016.
    Saitou, Goto, Unoki, Akagi, Speech-to-singing synthesis, WASPAA 2007, for the idea of the conversion.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.arrays import Array
from concertclean.dsp.downmix import downmix
from concertclean.errors import ConfigError
from concertclean.synthesis.crowd import Clips
from concertclean.synthesis.melody import FRAME_SECONDS, Note, held, melody, ornamented, phrases
from concertclean.synthesis.shaping import Waveform, faded, unit_peak

_INTERVALS: Final = (3, 4, 7, -5, 12)  # semitones to a second voice: thirds, a fifth, a fourth below, an octave
_LEAST_VOICED = 0.25  # share of the frames of a clip; whispering cannot be sung
_WORD_SECONDS = (0.25, 8.0)
_TRIES = 60
_FADE_SECONDS: Final = 0.03


@dataclass(frozen=True)
class Voice:
    """A voice as WORLD describes it, a frame every 5 ms.

    Attributes:
        pitch_hz: `(frame,)`, 0 where unvoiced.
        envelope: power of the spectral envelope `(frame, freq)`.
        aperiodicity: share of noise in the amplitude, 0 to 1, `(frame, freq)`.
    """

    pitch_hz: Array
    envelope: Array
    aperiodicity: Array

    def __len__(self) -> int:
        return len(self.pitch_hz)

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """Which frames have a pitch, `(frame,)`."""
        return self.pitch_hz > 0


def analyse(waveform: Waveform, sample_rate: int = 44_100) -> Voice:
    """Pitch, envelope and aperiodicity of one voice.

    Args:
        waveform: `(1, time)`, 0.1 s or longer.
        sample_rate: Hz.

    Raises:
        ConfigError: pyworld is not installed.
    """
    world = _world()
    signal = np.ascontiguousarray(waveform[0], dtype=np.float64)
    pitch, time = world.dio(signal, sample_rate, frame_period=1000 * FRAME_SECONDS)
    pitch = world.stonemask(signal, pitch, time, sample_rate)
    return Voice(pitch, world.cheaptrick(signal, pitch, time, sample_rate), world.d4c(signal, pitch, time, sample_rate))


def analyse_word(clip: Waveform, sample_rate: int = 44_100) -> Voice | None:
    """A clip of speech as a voice; None if it is shorter than 0.25 s or hardly voiced, so that it cannot be sung.

    Args:
        clip: `(channel, time)`.
        sample_rate: Hz.

    Raises:
        ConfigError: pyworld is not installed.
    """
    if clip.shape[1] < _WORD_SECONDS[0] * sample_rate:
        return None
    voice = analyse(downmix(clip), sample_rate)
    return voice if voice.voiced.mean() >= _LEAST_VOICED else None


def render(voice: Voice, pitch_hz: Array, sample_rate: int = 44_100) -> Waveform:
    """The voice at another pitch, `(1, time)` float32; unvoiced frames stay unvoiced.

    Args:
        voice: the voice.
        pitch_hz: `(frame,)`, above 0.
        sample_rate: Hz, that of the analysis.
    """
    pitch = np.where(voice.voiced, pitch_hz, 0.0)
    frames = (np.ascontiguousarray(each) for each in (pitch, voice.envelope, voice.aperiodicity))
    return np.asarray(_world().synthesize(*frames, sample_rate, 1000 * FRAME_SECONDS), np.float32)[None]


def hold(voice: Voice, factor: float) -> Voice:
    """The voice with its voiced frames `factor` times as long; consonants keep their length."""
    pace = np.cumsum(np.where(voice.voiced, factor, 1.0))
    at = np.interp(np.arange(0, pace[-1]), pace, np.arange(len(voice)))
    index = np.clip(np.round(at).astype(int), 0, len(voice) - 1)
    return Voice(voice.pitch_hz[index], voice.envelope[index], voice.aperiodicity[index])


def shift_formants(voice: Voice, factor: float) -> Voice:
    """The voice of a smaller (`factor` above 1) or larger head: the envelope stretched over frequency."""
    n_freqs = voice.envelope.shape[1]
    index = np.clip(np.arange(n_freqs) / factor, 0, n_freqs - 1).astype(int)
    return replace(voice, envelope=voice.envelope[:, index])


def sing_notes(
    rng: np.random.Generator, words: Sequence[Voice], notes: Sequence[Note], sample_rate: int = 44_100
) -> Waveform:
    """A given melody sung on words, at its times; octaves are chosen for the voice as a whole.

    Args:
        rng: draws the order of the words, how long they are held, glides, vibrato and breath.
        words: of one speaker, as `analyse` returns them at this sample rate.
        notes: in order of their beginnings. A note ends at the latest where the next one begins.
        sample_rate: Hz.

    Returns:
        `(1, time)` float32, to the end of the last note, peak 0.9; silent in rests longer than a breath.

    Raises:
        ValueError: no words, or no notes.
    """
    if not words or not notes:
        raise ValueError(f"{len(words)} words and {len(notes)} notes, expected at least one of each")
    spoken = np.median(np.concatenate([word.pitch_hz[word.voiced] for word in words]))
    middle = np.median([note.semitones for note in notes])
    octaves = 12 * np.round((12 * np.log2(spoken / 55) + 4 - middle) / 12)  # singing lies above speaking
    total = np.zeros((1, round(notes[-1].end * sample_rate)), np.float32)
    for phrase in phrases(notes):
        semitones = held(phrase) + octaves
        voice = _words_for(rng, words, len(semitones))
        breath = replace(voice, aperiodicity=voice.aperiodicity * rng.uniform(0.8, 1.0))
        sung = render(breath, ornamented(rng, semitones), sample_rate)
        sung = faded(sung, 1, round(_FADE_SECONDS * sample_rate))  # it may end within a word
        begin = round(phrase[0].begin * sample_rate)
        part = total[:, begin : begin + sung.shape[1]]
        part += sung[:, : part.shape[1]]
    return unit_peak(total) * np.float32(0.9)


def sing(rng: np.random.Generator, clips: Clips, seconds: float, sample_rate: int = 44_100) -> Waveform:
    """A phrase sung on words of recorded speech, sometimes by two voices or doubled.

    Args:
        rng: draws words, range, melody, formants, second voices and saturation.
        clips: recorded speech.
        seconds: length; the phrase ends with the word in which it is reached.
        sample_rate: Hz.

    Returns:
        `(1, time)` float32, peak 0.9.

    Raises:
        ConfigError: pyworld is not installed, or nothing among the clips is voiced.
    """
    low_hz = float(rng.choice([90.0, 130.0, 180.0, 220.0]))
    words: list[Voice] = []
    for _ in range(_TRIES):
        if sum(map(len, words)) * FRAME_SECONDS >= seconds:
            break
        word = analyse_word(clips.draw(rng, _WORD_SECONDS[1]), sample_rate)
        if word is not None:
            words.append(hold(word, rng.uniform(1.2, 3.5)))
    if not words:
        raise ConfigError("nothing voiced was found in the speech; add speech with one voice per clip")
    voice = shift_formants(_joined(words), rng.uniform(0.9, 1.12))
    tune = melody(rng, len(voice), low_hz, low_hz * rng.uniform(2, 3.2))
    total = np.zeros((1, 1), np.float32)
    for number, factor in enumerate(_second_voices(rng)):
        breath = replace(voice, aperiodicity=voice.aperiodicity * rng.uniform(0.7, 1.0))
        sung = render(breath, tune * factor, sample_rate)
        late = int(rng.integers(0, sample_rate // 100)) if number else 0
        total = total + np.roll(sung, late, axis=1) * np.float32(0.7 if number else 1.0)
    return unit_peak(np.tanh(unit_peak(total) * rng.uniform(0.8, 2.5))) * np.float32(0.9)


def _words_for(rng: np.random.Generator, words: Sequence[Voice], n_frames: int) -> Voice:
    """Words in random order, held, as long as asked for."""
    chosen: list[Voice] = []
    while sum(map(len, chosen)) < n_frames:
        chosen.append(hold(words[int(rng.integers(len(words)))], rng.uniform(1.2, 3.0)))
    joined = _joined(chosen)
    return Voice(joined.pitch_hz[:n_frames], joined.envelope[:n_frames], joined.aperiodicity[:n_frames])


def _second_voices(rng: np.random.Generator) -> list[float]:
    """Factors on the melody of all voices: the first, in a quarter a second one, in three of ten a double."""
    factors = [1.0]
    if rng.random() < 0.25:
        factors.append(2 ** (float(rng.choice(_INTERVALS)) / 12))
    if rng.random() < 0.3:
        factors.append(2 ** (rng.normal(0, 0.08) / 12))
    return factors


def _joined(voices: list[Voice]) -> Voice:
    return Voice(
        np.concatenate([voice.pitch_hz for voice in voices]),
        np.concatenate([voice.envelope for voice in voices]),
        np.concatenate([voice.aperiodicity for voice in voices]),
    )


def _world() -> Any:
    """The module pyworld."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it looks up its own version with pkg_resources, which is deprecated
            import pyworld
    except ImportError as error:
        raise ConfigError("singing needs pyworld, which is not installed; pip install 'concertclean[train]'") from error
    return pyworld
