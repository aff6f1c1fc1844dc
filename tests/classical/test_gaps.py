"""Gaps of many frames filled together are filled as each alone, and no system is larger than it must be."""

import numpy as np
import pytest

from concertclean.classical.autoregression import Excitations, filled
from concertclean.classical.gaps import Gaps, groups, highest, members, runs
from tests.classical.gap_filling import interpolated_by_matrix

ORDER = 24


def models(n_frames, n_samples, seed=0):
    """Stable models, poles at a radius of 0.9 and less."""
    rng = np.random.default_rng(seed)
    coefficients = []
    for _ in range(n_frames):
        roots = rng.uniform(0.3, 0.9, ORDER // 2) * np.exp(1j * rng.uniform(0, np.pi, ORDER // 2))
        coefficients.append(-np.poly(np.concatenate([roots, roots.conj()])).real[1:])
    return np.stack(coefficients), Excitations(np.stack(coefficients), n_samples)


def ticks(n_frames, n_samples, per_frame, seed=1):
    """Unknown samples: runs of 1 to 20, none nearer to an end than the order."""
    rng = np.random.default_rng(seed)
    unknown = np.zeros((n_frames, n_samples), bool)
    for row in unknown:
        for start in rng.integers(ORDER, n_samples - ORDER - 20, per_frame):
            row[start : start + rng.integers(1, 21)] = True
    return unknown


def dense(unknown, correlation):
    """The whole system of a frame, `(n, n)`."""
    places = np.flatnonzero(unknown)
    return np.append(correlation, 0.0)[np.minimum(np.abs(np.subtract.outer(places, places)), len(correlation))]


@pytest.mark.parametrize("per_frame", [1, 5, 40, 150])
def test_together_they_are_filled_as_by_the_whole_dense_system(per_frame):
    """To 1e-9 of the largest sample, from a lone gap in each frame to frames of which most is unknown."""
    unknown, (_, known) = ticks(6, 1500, per_frame), models(6, 1500)
    gaps = Gaps(unknown, known.correlation)
    rng = np.random.default_rng(2)
    right, held = rng.standard_normal((2, len(gaps.times)))
    trust = rng.uniform(0, 2, len(right))
    found = gaps.filled(right, held, trust)
    for frame in range(6):
        own = gaps.frames == frame
        system = dense(unknown[frame], known.correlation[frame]) + np.diag(trust[own])
        expected = np.linalg.solve(system, right[own] + trust[own] * held[own])
        assert np.abs(found[own] - expected).max() < 1e-9 * np.abs(expected).max()


def test_without_trust_it_is_the_textbook_interpolation(noise):
    """Godsill and Rayner (5.15), and what `filled` finds for each frame alone, to 1e-9 of the largest sample."""
    frames, unknown = noise(600, channels=3), ticks(3, 600, 8)
    coefficients, known = models(3, 600)
    gaps = Gaps(unknown, known.correlation)
    at = gaps.frames, gaps.times
    right = -known.matched(np.where(unknown, 0, frames))[at]
    found = gaps.filled(right, np.zeros(len(right)), np.zeros(len(right)))
    for frame, own in enumerate(gaps.frames == i for i in range(3)):
        places = np.flatnonzero(unknown[frame])
        alone = filled(right[own], places, known.correlation[frame])
        for expected in (alone, interpolated_by_matrix(frames[frame], places, coefficients[frame])):
            assert np.abs(found[own] - expected).max() < 1e-9 * np.abs(expected).max()


def test_groups_are_as_far_apart_as_the_order():
    first, sizes = groups(np.array([3, 4, 14, 25, 26, 80]), 10)
    assert first.tolist() == [0, 3, 5]
    assert sizes.tolist() == [3, 2, 1]
    first, sizes = groups(np.zeros(0, np.intp), 10)
    assert len(first) == len(sizes) == 0


def test_no_system_is_larger_than_it_must_be():
    """A band is no wider than unknown samples lie within the order, and holds 2 MB or a single group."""
    unknown = ticks(64, 2048, 30)
    sizes = Gaps(unknown, np.ones((64, ORDER + 1))).sizes()
    assert sum(n for n, _ in sizes) == unknown.sum()
    assert max(width for _, width in sizes) <= ORDER
    assert all(n * (width + 1) < 2 * 2**18 for n, width in sizes)
    lone = np.zeros((64, 2048), bool)
    lone[:, 100::50] = True
    assert Gaps(lone, np.ones((64, ORDER + 1))).sizes() == [(lone.sum(), 0)]


def test_nothing_unknown_is_nothing_filled():
    gaps = Gaps(np.zeros((3, 100), bool), np.ones((3, ORDER + 1)))
    assert gaps.filled(np.zeros(0), np.zeros(0), np.zeros(0)).size == 0
    assert gaps.smooth(np.zeros(0)).size == 0


def test_means_of_five_neighbours_stay_in_the_group():
    unknown = np.zeros((1, 200), bool)
    unknown[0, [50, 51, 52, 53, 54, 55, 150]] = True
    smooth = Gaps(unknown, np.ones((1, ORDER + 1))).smooth(np.array([5.0, 0, 0, 0, 0, 10, 7]))
    assert smooth.tolist() == [3, 2, 1, 2, 4, 6, 7]


def test_runs_close_to_each_other_are_one():
    flags = np.zeros(30, bool)
    flags[[0, 1, 5, 20, 29]] = True
    starts, stops = runs(flags, 4)
    assert starts.tolist() == [0, 20, 29]
    assert stops.tolist() == [6, 21, 30]
    assert runs(np.zeros(4, bool), 2)[0].size == 0


def test_members_are_all_samples_of_runs():
    assert members(np.array([2, 7]), np.array([5, 8])).tolist() == [2, 3, 4, 7]
    assert members(np.zeros(0, np.intp), np.zeros(0, np.intp)).size == 0


def test_the_highest_runs_of_a_hop_are_kept():
    starts, stops = np.array([0, 20, 40, 60, 110]), np.array([10, 30, 55, 61, 160])
    heights = np.array([1.0, 3.0, 2.0, 0.5, 9.0])
    assert highest(starts, stops, heights, 100, 25).tolist() == [False, True, True, False, False]
    assert highest(starts, stops, heights, 100, 50).all()
    assert highest(starts[:0], stops[:0], heights[:0], 100, 50).size == 0
