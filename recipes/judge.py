"""How good weights are on validation mixtures: a row for each, as in the tables of recipes/README.md.

python recipes/judge.py data/concert concert runs/concert/concert-last.safetensors [--items 16]
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from concertclean.dataset.fixed import read_fixed
from concertclean.dataset.store import Store
from concertclean.evaluate.tables import as_markdown
from concertclean.train.validation import validate
from concertclean.weights.loading import load_model

HEADINGS = ["weights", "SI-SDR gain", "lost", "left", "sung, not sung", "kinds", "worse (worst)", "clean, worst"]


def row(found: Mapping[str, Any]) -> list[str]:
    """The cells after the first, dB; the first three at each ratio of music and noise.

    Args:
        found: what `validate` returns.
    """

    def of(prefix: str) -> dict[str, float]:
        return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}

    kinds = of("si_sdr_gain, ")
    sung = [kinds.pop(name) for name in ("sung", "not sung") if name in kinds]
    by_ratio = [of(f"{name} at ").values() for name in ("si_sdr_gain", "music_lost", "noise_left")]
    return [
        *(" / ".join(f"{value:.1f}" for value in values) for values in by_ratio),
        ", ".join(f"{gain:.1f}" for gain in sung),
        ", ".join(f"{kind} {gain:.1f}" for kind, gain in kinds.items()),
        f"{100 * found['share_worse']:.0f} % ({found['worst']:.1f})",
        f"{found['clean_snr']:.1f}, {found['worst_clean_snr']:.1f}" if "clean_snr" in found else "",
    ]


def main() -> None:
    """Reads the command line and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("weights", nargs="+", help="names of models, or weights files")
    parser.add_argument("--items", type=int, default=16, help="mixtures at each ratio")
    arguments = parser.parse_args()
    store = Store(arguments.dataset)
    rows = []
    for name in arguments.weights:
        print(f"{name} ...", file=sys.stderr, flush=True)
        network = load_model(name).model
        found = validate(network, read_fixed(store, "validation", arguments.items), torch.device("cpu"))
        rows.append([name, *row(found)])
    print(as_markdown([("dB, at each ratio of music and noise:", HEADINGS, rows)]))


if __name__ == "__main__":
    main()
