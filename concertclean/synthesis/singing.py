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
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.arrays import Array
from concertclean.dsp.downmix import downmix
from concertclean.errors import ConfigError
from concertclean.synthesis.crowd import Clips
from concertclean.synthesis.shaping import Waveform, unit_peak

FRAME_SECONDS: Final = 0.005
_SCALES: Final = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "pentatonic": (0, 3, 5, 7, 10)}
_NOTE_SECONDS: Final = (0.15, 0.2, 0.3, 0.4, 0.6, 0.9, 1.4)
_NOTE_SHARES: Final = (0.1, 0.2, 0.2, 0.2, 0.15, 0.1, 0.05)
_INTERVALS: Final = (3, 4, 7, -5, 12)  # semitones to a second voice: thirds, a fifth, a fourth below, an octave
_LEAST_VOICED = 0.25  # share of the frames of a clip; whispering cannot be sung
_WORD_SECONDS = (0.25, 8.0)
_TRIES = 60


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


def melody(rng: np.random.Generator, n_frames: int, low_hz: float, high_hz: float) -> Array:
    """A melody in steps of a major, minor or pentatonic scale, with glides, vibrato and a little drift.

    Args:
        rng: draws scale, key, notes of 0.15 to 1.4 s, glides of 20 to 90 ms and a vibrato of up to 0.6 semitones at
            4.5 to 6.5 Hz that comes and goes.
        n_frames: length.
        low_hz: lowest note.
        high_hz: highest note, at least an octave above.

    Returns:
        `(n_frames,)` Hz; vibrato and drift may leave the range by a semitone.
    """
    semitones = _notes(rng, n_frames, 12 * np.log2(low_hz / 55), 12 * np.log2(high_hz / 55))
    glide = max(1, int(rng.uniform(0.02, 0.09) / FRAME_SECONDS))
    semitones = _smoothed(semitones, glide)
    time = np.arange(n_frames) * FRAME_SECONDS
    vibrato = rng.uniform(0, 0.6) * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * time + rng.uniform(0, 2 * np.pi))
    presence = _smoothed(rng.random(n_frames), 60)
    drift = 0.05 * _smoothed(rng.standard_normal(n_frames), 40) * np.sqrt(40)
    return np.asarray(55 * 2 ** ((semitones + vibrato * presence + drift) / 12))


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
        word = _draw_word(rng, clips, sample_rate)
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


def _notes(rng: np.random.Generator, n_frames: int, low: float, high: float) -> Array:
    """Semitones above 55 Hz of the note of each frame: a walk of at most two steps of a scale."""
    scale = _SCALES[str(rng.choice(list(_SCALES)))]
    key = rng.uniform(0, 12)
    allowed = np.sort([key + 12 * octave + step for octave in range(-2, 7) for step in scale])
    allowed = allowed[(allowed >= low) & (allowed <= high)]
    semitones, at = np.empty(n_frames), 0
    step = int(rng.integers(len(allowed)))
    while at < n_frames:
        length = int(rng.choice(_NOTE_SECONDS, p=_NOTE_SHARES) * rng.uniform(0.8, 1.25) / FRAME_SECONDS)
        step = int(np.clip(step + rng.integers(-2, 3), 0, len(allowed) - 1))
        semitones[at : at + length] = allowed[step]
        at += length
    return semitones


def _smoothed(values: Array, width: int) -> Array:
    """A mean over about `width` frames, weighted by a Hann window; ends are held."""
    window = np.hanning(width + 2)[1:-1]
    return np.asarray(np.convolve(np.pad(values, width, "edge"), window / window.sum(), "same")[width:-width])


def _second_voices(rng: np.random.Generator) -> list[float]:
    """Factors on the melody of all voices: the first, in a quarter a second one, in three of ten a double."""
    factors = [1.0]
    if rng.random() < 0.25:
        factors.append(2 ** (float(rng.choice(_INTERVALS)) / 12))
    if rng.random() < 0.3:
        factors.append(2 ** (rng.normal(0, 0.08) / 12))
    return factors


def _draw_word(rng: np.random.Generator, clips: Clips, sample_rate: int) -> Voice | None:
    """The next clip as a voice; None if it is too short or hardly voiced."""
    clip = clips.draw(rng, _WORD_SECONDS[1])
    if clip.shape[1] < _WORD_SECONDS[0] * sample_rate:
        return None
    voice = analyse(downmix(clip), sample_rate)
    return voice if voice.voiced.mean() >= _LEAST_VOICED else None


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
