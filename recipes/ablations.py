"""The same data, steps and width, one thing changed at a time: a table of what each part of KANUNet-ECA is worth.

    python recipes/ablations.py data/concert runs/ablations --steps 400 --seeds 1 2

Every run is `concertclean train` with `recipes/concert.toml` and the settings of its row; finished ones are skipped.
A row gives the mean over seeds of the gain in SI-SDR on the fixed validation mixtures, the SNR of clean music, and the
minutes.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

RECIPE = Path(__file__).parent / "concert.toml"
COMMON = {
    "network.config.base": 8,
    "network.config.plain_levels": 0,
    "optimizer.warmup": 60,
    "optimizer.freeze_norm": 200,
    "run.validate_every": 0,
    "run.save_every": 100_000,
    "run.validation_items": 12,
    "loss.caution": 0.02,
}
PLAIN = {"network.config.convolution": "plain", "run.compile": "off", "optimizer.learning_rate": 3e-3}
MASK = {"network.config.bands": 0, "network.config.n_fft": 2048, "network.config.hop_length": 1024,
        "network.config.exponent": 0.3}  # fmt: skip
ROWS: dict[str, dict[str, object]] = {
    "KANUNet-ECA": {},
    "KANUNet (no attention)": {"network.config.eca": False},
    "U-Net (plain convolutions, no attention)": {**PLAIN, "network.config.eca": False},
    "U-Net with attention": PLAIN,
    "plain top level": {"network.config.plain_levels": 1},
    "radial basis instead of splines": {"network.config.basis": "rbf"},
    "complex mask": {**PLAIN, **MASK, "network.config.output": "mask"},
    "complex mapping": {**PLAIN, **MASK, "network.config.output": "mapping"},
    "recorded crowds only": {"mixing.synthetic_share": 0.0},
}


def toml(value: object) -> str:
    """A value as TOML; `True` is `true` there."""
    return json.dumps(value)


def run(name: str, changes: dict[str, object], a: argparse.Namespace, seed: int) -> dict[str, float]:
    """Trains one row with one seed, unless that is done; what its validation said, and the minutes."""
    folder = a.output / f"{name}, seed {seed}"
    told = folder / "result.json"
    if not told.exists():
        settings = {**COMMON, **changes, "data.dataset": str(a.dataset), "run.steps": a.steps, "run.seed": seed}
        words = [word for key, value in settings.items() for word in ("--set", f"{key}={toml(value)}")]
        begin = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "concertclean", "train", "-c", str(RECIPE), "-o", str(folder), "-q", *words],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        result = next(line["validation"] for line in reversed(lines) if "validation" in line)
        told.write_text(json.dumps({**result, "minutes": (time.monotonic() - begin) / 60}))
    values: dict[str, float] = json.loads(told.read_text())
    return values


def main() -> None:
    """Runs what is not done yet and prints the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("dataset", type=Path)
    ask.add_argument("output", type=Path)
    ask.add_argument("--steps", type=int, default=400)
    ask.add_argument("--seeds", type=int, nargs="+", default=[1])
    a = ask.parse_args()
    heading: list[str] = []
    for name, changes in ROWS.items():
        results = [run(name, changes, a, seed) for seed in a.seeds]
        means = {key: sum(result[key] for result in results) / len(results) for key in results[0]}
        if not heading:
            heading = list(means)
            print(f"{a.steps} steps, seeds {a.seeds}\n| | " + " | ".join(heading) + " |")
            print("|---|" + "---|" * len(heading))
        print(f"| {name} | " + " | ".join(f"{means[key]:.1f}" for key in heading) + " |", flush=True)


if __name__ == "__main__":
    main()
