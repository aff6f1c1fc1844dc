"""Bands without end: MIDI files played by a General MIDI soundfont, a folder of stems for every song.

    apt-get install fluidsynth fluid-soundfont-gm simutrans-data openttd-openmsx kobodeluxe-data
    apt-get install timgm6mb-soundfont planetblupi-music-midi
    pip install mido
    python recipes/midi_stems.py stems/train /usr/share/sounds/sf2/FluidR3_GM.sf2 /usr/share/games/simutrans/music \
        /usr/share/games/openttd/baseset/openmsx /usr/share/kobo-deluxe/sfx
    python recipes/midi_stems.py stems/test /usr/share/sounds/sf2/TimGM6mb.sf2 /usr/share/planetblupi/music

Stems are called as MUSDB18-HQ calls them: `drums` is channel 10, `bass` the programs 33 to 40, `vocals` the lead
melody, `other` the rest. Nobody sings: `vocals` is the instrument whose notes lie highest among those that play much,
be it a flute or a guitar. A role that no instrument has gives no stem, and a song with fewer than three stems is left
out. Nothing reverberates, as in a close microphone; rooms come with the conditions of `dataset build bleed`.

Licences (debian/copyright): simutrans-data Artistic-1.0, openttd-openmsx GPL-2.0, kobodeluxe-data GPL-2+ or LGPL-2.1+,
planetblupi-music-midi GPL-3+, fluid-soundfont-gm MIT, timgm6mb-soundfont
GPL-2; mido is MIT, fluidsynth LGPL-2.1+.
"""

import argparse
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import mido
from mido.midifiles.meta import KeySignatureError

Instrument = tuple[int, int]  # channel and program, from 0
Event = tuple[float, mido.Message]

DRUM_CHANNEL = 9
FEWEST_STEMS = 3
_ALL_SOUND_OFF = 120
_BASSES = range(32, 40)
_TICKS_PER_SECOND = 960  # at the default tempo, 120 quarters a minute
_MUCH = 0.2  # of the sounding time of the busiest instrument


def events(path: Path, seconds: float) -> list[Event]:
    """Messages of the channels and when they come, in seconds; the rest of a longer song is left out.

    Raises:
        ValueError, OSError, EOFError, KeySignatureError: not a MIDI file, or a damaged one.
    """
    found, now = [], 0.0
    for message in mido.MidiFile(path, clip=True):
        now += message.time
        if now > seconds:
            break
        if not message.is_meta:
            found.append((now, message))
    return found


def songs(folders: Iterable[Path], seconds: float) -> Iterator[tuple[Path, list[Event]]]:
    """The MIDI files of some folders, in order of their paths, with their events; damaged ones are reported."""
    for path in sorted(path for folder in folders for path in folder.glob("*.[mM][iI][dD]")):
        try:
            song = events(path, seconds)
        except (ValueError, OSError, EOFError, KeySignatureError) as error:
            print(f"{path}: left out ({error})")
        else:
            yield path, song


def played(song: list[Event]) -> Iterator[tuple[float, mido.Message, Instrument]]:
    """Beginnings and ends of notes, and whose they are."""
    programs: dict[int, int] = defaultdict(int)
    for now, message in song:
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type in ("note_on", "note_off"):
            yield now, message, (message.channel, programs[message.channel])


def sounded(song: list[Event]) -> Iterator[tuple[Instrument, int, float, float]]:
    """Notes that have ended: whose, MIDI number, beginning and end in seconds."""
    begun: dict[tuple[int, int], float] = {}
    for now, message, instrument in played(song):
        key = message.channel, message.note
        begin = begun.pop(key, None)
        if begin is not None:
            yield instrument, message.note, begin, now
        if message.type == "note_on" and message.velocity:
            begun[key] = now


def roles(song: list[Event]) -> dict[Instrument, str]:
    """The stem of every instrument that plays."""
    seconds: dict[Instrument, float] = defaultdict(float)
    pitches: dict[Instrument, float] = defaultdict(float)
    for instrument, note, begin, end in sounded(song):
        seconds[instrument] += end - begin
        pitches[instrument] += (end - begin) * note
    stems = {one: "drums" if one[0] == DRUM_CHANNEL else "bass" for one in seconds if _is_ground(one)}
    melodic = {one: length for one, length in seconds.items() if one not in stems and length}
    busy = [one for one, length in melodic.items() if length >= _MUCH * max(melodic.values())]
    lead = max(busy, key=lambda one: pitches[one] / seconds[one], default=None)
    return stems | {one: "vocals" if one == lead else "other" for one in melodic}


def _is_ground(instrument: Instrument) -> bool:
    return instrument[0] == DRUM_CHANNEL or instrument[1] in _BASSES


def stem(song: list[Event], stems: dict[Instrument, str], name: str) -> mido.MidiFile:
    """The song with the notes of one stem alone, as long as the song."""
    mine = {id(message) for _, message, one in played(song) if message.type == "note_off" or stems.get(one) == name}
    track, last = mido.MidiTrack(), 0
    for now, message in song:
        tick = round(now * _TICKS_PER_SECOND)
        if message.type != "note_on" or not message.velocity or id(message) in mine:
            track.append(message.copy(time=tick - last))
            last = tick
    end = round(song[-1][0] * _TICKS_PER_SECOND)
    for channel in range(16):  # a note held where the song is cut would sound for ever
        silence = mido.Message("control_change", channel=channel, control=_ALL_SOUND_OFF, time=end - last)
        track.append(silence)
        last = end
    track.append(mido.MetaMessage("end_of_track"))
    return mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_SECOND // 2, tracks=[track])


def render(midi: mido.MidiFile, soundfont: Path, target: Path, sample_rate: int) -> None:
    """Plays a MIDI file into a FLAC file."""
    with tempfile.TemporaryDirectory() as scratch:
        score = Path(scratch) / "stem.mid"
        midi.save(score)
        quiet_and_dry = ["-n", "-i", "-q", "-R", "0", "-C", "0", "-g", "0.4"]
        made = ["-r", str(sample_rate), "-T", "flac", "-O", "s16", "-F", str(target)]
        subprocess.run(["fluidsynth", *quiet_and_dry, *made, str(soundfont), str(score)], check=True)


def main() -> None:
    """Renders what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="folder; a folder for every song goes into it")
    parser.add_argument("soundfont", type=Path, help="General MIDI, .sf2")
    parser.add_argument("midi", type=Path, nargs="+", help="folders of MIDI files; a folder is an artist")
    parser.add_argument("--seconds", type=float, default=120.0, help="of a song at most")
    parser.add_argument("--sample-rate", type=int, default=22_050, help="Hz")
    arguments = parser.parse_args()
    for path, song in songs(arguments.midi, arguments.seconds):
        stems = roles(song)
        folder = arguments.output / f"{path.parent.name}-{path.stem.replace(' ', '-')}"
        names = sorted(set(stems.values()))
        if len(names) < FEWEST_STEMS:
            print(f"{path}: left out (nothing but {', '.join(names)})")
            continue
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            render(stem(song, stems, name), arguments.soundfont, folder / f"{name}.flac", arguments.sample_rate)
        print(f"{folder.name}: {', '.join(names)}", flush=True)


if __name__ == "__main__":
    main()
