"""Excerpt and numbers, from waveforms whose answer is known."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from concertclean.errors import AudioFileError
from concertclean.report.change import measure, most_changed
from concertclean.report.pairs import Pair, blocks, facts

RATE = 44_100
Save = Callable[..., Path]


def test_most_changed_is_the_window_with_the_largest_energy() -> None:
    energies = np.array([0.0, 1.0, 5.0, 1.0, 4.0, 4.0, 0.0])
    assert most_changed(energies, 1) == 2
    assert most_changed(energies, 2) == 4
    assert most_changed(energies, 3) == 2
    assert most_changed(energies, 7) == most_changed(energies, 100) == 0


def test_the_earliest_of_equals() -> None:
    assert most_changed(np.zeros(50), 10) == 0
    assert most_changed(np.array([0.0, 2.0, 2.0, 2.0]), 2) == 1


def test_numbers_of_a_halved_tone(save: Save, tone: Callable[..., np.ndarray]) -> None:
    """Half the amplitude is 6.02 dB less; what was removed is the other half."""
    before = tone(1000, 3 * RATE, level=0.5)
    pair = Pair(save("a.wav", before, subtype="FLOAT"), save("a_clean.wav", before / 2, subtype="FLOAT"))
    change = measure(pair, facts(pair))
    assert change.seconds == 3
    assert change.peak_before_db == pytest.approx(20 * math.log10(0.5), abs=0.01)
    assert change.lufs_before - change.lufs_after == pytest.approx(6.0206, abs=1e-3)
    assert change.lufs_removed == pytest.approx(change.lufs_after, abs=1e-3)
    assert change.reduction_db == pytest.approx(6.0206, abs=1e-3)
    assert change.reduction_p95_db == pytest.approx(6.0206, abs=1e-3)
    # Two channels of 0.25 sin: 2 · 0.25² / 2 a sample, 4410 samples a step.
    assert change.removed_energies == pytest.approx(np.full(30, 4410 * 0.25**2), rel=1e-3)


def test_silence_and_one_sample_have_numbers(save: Save) -> None:
    silence = np.zeros((1, RATE))
    pair = Pair(save("a.wav", silence), save("b.wav", silence))
    change = measure(pair, facts(pair))
    assert (change.reduction_db, change.lufs_before, change.peak_before_db) == (0.0, -math.inf, -math.inf)
    pair = Pair(save("c.wav", silence[:, :1]), save("d.wav", silence[:, :1]))
    assert measure(pair, facts(pair)).seconds == pytest.approx(1 / RATE)
    pair = Pair(save("e.wav", silence[:, :0]), save("f.wav", silence[:, :0]))
    with pytest.raises(AudioFileError, match="0 samples"):
        measure(pair, facts(pair))


@pytest.mark.parametrize("lengths", [(2.0, 2.5), (2.5, 2.0), (40.0, 2.0)])
def test_different_lengths_are_refused(save: Save, lengths: tuple[float, float]) -> None:
    pair = Pair(*(save(f"{i}.wav", np.zeros((1, round(s * 8000))), 8000) for i, s in enumerate(lengths)))
    shorter = lengths.index(min(lengths))
    with pytest.raises(AudioFileError, match=rf"{shorter}\.wav: ends after 2\.00 s, .*{1 - shorter}\.wav continues"):
        measure(pair, facts(pair))


def test_different_channels_are_refused(save: Save) -> None:
    pair = Pair(save("a.wav", np.zeros((2, 100))), save("b.wav", np.zeros((1, 100))))
    with pytest.raises(AudioFileError, match=r"has 1 channels, .*a\.wav has 2"):
        facts(pair)


def test_another_rate_is_brought_into_step(save: Save, tone: Callable[..., np.ndarray]) -> None:
    """Opus knows 48 kHz only; what was not changed must not show as a change."""
    pair = Pair(save("a.wav", tone(1000, 2 * RATE)), save("b.wav", tone(1000, 96_000, sample_rate=48_000), 48_000))
    change = measure(pair, facts(pair))
    assert change.lufs_removed < change.lufs_before - 60


def test_a_part_of_a_recording(save: Save, noise: Callable[..., np.ndarray]) -> None:
    before = noise(3 * 8000, channels=1)
    pair = Pair(save("a.wav", before, 8000), save("b.wav", before[:, 8000:16_000], 8000), start_seconds=1.0)
    change = measure(pair, facts(pair))
    assert change.seconds == 1
    assert change.lufs_removed == -math.inf


def test_blocks_from_the_middle(save: Save, noise: Callable[..., np.ndarray]) -> None:
    waveform = noise(4 * 8000, channels=1)
    pair = Pair(save("a.wav", waveform, 8000, "DOUBLE"), save("b.wav", waveform / 2, 8000, "DOUBLE"))
    found = list(blocks(pair, 8000, start_seconds=0.5, seconds=2.25))
    before, after = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
    assert np.array_equal(before, waveform[:, 4000:22_000])
    assert np.array_equal(after, before / 2)
