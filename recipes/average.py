"""The mean of the weights of runs that went on from each other, as a weights file of its own.

python recipes/average.py mean.safetensors runs/careful/concert.safetensors runs/more-crowds/concert-last.safetensors

References:
    Wortsman et al.: Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
    inference time, ICML 2022, section 2 (the uniform soup).
"""

import argparse
from pathlib import Path

import torch

from concertclean.train.checkpoint import halved
from concertclean.weights.file_format import load_state, read_header, save_weights


def average(out: Path, runs: list[Path]) -> None:
    """Writes the mean; what the last run says about itself stays, with the steps of all.

    Args:
        out: weights file to write, half precision as the trainer writes it.
        runs: weights files of one network.

    Raises:
        SystemExit: they are of different networks.
    """
    headers = [read_header(run) for run in runs]
    kinds = {(header.architecture, str(header.config)) for header in headers}
    if len(kinds) > 1:
        raise SystemExit(f"{', '.join(map(str, runs))}: are of different networks; give weights of one")
    states = [load_state(run) for run in runs]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if last.is_floating_point() else last
        for name, last in states[-1].items()
    }
    steps = ", ".join(header.provenance.get("steps", "?") for header in headers)
    provenance = {**headers[-1].provenance, "steps": f"mean of weights after {steps}"}
    save_weights(
        out, halved(mean), architecture=headers[0].architecture, config=headers[0].config, provenance=provenance
    )


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="weights file to write")
    parser.add_argument("runs", type=Path, nargs="+", help="weights files of one network")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    average(arguments.out, arguments.runs)


if __name__ == "__main__":
    main()
