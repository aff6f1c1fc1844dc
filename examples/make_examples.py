"""Makes the two example recordings from their sources; run once, the results are in the repository.

    python make_examples.py SONG.ogg CROWD.ogg DISC.mp3

The crowd is looped with a cross-fade, swells, and is mixed at 3 dB below the song over the whole excerpt.
"""

import sys
from pathlib import Path

import numpy as np

from concertclean.audio_io.formats import Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter

HERE = Path(__file__).parent
SECONDS = 24
SNR_DB = 3.0


def excerpt(path: str, start: float, seconds: float) -> tuple[np.ndarray, int]:
    """`(channel, time)` and the sample rate."""
    with AudioReader(path) as reader:
        rate = reader.info.sample_rate
        reader.skip(round(start * rate))
        return reader.read(round(seconds * rate)), rate


def loop(clip: np.ndarray, n_samples: int, fade: int) -> np.ndarray:
    """A clip repeated with cross-fades of `fade` samples."""
    ramp = np.linspace(0, 1, fade)
    joint = clip[:, -fade:] * (1 - ramp) + clip[:, :fade] * ramp
    body = clip[:, fade:-fade]
    turn = np.concatenate([joint, body], axis=1)
    return np.tile(turn, (1, n_samples // turn.shape[1] + 1))[:, :n_samples]


def main() -> None:
    """Writes both examples."""
    song, rate = excerpt(sys.argv[1], 28, SECONDS)
    crowd, _ = excerpt(sys.argv[2], 0, 60)
    crowd = loop(crowd, song.shape[1], rate)
    crowd = crowd * np.interp(np.arange(song.shape[1]) / rate, [0, 3, 8, 14, 18, 24], [1.2, 0.6, 0.5, 1.2, 0.5, 1.4])
    crowd = crowd * np.sqrt(np.square(song).mean() / np.square(crowd).mean()) * 10 ** (-SNR_DB / 20)
    mixture = song + crowd
    tags = {
        "title": "Let's Go Fishin' (with a crowd)",
        "artist": "Karissa Hobbs",
        "comment": "CC BY 3.0; crowd: MDN voice-change-o-matic, CC0",
    }
    storage = Storage("m4a", rate, 2, bit_rate=160_000)
    with AudioWriter(HERE / "lets-go-fishin-with-crowd.m4a", storage, tags=tags, overwrite=True) as writer:
        writer.write(mixture * 0.8 / np.abs(mixture).max())
    disc, rate = excerpt(sys.argv[3], 20.4, 16.7)  # the longest stretch without a damaged packet
    tags = {"title": "St. Louis Blues (1921)", "artist": "Original Dixieland Jazz Band with Al Bernard"}
    storage = Storage("mp3", rate, len(disc), bit_rate=160_000)
    with AudioWriter(HERE / "st-louis-blues-1921.mp3", storage, tags=tags, overwrite=True) as writer:
        writer.write(disc)


if __name__ == "__main__":
    main()
