"""How sure what `concertclean dataset extract-noise` cuts out is noise alone.

    python recipes/noise_precision.py data/gramophone noise-detector

Makes transfers of discs from songs and noises of the test side: run-in, a song, a pause, another song, run-out, the
noise going on all the while. The songs come loud, quiet, with a fade, or with a room that rings on, so that what ends
is hard to tell. A frame holds music where that has at least half the power of the noise in some band; precision is the
share of the seconds cut out that hold none, recall the share of the seconds without music that were cut out.
"""

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

from concertclean.dataset.held_out import HeldOut
from concertclean.dataset.shelf import Shelf
from concertclean.dataset.store import Store
from concertclean.dsp import stft
from concertclean.networks.noise_detector import NoiseDetector
from concertclean.restore.noise_stretches import find_noise
from concertclean.synthesis.shaping import Waveform, rms
from concertclean.weights.loading import load_noise_detector

FORMS = ("loud", "quiet", "fade", "room")
_TRANSFERS = 40
_SONG_SECONDS, _PAUSE_SECONDS = 12.0, (3.0, 8.0)
_SNR_DB = (8.0, 30.0)


def transfer(rng: np.random.Generator, songs: Shelf, held_out: HeldOut, kind: str, form: str) -> tuple[Waveform, ...]:
    """Music and noise of a transfer, `(1, time)` each."""
    rate = songs.store.header.sample_rate
    pieces = [np.zeros((1, round(rng.uniform(*_PAUSE_SECONDS) * rate)), np.float32)]
    for _ in range(2):
        song = songs.draw(rng, _SONG_SECONDS)
        song = song.mean(axis=0, keepdims=True) / (rms(song) + 1e-6)
        pieces += [shaped(rng, song, form, rate), np.zeros((1, round(rng.uniform(*_PAUSE_SECONDS) * rate)), np.float32)]
    music = np.concatenate(pieces, axis=1)
    noise = held_out.kinds[kind](rng, music.shape[1]).mean(axis=0, keepdims=True)
    return 0.05 * music, 0.05 * noise / (rms(noise) + 1e-6) / 10 ** (rng.uniform(*_SNR_DB) / 20)


def shaped(rng: np.random.Generator, song: Waveform, form: str, rate: int) -> Waveform:
    """A song as the form says."""
    if form == "quiet":
        return song * np.float32(10 ** (rng.uniform(-20, -10) / 20))
    if form == "fade":
        seconds = np.arange(song.shape[1]) / rate
        return (song * 10 ** (-60 * np.maximum(0, seconds / seconds[-1] - 0.4) / 0.6 / 20)).astype(np.float32)
    if form == "room":
        time = np.arange(round(2.5 * rate)) / rate
        response = rng.standard_normal((1, len(time))) * 10 ** (-3 * time / rng.uniform(0.8, 2.5))
        response[0, 0] = 0.5 * np.sqrt(np.square(response).sum())
        n_fft = song.shape[1] + len(time)
        wet = np.fft.irfft(np.fft.rfft(song, n_fft) * np.fft.rfft(response, n_fft), n_fft)
        return (wet / (rms(wet) + 1e-6)).astype(np.float32)
    return song


def holds_noise_alone(detector: NoiseDetector, music: Waveform, noise: Waveform) -> np.ndarray:
    """Which frames hold no audible music."""
    spectra = (
        stft.spectrogram(torch.from_numpy(np.asarray(one, np.float32))[None], detector.window, detector.hop_length)
        for one in (music, noise)
    )
    return ~detector.is_audible(*spectra)[0].numpy()


def main(folder: str, model: str) -> None:
    """Prints a line a form."""
    store, detector = Store(Path(folder)), load_noise_detector(model)
    songs, held_out = Shelf(store, "clean", "test"), HeldOut(store, "test", 1)
    frame = detector.hop_length / detector.sample_rate
    right: dict[str, float] = defaultdict(float)
    cut, there = right.copy(), right.copy()
    for number in range(_TRANSFERS):
        form, kind = FORMS[number % len(FORMS)], list(held_out.kinds)[number // len(FORMS) % len(held_out.kinds)]
        music, noise = transfer(np.random.default_rng((7, number)), songs, held_out, kind, form)
        truth = holds_noise_alone(detector, music, noise)
        found = find_noise(iter([np.float64(music + noise)]), 1, store.header.sample_rate, detector)
        for name in (form, kind, "all"):
            there[name] += truth.sum() * frame
            for stretch in found:
                if not stretch.is_guess:
                    inside = truth[round(stretch.start_seconds / frame) : round(stretch.end_seconds / frame)]
                    cut[name] += len(inside) * frame
                    right[name] += inside.sum() * frame
    for name in there:
        precision = f"{right[name] / cut[name]:.3f}" if cut[name] else "  -  "
        print(f"{name:<12} precision {precision}  recall {right[name] / there[name]:.3f}  of {there[name]:.0f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
