"""Compares short runs on items of the training law that no run drew, so that choices do not need the test split.

python compare.py BANKS concert A.safetensors B.safetensors --items 24
"""

import argparse
from pathlib import Path

import mixing
import numpy as np
import torch
from evaluate import si_sdr_db, snr_db

from concertclean.models.registry import load_model

SECONDS = 3
SEED = (99, 7)


def main() -> None:
    """Prints the mean gain in SI-SDR at three ratios, and the SNR of clean items passed through."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("banks", type=Path)
    ask.add_argument("system", choices=["concert", "gramophone"])
    ask.add_argument("models", nargs="+")
    ask.add_argument("--items", type=int, default=24)
    a = ask.parse_args()
    torch.set_num_threads(1)
    maker = (mixing.Concert if a.system == "concert" else mixing.Gramophone)(a.banks)
    for name in a.models:
        model = load_model(name).model.eval()
        told = []
        for ratio in (0.0, 5.0, 12.0, np.inf):
            is_clean = ratio == np.inf
            values = []
            for number in range(a.items):
                degraded, clean = maker.item((*SEED, number), SECONDS * mixing.RATE, ratio)
                with torch.inference_mode():
                    estimate = model(torch.from_numpy(degraded.copy())[None])[0, 0].numpy()
                if is_clean:
                    values.append(snr_db(clean, estimate))
                else:
                    values.append(si_sdr_db(clean, estimate) - si_sdr_db(clean, degraded))
            told.append(f"{'clean' if is_clean else ratio}: {np.mean(values):+.1f}")
        print(f"{name}: " + ", ".join(told), flush=True)


if __name__ == "__main__":
    main()
