"""Models find the process they are shown, gaps are filled as well as theory allows, and both textbook forms agree."""

import numpy as np
import pytest
from scipy.signal import lfilter

from concertclean.classical.autoregression import (
    Excitations,
    autocorrelation,
    filled,
    inverse_filter,
    least_squares,
    levinson,
    robust_scale,
    yule_walker,
)
from tests.classical.gap_filling import interpolated, interpolated_by_matrix

RESONANCES = {2: [(0.95, 0.3)], 10: [(0.98, 0.1), (0.97, 0.35), (0.95, 0.9), (0.9, 1.6), (0.8, 2.5)]}


def process(order):
    """Coefficients of resonances (radius, angle)."""
    h = np.ones(1)
    for radius, angle in RESONANCES[order]:
        h = np.convolve(h, [1, -2 * radius * np.cos(angle), radius**2])
    return -h[1:]


def played(coefficients, shape, seed=0):
    """White noise of variance one through the process, settled."""
    excitation = np.random.default_rng(seed).standard_normal((*shape[:-1], shape[-1] + 2000))
    return lfilter([1], inverse_filter(coefficients), excitation, axis=-1)[..., 2000:]


@pytest.mark.parametrize("order", [2, 10])
@pytest.mark.parametrize("fit", [yule_walker, least_squares])
def test_a_known_process_is_found(order, fit):
    """Parameters spread by `sqrt(trace(R^-1) / N)` about the truth (Cramer-Rao); the mean of 40 by a sixth of it."""
    truth = process(order)
    frames = played(truth, (40, 8192))
    lags = autocorrelation(played(truth, (400_000,), seed=1), order) / 400_000
    spread = np.sqrt(np.diag(np.linalg.inv(lags[np.abs(np.subtract.outer(range(order), range(order)))])) / 8192)
    found, variance = fit(frames, order)
    window_loss = 2.0  # a Hann window throws half of the samples' weight away, and resonances are smeared by it
    assert np.abs(found.mean(axis=0) - truth).max() < window_loss * 4 * spread.max() / np.sqrt(40) + 0.002
    assert (found.std(axis=0) < 1.6 * window_loss * spread).all()
    assert variance.mean() == pytest.approx(1, abs=0.03)


def test_levinson_solves_the_normal_equations(noise):
    lags = autocorrelation(noise(500), 9)
    found, power = levinson(lags)
    for a, r, p in zip(found, lags, power, strict=True):
        matrix = r[np.abs(np.subtract.outer(range(8), range(8)))]
        assert matrix @ a == pytest.approx(r[1:], rel=1e-10)
        assert p == pytest.approx(r[0] - a @ r[1:], rel=1e-10)


def test_covariance_method_is_the_least_squares_solution(noise):
    frame = np.cumsum(noise(300, channels=1)[0])
    past = np.stack([frame[12 - i : -i] for i in range(1, 13)], axis=1)
    expected, *_ = np.linalg.lstsq(past, frame[12:], rcond=None)
    found, variance = least_squares(frame, 12)
    assert found == pytest.approx(expected, abs=1e-7)
    assert variance == pytest.approx(np.mean((frame[12:] - past @ expected) ** 2), rel=1e-6)


def test_silence_has_an_empty_model_and_short_frames_are_refused():
    for fit in (yule_walker, least_squares):
        coefficients, variance = fit(np.zeros((3, 100)), 8)
        assert not coefficients.any()
        assert not variance.any()
    with pytest.raises(ValueError, match="frames have 16 samples, must have more than 16"):
        least_squares(np.zeros(16), 8)


def test_errors_are_the_filters_written_out(noise):
    waveform, a = noise(400), process(10)
    forward, backward, matched = Excitations(a, 400).three(waveform)
    h = inverse_filter(a)
    assert forward == pytest.approx(np.stack([np.convolve(w, h)[:400] for w in waveform]), abs=1e-12)
    assert backward == pytest.approx(np.stack([np.convolve(w, h[::-1])[10:] for w in waveform]), abs=1e-12)
    both = np.convolve(h, h[::-1]) / np.linalg.norm(h)
    assert matched == pytest.approx(np.stack([np.convolve(w, both)[10:410] for w in waveform]), abs=1e-12)
    assert np.array_equal(Excitations(a, 400).forward(waveform), forward)


@pytest.mark.parametrize("order", [2, 10])
@pytest.mark.parametrize("gap", [[300], range(300, 320), range(300, 340), [290, 300, 301, 302, 305, 350, 700, 701]])
def test_both_textbook_forms_agree(order, gap):
    """To 1e-10 of the largest sample; poles are drawn in by a tenth, for the system squares the condition number."""
    a = process(order) * 0.9 ** np.arange(1, order + 1)
    frame, unknown = played(a, (1000,)), np.array(gap)
    given = frame.copy()
    given[unknown] = 99.0  # what is unknown does not matter
    by_matrix, banded = interpolated_by_matrix(frame, unknown, a), interpolated(given, unknown, a)
    assert np.abs(by_matrix - banded).max() < 1e-10 * np.abs(frame).max()


def system(unknown, correlation):
    """`Au' Au` of the gap, `(n, n)`."""
    distance = np.abs(np.subtract.outer(unknown, unknown))
    return np.append(correlation, 0.0)[np.minimum(distance, len(correlation))]


@pytest.mark.parametrize("order", [2, 10])
@pytest.mark.parametrize("length", [5, 20, 60])
def test_the_error_is_what_theory_gives(order, length):
    """Least squares AR interpolation of a known process errs by `variance * trace((Au' Au)^-1)`, no estimate by less.

    Squared errors of 400 gaps are sums of correlated chi-squares: their relative spread is
    `sqrt(2 trace(C^2)) / trace(C) / sqrt(400)`; four of it are allowed.
    """
    a = process(order)
    frames, unknown = played(a, (400, 400)), np.arange(200, 200 + length)
    found = np.stack([interpolated(frame, unknown, a) for frame in frames])
    errors = np.square(found - frames[:, unknown]).sum(axis=1)
    covariance = np.linalg.inv(system(unknown, Excitations(a, 400).correlation))
    spread = np.sqrt(2 * np.trace(covariance @ covariance)) / np.trace(covariance) / 20
    assert errors.mean() == pytest.approx(np.trace(covariance), rel=4 * spread)


def test_sampled_excitation_restores_the_power_of_a_long_gap():
    """The likeliest filling of 60 samples is too quiet; with excitation it has the power of the process.

    2000 gaps, 1.5 % spread of the mean power of a strongly resonant process: 8 % allowed.
    """
    a, rng = process(2), np.random.default_rng(3)
    unknown = np.arange(170, 230)
    frames = played(a, (2000, 400))
    models = Excitations(a, 400)
    held = frames.copy()
    held[:, unknown] = 0
    right = -models.matched(held)[:, unknown]
    quiet = np.stack([filled(r, unknown, models.correlation) for r in right])
    alive = np.stack([filled(r, unknown, models.correlation, excitation=rng.standard_normal(60)) for r in right])
    power = np.square(frames).mean()
    assert np.square(quiet[:, 20:40]).mean() < 0.8 * power
    assert np.square(alive[:, 20:40]).mean() == pytest.approx(power, rel=0.08)


def test_a_sample_is_kept_as_far_as_it_is_trusted():
    """Trusted fully it stays, not at all it is filled; between, the best mix of both, better than either.

    Noise with the variance of the excitation on 20 samples, 400 gaps: the error is the trace of `(B + 1)^-1`, to the
    four spreads of `test_the_error_is_what_theory_gives`.
    """
    a, unknown = process(10), np.arange(200, 220)
    frames = played(a, (400, 400))
    models = Excitations(a, 400)
    zeroed = frames.copy()
    zeroed[:, unknown] = 0
    right, truth = -models.matched(zeroed)[:, unknown], frames[:, unknown]
    held = truth + np.random.default_rng(1).standard_normal(truth.shape)

    def error(trust):
        kept = [filled(r, unknown, models.correlation, held=y, trust=trust) for r, y in zip(right, held, strict=True)]
        return np.square(np.stack(kept) - truth).sum(axis=1).mean()

    covariance = np.linalg.inv(system(unknown, models.correlation) + np.eye(20))
    spread = np.sqrt(2 * np.trace(covariance @ covariance)) / np.trace(covariance) / 20
    assert error(np.ones(20)) == pytest.approx(np.trace(covariance), rel=4 * spread)
    assert error(np.ones(20)) < min(error(np.zeros(20)), error(np.full(20, 1e9)))
    assert error(np.full(20, 1e12)) == pytest.approx(np.square(held - truth).sum(axis=1).mean(), rel=1e-6)


def test_robust_scale_sees_the_greater_part():
    """Five percent of clicks a hundred times as large move it by 7 %: the median of 1 / 0.95 of the rest."""
    values = np.random.default_rng(0).standard_normal(100_000)
    assert robust_scale(values) == pytest.approx(1, abs=0.01)
    values[::20] *= 100
    assert robust_scale(values) == pytest.approx(1.07, abs=0.02)
