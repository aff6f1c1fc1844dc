"""Bands with a singer, for `concert`: MIDI files with real drum kits, distorted guitars and a sung lead.

    apt-get install fluidsynth fluid-soundfont-gm timgm6mb-soundfont csound-soundfont avldrums.lv2-soundfont \
        musescore-general-soundfont simutrans-data openttd-openmsx kobodeluxe-data
    pip install mido
    sf=/usr/share/sounds midi=/usr/share/games
    python recipes/midi_bands.py bands \
        --midi $midi/simutrans/music $midi/openttd/baseset/openmsx /usr/share/kobo-deluxe/sfx \
        --soundfonts $sf/sf2/{FluidR3_GM,TimGM6mb}.sf2 $sf/sf3/MuseScore_General.sf3 /usr/share/samples/sf_GMbank.sf2 \
        --kits $sf/sf2/{Red_Zeppelin,Black_Pearl}_4_LV2.sf2 \
        --speakers "corpus/fillets-ng-data-cs/*-m-*" "corpus/fillets-ng-data-cs/*-v-*" \
        "corpus/klettres-data/klettres__ar__*" "corpus/ktuberling-data/sounds__"{fr,nn,da,lt}"*"
    concertclean dataset build concert data/concert --corpus corpus --clean bands ...

One stereo file a song and take, `FOLDER OF THE MIDI FILE/SONG TAKE.flac`. Each stem of `midi_stems.py` has a soundfont
and a level of its own; in most takes the drums are a kit recorded in a studio, and the lead is sung on the words of one
speaker (`synthesis/singing.py`). In some, guitars are distorted. Only speech of the training side may sing.

Licences as in `midi_stems.py`; musescore-general-soundfont MIT, csound-soundfont LGPL-2.1+, avldrums.lv2-soundfont
GPL-2+.
"""

import argparse
import tempfile
import zlib
from functools import lru_cache
from glob import glob
from pathlib import Path

import mido
import numpy as np
from midi_stems import DRUM_CHANNEL, FEWEST_STEMS, Event, Instrument, render, roles, songs, sounded, stem

from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.whole import write_waveform
from concertclean.dsp.resample import resample
from concertclean.synthesis.melody import Note
from concertclean.synthesis.shaping import Waveform, rms, unit_peak
from concertclean.synthesis.singing import Voice, analyse_word, shift_formants, sing_notes

SAMPLE_RATE = 44_100
_GUITARS, _DISTORTED = range(24, 29), (29, 30)
_A1 = 33  # MIDI note of 55 Hz
_SPREAD_DB = 3.0  # of the levels of stems
_VOCALS_DB = 2.0  # over the others
_SUNG_SHARE, _KIT_SHARE, _DISTORTED_SHARE = 0.8, 0.7, 0.4
_WORDS = 40  # of a speaker; their analysis is what takes time
_LONGEST_WORD_SECONDS = 4.0
_SHORTEST_SECONDS = 0.05  # of a note that is sung


def distorted(song: list[Event], rng: np.random.Generator) -> list[Event]:
    """The song with its guitars overdriven or distorted."""
    sound = int(rng.choice(_DISTORTED))

    def changed(message: mido.Message) -> mido.Message:
        is_guitar = message.type == "program_change" and message.program in _GUITARS
        return message.copy(program=sound) if is_guitar else message

    return [(now, changed(message)) for now, message in song]


def as_kit(song: list[Event]) -> list[Event]:
    """The drums alone, for a soundfont that has one kit as its first sound."""
    notes = [(now, message) for now, message in song if message.type in ("note_on", "note_off")]
    return [(now, message.copy(channel=0)) for now, message in notes if message.channel == DRUM_CHANNEL]


def lead_notes(song: list[Event], stems: dict[Instrument, str]) -> list[Note]:
    """Notes of the instrument that is called `vocals`, the highest of those that begin together and can be sung."""
    found = [
        Note(begin, end, note - _A1)
        for instrument, note, begin, end in sounded(song)
        if stems.get(instrument) == "vocals" and end - begin > _SHORTEST_SECONDS
    ]
    found.sort(key=lambda note: (note.begin, note.semitones))
    return list({note.begin: note for note in found}.values())


@lru_cache(maxsize=8)
def words_of(speaker: str) -> tuple[Voice, ...]:
    """Words of a speaker, as the vocoder has them."""
    paths = sorted(glob(speaker))
    np.random.default_rng(0).shuffle(paths)
    words: list[Voice] = []
    for path in paths:
        word = analyse_word(_read(Path(path))[:, : round(_LONGEST_WORD_SECONDS * SAMPLE_RATE)], SAMPLE_RATE)
        if word is not None:
            words.append(word)
        if len(words) == _WORDS:
            break
    return tuple(words)


def take(song: list[Event], given: argparse.Namespace, rng: np.random.Generator) -> Waveform | None:
    """One take of a song, `(2, time)`; None for a song without a lead and two more stems."""
    song = distorted(song, rng) if rng.random() < _DISTORTED_SHARE else song
    stems = roles(song)
    names = sorted(set(stems.values()))
    notes = lead_notes(song, stems)
    if len(names) < FEWEST_STEMS or not notes:
        return None
    parts = [_stem(song, stems, name, notes, given, rng) for name in names]
    total = np.zeros((2, max(part.shape[1] for part in parts)))
    for name, part in zip(names, parts, strict=True):
        level_db = rng.normal(_VOCALS_DB if name == "vocals" else 0.0, _SPREAD_DB)
        total[:, : part.shape[1]] += part * (10 ** (level_db / 20) / max(rms(part), 1e-4))
    return np.asarray(unit_peak(np.tanh(unit_peak(total) * rng.uniform(0.5, 1.5))) * 0.9, np.float32)


def _stem(
    song: list[Event],
    stems: dict[Instrument, str],
    name: str,
    notes: list[Note],
    given: argparse.Namespace,
    rng: np.random.Generator,
) -> Waveform:
    if name == "vocals" and rng.random() < _SUNG_SHARE:
        words = words_of(str(rng.choice(given.speakers)))
        factor = rng.uniform(0.92, 1.1)
        return sing_notes(rng, [shift_formants(word, factor) for word in words], notes, SAMPLE_RATE)
    if name == "drums" and rng.random() < _KIT_SHARE:
        song, stems, soundfont = as_kit(song), {(0, 0): "drums"}, rng.choice(given.kits)
    else:
        soundfont = rng.choice(given.soundfonts)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "stem.flac"
        render(stem(song, stems, name), soundfont, path, SAMPLE_RATE)
        return _read(path)


def _read(path: Path) -> Waveform:
    with AudioReader(path) as reader:
        return np.asarray(resample(reader.read_all(), reader.info.sample_rate, SAMPLE_RATE), np.float32)


def main() -> None:
    """Renders what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="folder; a folder for every folder of MIDI files goes into it")
    parser.add_argument("--midi", type=Path, nargs="+", required=True, help="folders of MIDI files")
    parser.add_argument("--soundfonts", type=Path, nargs="+", required=True, help="General MIDI, .sf2 or .sf3")
    parser.add_argument(
        "--kits", type=Path, nargs="+", required=True, help="soundfonts whose first sound is a drum kit"
    )
    parser.add_argument("--speakers", nargs="+", required=True, help="patterns of audio files, one speaker each")
    parser.add_argument("--takes", type=int, default=2, help="of each song")
    parser.add_argument("--seconds", type=float, default=75.0, help="of a song at most")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for path, song in songs(given.midi, given.seconds):
        for number in range(given.takes):
            rng = np.random.default_rng((given.seed, zlib.crc32(path.name.encode()), number))
            target = given.output / path.parent.name / f"{path.stem} {number + 1}.flac"
            found = None if target.exists() else take(song, given, rng)
            if found is None:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            write_waveform(target, found, SAMPLE_RATE, bit_depth=16)
            print(target, flush=True)


if __name__ == "__main__":
    main()
