"""Bands from MIDI files: who sings what, which guitars are distorted, and drums for a soundfont with one kit."""

import argparse
import importlib
import sys
from pathlib import Path

import mido
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
bands, stems_of = importlib.import_module("midi_bands"), importlib.import_module("midi_stems")

LEAD, GUITAR, BASS, DRUMS = 0, 1, 2, 9


@pytest.fixture
def song():
    """A flute with a chord in it, a guitar, a bass and a bass drum: message and seconds."""
    programs = [mido.Message("program_change", channel=c, program=p) for c, p in ((LEAD, 73), (GUITAR, 25), (BASS, 33))]
    found = [
        (0.0, message) for message in [*programs, mido.Message("control_change", channel=DRUMS, control=7, value=99)]
    ]
    for channel, note, begin, end in [
        (LEAD, 69, 0.0, 1.0), (LEAD, 72, 1.0, 2.0), (LEAD, 64, 1.0, 2.0), (LEAD, 76, 3.0, 3.02),
        (GUITAR, 52, 0.0, 3.0), (BASS, 40, 0.0, 3.0), (DRUMS, 36, 0.5, 0.6),
    ]:  # fmt: skip
        found.append((begin, mido.Message("note_on", channel=channel, note=note, velocity=90)))
        found.append((end, mido.Message("note_off", channel=channel, note=note)))
    return sorted(found, key=lambda event: event[0])


def test_the_highest_notes_of_the_lead_are_sung(song):
    notes = bands.lead_notes(song, stems_of.roles(song))
    assert [(note.begin, note.end, note.semitones) for note in notes] == [(0.0, 1.0, 36), (1.0, 2.0, 39)]


def test_only_guitars_are_distorted(song):
    changed = bands.distorted(song, np.random.default_rng(0))
    programs = {message.channel: message.program for _, message in changed if message.type == "program_change"}
    assert programs.pop(GUITAR) in (29, 30)
    assert programs == {LEAD: 73, BASS: 33}


def test_a_kit_gets_the_drums_on_the_first_channel(song):
    kit = bands.as_kit(song)
    assert [(now, message.type, message.channel, message.note) for now, message in kit] == [
        (0.5, "note_on", 0, 36),
        (0.6, "note_off", 0, 36),
    ]


def test_a_take_has_every_stem_at_its_own_level(song, monkeypatch):
    def tone(hz):
        return np.repeat(np.sin(2 * np.pi * hz * np.arange(3 * bands.SAMPLE_RATE) / bands.SAMPLE_RATE)[None], 2, axis=0)

    pitches = {"vocals": 1000.0, "bass": 100.0, "drums": 3000.0, "other": 400.0}
    monkeypatch.setattr(bands, "_stem", lambda song, stems, name, *rest: tone(pitches[name]))
    waveform = bands.take(song, argparse.Namespace(), np.random.default_rng(3))
    assert waveform.shape == (2, 3 * bands.SAMPLE_RATE)
    assert np.abs(waveform).max() == pytest.approx(0.9, abs=1e-4)
    spectrum = 20 * np.log10(np.abs(np.fft.rfft(waveform[0])))
    levels = {name: spectrum[round(3 * hz)] for name, hz in pitches.items()}
    assert max(levels.values()) - min(levels.values()) < 20
    assert len({round(level, 3) for level in levels.values()}) == 4


def test_a_song_without_a_lead_is_no_band(song):
    ground = [event for event in song if event[1].channel in (BASS, DRUMS)]
    assert bands.take(ground, argparse.Namespace(), np.random.default_rng(0)) is None
