"""How much ideal gains can win on the test mixtures: every bin, four neighbouring bins, or bands of `BandGains`.

python ceiling.py BANKS concert
python ceiling.py BANKS gramophone --surface denube.ogg
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from evaluate import mix, si_sdr_db, test_split

from concertclean.dsp import stft
from concertclean.models.band_gains import band_edges

FRAMES = [(512, 128, 0), (2048, 1024, 0), (2048, 1024, 4), (4096, 1024, 0)] + [
    (4096, 1024, n_bands) for n_bands in (640, 512, 384, 320, 256)
]  # samples of a frame, hop, and 0 every bin, 4 four neighbours, else bands


def edges_of(n_bins: int, shared: int) -> np.ndarray:
    """First bin of every group of bins that shares a gain."""
    if shared == 0:
        return np.arange(n_bins)
    return np.arange(0, n_bins, 4) if shared == 4 else band_edges(n_bins, shared)[:-1].numpy()


def ideal(degraded: np.ndarray, clean: np.ndarray, n_fft: int, hop: int, shared: int) -> np.ndarray:
    """Estimate under the gains `clean / (clean + noise)` of the powers."""
    window = stft.window("hann", n_fft).double()
    mixture, target = (stft.spectrogram(torch.from_numpy(x), window, hop).numpy() for x in (degraded, clean))
    edges = edges_of(n_fft // 2 + 1, shared)
    wanted, noise = (np.add.reduceat(np.abs(x) ** 2, edges, axis=1) for x in (target, mixture - target))
    gain = np.repeat(wanted / (wanted + noise + 1e-20), np.diff(edges, append=n_fft // 2 + 1), axis=1)
    return stft.waveform(torch.from_numpy(gain * mixture), window, hop, degraded.shape[1]).numpy()


def main() -> None:
    """Prints one line a way of sharing."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("banks", type=Path)
    ask.add_argument("system", choices=["concert", "gramophone"])
    ask.add_argument("--items", type=int, default=12)
    ask.add_argument("--ratio", type=float, default=5.0)
    ask.add_argument("--surface", type=Path)
    a = ask.parse_args()
    songs, noises = test_split(a.banks, a.system, a.items, a.surface)
    for n_fft, hop, shared in FRAMES:
        gains = []
        for song in songs:
            for noise in noises.values():
                degraded, clean = mix(song, noise, a.ratio)
                estimate = ideal(degraded, clean, n_fft, hop, shared)
                gains.append(si_sdr_db(clean, estimate) - si_sdr_db(clean, degraded))
        print(f"{n_fft} / {hop}, {shared or 'every bin'}: {np.mean(gains):+.1f} dB", flush=True)


if __name__ == "__main__":
    main()
