"""Damages files and runs on them what the commands run: `python -m tests.fuzz.run`, or `make fuzz`.

No case may end with an exception other than `ConcertCleanError`, with a signal, after 20 s, above 1 GB, with something
left over, with an output of another length, or with a word of a library on the terminal.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.cases import make_case
from tests.fuzz.jobs import run_case
from tests.fuzz.seeds import make_seeds
from tests.fuzz.workers import Result, run_cases


def main(words: list[str] | None = None) -> int:
    """Returns 1 if a case failed, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description="Run commands on damaged files.")
    parser.add_argument("-n", type=int, default=2000, help="number of cases")
    parser.add_argument("--seed", type=int, default=0, help="decides all cases")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="only this case; its files are kept")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes")
    parser.add_argument("--keep", type=Path, help="folder for the files of failed cases; default: a temporary one")
    given = parser.parse_args(words)
    keep = given.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    seeds = make_seeds()
    numbers = range(given.first, given.first + given.n) if given.case is None else [given.case]
    cases = (make_case(seeds, given.seed, number) for number in numbers)
    begin, counts, slowest = time.monotonic(), Counter[str](), (0.0, 0)
    with tempfile.TemporaryDirectory() as scratch:
        for result in run_cases(cases, run_case, folder=Path(scratch), n_workers=given.jobs):
            counts[result.status] += 1
            slowest = max(slowest, (result.seconds, result.case.number))
            if result.status == "failed" or given.case is not None:
                _keep(result, keep, given.seed)
            _show_progress(counts, len(numbers))
    seconds = time.monotonic() - begin
    _say(
        f"{sum(counts.values())} cases in {seconds:.0f} s with seed {given.seed}: {_in_words(counts)}; "
        f"the slowest was case {slowest[1]} with {slowest[0]:.1f} s\n"
    )
    if given.keep is None and not any(keep.iterdir()):
        keep.rmdir()
    return 1 if counts["failed"] else 0


def _keep(result: Result, folder: Path, seed: int) -> None:
    """Keeps the files of a case and reports it."""
    place = folder / f"case-{seed}-{result.case.number}"
    result.case.write(place)
    again = f"make fuzz SEED={seed} CASE={result.case.number}"
    line = "\r" if sys.stderr.isatty() else ""  # over the progress
    _say(f"{line}{result.case}: {result.status}\n{result.reason}\nfiles: {place}\nagain: {again}\n\n")


def _show_progress(counts: Counter[str], n_cases: int) -> None:
    if sys.stderr.isatty():
        _say(f"\r{sum(counts.values())} of {n_cases}: {_in_words(counts)} ")


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[status]} {status}" for status in ("done", "refused", "failed"))


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
