"""Songs of seconds rendered from lists of notes, a stem each for bass, drums, other and vocals."""

from pathlib import Path

import numpy as np
import soundfile

Array = np.ndarray
BEAT_SECONDS = 0.25

# (first beat, beats, pitch as in MIDI); drums: (beat, share of noise)
BASS = [(0, 2, 36), (3, 1, 43), (4, 2, 41), (7, 1, 38), (8, 3, 36), (12, 2, 43)]
CHORDS = [(0, 4, (60, 64, 67)), (4, 3, (65, 69, 72)), (8, 4, (60, 64, 67)), (12, 4, (55, 59, 62))]
TUNE = [(1, 2, 72), (3, 1, 74), (5, 2, 76), (8, 1, 79), (9, 2, 76), (12, 3, 74)]
CLICKS = [(beat, 0.2 if beat % 2 else 0.9) for beat in range(16)]


def render(sample_rate: int, seconds: float, transpose: int = 0) -> dict[str, Array]:
    """Stems by name, `(time,)`, rms 0.05 to 0.1; the list of notes starts again after sixteen beats."""
    n_samples = round(seconds * sample_rate)
    rng = np.random.default_rng(transpose)
    stems = {name: np.zeros(n_samples) for name in ("bass", "drums", "other", "vocals")}
    for bar in range(-(-n_samples // round(16 * BEAT_SECONDS * sample_rate))):
        at = 16 * bar
        for first, beats, pitch in BASS:
            _add(stems["bass"], at + first, _tone(sample_rate, beats, pitch + transpose, (1, 0.5, 0.3), decay=2))
        for first, beats, chord in CHORDS:
            for pitch in chord:
                _add(stems["other"], at + first, _tone(sample_rate, beats, pitch + transpose, (1, 0.2, 0.1), decay=4))
        for first, beats, pitch in TUNE:
            tone = _tone(sample_rate, beats, pitch + transpose, (1, 0.7, 0.4, 0.3), vibrato=0.01)
            _add(stems["vocals"], at + first, tone)
        for first, noisy in CLICKS:
            _add(stems["drums"], at + first, _click(sample_rate, noisy, rng))
    return {name: 0.07 * stem / np.sqrt(np.square(stem).mean()) for name, stem in stems.items()}


def write_song(folder: Path, sample_rate: int, seconds: float, transpose: int = 0) -> None:
    """The stems of a song as WAV files."""
    folder.mkdir(parents=True)
    for name, stem in render(sample_rate, seconds, transpose).items():
        soundfile.write(folder / f"{name}.wav", stem, sample_rate, subtype="PCM_16")


def _tone(
    sample_rate: int, beats: float, pitch: int, partials: tuple[float, ...], *, decay: float = 0.0, vibrato: float = 0.0
) -> tuple[int, Array]:
    time = np.arange(round(beats * BEAT_SECONDS * sample_rate)) / sample_rate
    phase = 2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * (time + vibrato * np.sin(2 * np.pi * 6 * time) / 6)
    wave = sum(level * np.sin((k + 1) * phase) for k, level in enumerate(partials))
    edge = np.minimum(1, np.minimum(time, time[::-1]) / 0.01)
    return sample_rate, wave * edge * np.exp(-decay * time)


def _click(sample_rate: int, noisy: float, rng: np.random.Generator) -> tuple[int, Array]:
    time = np.arange(round(0.15 * sample_rate)) / sample_rate
    thud = np.sin(2 * np.pi * 60 * time) * np.exp(-time / 0.05)
    return sample_rate, noisy * rng.standard_normal(len(time)) * np.exp(-time / 0.02) + (1 - noisy) * thud


def _add(stem: Array, beat: float, sound: tuple[int, Array]) -> None:
    sample_rate, wave = sound
    start = round(beat * BEAT_SECONDS * sample_rate)
    kept = wave[: max(0, len(stem) - start)]
    stem[start : start + len(kept)] += kept
