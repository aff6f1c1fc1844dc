"""Decodes the training corpus once into flat int16 banks that mixing reads at random without decoding.

A bank is `NAME.npy`, int16 `(time, 2)` at 44.1 kHz, and `NAME.json`, a list of `[path, start, length]`.
Which file belongs to which bank, and to training or test, is decided here and nowhere else: by package and artist,
never by file.

    python bank.py CORPUS VOICES EXTRA OUT      # the three input folders are listed in recipes/README.md
"""

import argparse
import json
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 44100
AUDIO = {".ogg", ".wav", ".mp3", ".flac"}

TEST_MUSIC = (
    "freedink-data/|renpy-demo/|unknown-horizons/|performous/default__menu|fretsonfire-songs-muldjord/.*song|"
    "marsshooter-data/.*(orphanage|fear|starfall|second_birth|wings|farewell)"
)
TEST_CROWD = r"raving_crowd01|goal_scored|concert-crowd"
DEMO_MUSIC = r"Karissa"  # the demo's song: in neither split
VOICE_LANGUAGE = r"_(fr|ca|bg|es|el|da|nl|de|desc)\.ogg$"
BANKS: dict[str, tuple[str, str, float, int]] = {
    # name: (pattern of the path, exclude, seconds a file, at most so many files)
    "music_test": (TEST_MUSIC, r"B_crowd|C_vinyl|practice", 120, 10**6),
    "music_train": (
        r"A_music|D_stems/fretsonfire-songs-sectoid/.*song|data/music/",
        TEST_MUSIC + "|practice|" + DEMO_MUSIC,
        75,
        10**6,
    ),
    "crowd_test": (TEST_CROWD, "$^", 60, 10**6),
    "crowd_train": (
        r"B_crowd/(?!hydrogen|lmms-common/drums)|data/crowd/",
        TEST_CROWD + r"|amb_farm|B_crowd/unknown-horizons",
        60,
        10**6,
    ),
    "clap": (r"hydrogen-drumkits|drums__clap", "$^", 2, 10**6),
    "shout": (r"Sounds/voices/", "$^", 5, 10**6),
    "speech": (VOICE_LANGUAGE, "Sounds", 6, 1200),
    "disc_train": (
        r"C_vinyl/(sonic|supertux)|vinyl_hiss|hum_50Hz|ESC-10__(002|005|010).*-[0-9]+-A",
        r"rewind|backspin|scratch|ESC-10__0.*__(4|5)-",
        60,
        10**6,
    ),
    "disc_test": (r"ESC-10__(002|010).*__(4|5)-[0-9]+-", "$^", 60, 10**6),
    "response": (r"impulse_responses/", "dark_|bright_", 3, 10**6),
}


def decode(path: Path, seconds: float) -> np.ndarray:
    """Middle `seconds` of a file as int16 `(time, 2)`, peak at 0.9; empty when it cannot be read or is silent."""
    try:
        with soundfile.SoundFile(path) as file:
            wanted = int(seconds * file.samplerate)
            file.seek(max(0, (file.frames - wanted) // 2))
            audio = file.read(wanted, dtype="float32", always_2d=True)
            rate = file.samplerate
    except (soundfile.LibsndfileError, RuntimeError):
        return np.zeros((0, 2), np.int16)
    audio = audio[:, :2] if audio.shape[1] >= 2 else np.repeat(audio, 2, axis=1)
    if rate != RATE:
        audio = soxr.resample(audio, rate, RATE, quality="HQ")
    peak = np.abs(audio).max(initial=0)
    if peak < 1e-3:
        return np.zeros((0, 2), np.int16)
    return np.round(audio * (0.9 / peak) * 32767).astype(np.int16)


def build(name: str, files: list[Path], out: Path) -> None:
    """Decodes the files of one bank in parallel and writes it."""
    pattern, exclude, seconds, limit = BANKS[name]
    chosen = [p for p in files if re.search(pattern, str(p)) and not re.search(exclude, str(p))]
    chosen = chosen[:: max(1, len(chosen) // limit)]
    with ProcessPoolExecutor(2) as pool:
        pieces = list(pool.map(decode, chosen, [seconds] * len(chosen), chunksize=4))
    index, start, kept = [], 0, []
    for path, piece in zip(chosen, pieces, strict=True):
        if len(piece) > RATE // 20:
            index.append([str(path), start, len(piece)])
            kept.append(piece)
            start += len(piece)
    np.save(out / f"{name}.npy", np.concatenate(kept))
    (out / f"{name}.json").write_text(json.dumps(index))
    print(f"{name}: {len(index)} of {len(chosen)} files, {start / RATE / 60:.1f} min", flush=True)


def main() -> None:
    """Builds every bank."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("folders", nargs="+", type=Path)
    ask.add_argument("out", type=Path)
    a = ask.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    files = sorted(p for folder in a.folders for p in folder.rglob("*") if p.suffix.lower() in AUDIO)
    for name in BANKS:
        build(name, files, a.out)


if __name__ == "__main__":
    main()
