"""Melodies for sung voices: notes, and the pitch of a voice that sings them.

A singer glides from note to note, with a vibrato that comes and goes and a little drift. The ranges are our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from concertclean.dsp.arrays import Array

FRAME_SECONDS: Final = 0.005
_SCALES: Final = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "pentatonic": (0, 3, 5, 7, 10)}
_NOTE_SECONDS: Final = (0.15, 0.2, 0.3, 0.4, 0.6, 0.9, 1.4)
_NOTE_SHARES: Final = (0.1, 0.2, 0.2, 0.2, 0.15, 0.1, 0.05)
_BREATH_SECONDS: Final = 0.25


@dataclass(frozen=True)
class Note:
    """A note of a melody.

    Attributes:
        begin: seconds.
        end: seconds, after `begin`.
        semitones: above 55 Hz.
    """

    begin: float
    end: float
    semitones: float


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
    return ornamented(rng, _notes(rng, n_frames, 12 * np.log2(low_hz / 55), 12 * np.log2(high_hz / 55)))


def ornamented(rng: np.random.Generator, semitones: Array) -> Array:
    """Pitches in Hz of the notes of each frame, in semitones above 55 Hz, with glides, vibrato and drift."""
    n_frames = len(semitones)
    semitones = _smoothed(semitones, max(1, int(rng.uniform(0.02, 0.09) / FRAME_SECONDS)))
    time = np.arange(n_frames) * FRAME_SECONDS
    vibrato = rng.uniform(0, 0.6) * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * time + rng.uniform(0, 2 * np.pi))
    presence = _smoothed(rng.random(n_frames), 60)
    drift = 0.05 * _smoothed(rng.standard_normal(n_frames), 40) * np.sqrt(40)
    return np.asarray(55 * 2 ** ((semitones + vibrato * presence + drift) / 12))


def phrases(notes: Sequence[Note]) -> list[list[Note]]:
    """Runs of at least one note each, without a breath between the notes."""
    found = [[notes[0]]]
    for last, note in pairwise(notes):
        if note.begin - last.end > _BREATH_SECONDS:
            found.append([])
        found[-1].append(note)
    return found


def held(phrase: Sequence[Note]) -> Array:
    """Semitones above 55 Hz of each frame; a note lasts until the next one begins."""
    edges = [round((note.begin - phrase[0].begin) / FRAME_SECONDS) for note in phrase]
    edges.append(max(edges[-1] + 1, round((phrase[-1].end - phrase[0].begin) / FRAME_SECONDS)))
    return np.repeat([note.semitones for note in phrase], np.maximum(0, np.diff(edges)))


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
