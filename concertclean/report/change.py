"""The change from before to after: the numbers, and the excerpt that changed most, in one pass over the files."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.levels import EnergyMeter, LoudnessMeter, reduction_db, to_db
from concertclean.errors import AudioFileError
from concertclean.report.pairs import Pair, PairFacts, blocks

STEP_SECONDS = 0.1
_STEPS_A_SECOND = round(1 / STEP_SECONDS)


@dataclass(frozen=True)
class Change:
    """A recording before and after, in numbers.

    Attributes:
        seconds: length.
        lufs_before, lufs_after, lufs_removed: integrated loudness; -inf for silence.
        peak_before_db, peak_after_db, peak_removed_db: sample peaks, dB of full scale.
        reduction_db, reduction_p95_db: level of before over after in each second that is not silent, mean and 95th
            percentile.
        removed_energies: of before minus after, one value per 0.1 s, all channels together.
    """

    seconds: float
    lufs_before: float
    lufs_after: float
    lufs_removed: float
    peak_before_db: float
    peak_after_db: float
    peak_removed_db: float
    reduction_db: float
    reduction_p95_db: float
    removed_energies: NDArray[np.float64]


def measure(pair: Pair, known: PairFacts, progress: Callable[[float], None] = lambda seconds: None) -> Change:
    """The change over the whole result, at the recording's own rate.

    Args:
        pair: the files.
        known: from their headers.
        progress: receives the number of seconds done.

    Raises:
        AudioFileError: a file is damaged or empty, or one is longer than the other.
    """
    rate = known.sample_rate
    meters = [LoudnessMeter(rate, known.channels) for _ in range(3)]
    energies = [EnergyMeter(round(STEP_SECONDS * rate)) for _ in range(3)]
    n_samples = 0
    for before, after in blocks(pair, rate):
        for block, meter, energy in zip((before, after, before - after), meters, energies, strict=True):
            meter.add(block)
            energy.add(block)
        n_samples += before.shape[1]
        progress(n_samples / rate)
    if not n_samples:
        raise AudioFileError(f"{pair.after}: contains 0 samples; there is nothing to compare")
    mean_db, p95_db = reduction_db(*(_in_seconds(energy.values()) for energy in energies[:2]))
    return Change(
        seconds=n_samples / rate,
        lufs_before=meters[0].integrated(),
        lufs_after=meters[1].integrated(),
        lufs_removed=meters[2].integrated(),
        peak_before_db=to_db(meters[0].peak),
        peak_after_db=to_db(meters[1].peak),
        peak_removed_db=to_db(meters[2].peak),
        reduction_db=mean_db,
        reduction_p95_db=p95_db,
        removed_energies=energies[2].values(),
    )


def _in_seconds(energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energies of steps, summed to seconds."""
    sums: NDArray[np.float64] = np.add.reduceat(energies, np.arange(0, len(energies), _STEPS_A_SECOND))
    return sums


def most_changed(removed_energies: NDArray[np.float64], n_steps: int) -> int:
    """First step of the window with the largest energy; the earliest of equals.

    Args:
        removed_energies: one value per step.
        n_steps: length of the window, at least 1; the result is 0 if there are no more steps than that.
    """
    if len(removed_energies) <= n_steps:
        return 0
    sums = np.concatenate([[0.0], np.cumsum(removed_energies)])
    return int(np.argmax(sums[n_steps:] - sums[:-n_steps]))
