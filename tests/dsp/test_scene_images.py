"""Images for the classifier of scenes: planes, and the flatness of noise, tones and what lies between."""

from collections.abc import Callable

import numpy as np
import pytest

from concertclean.dsp.scene_images import FLATNESS_SPREAD, SceneImages

IMAGES = SceneImages(flatness_n_fft=4096)
MIDDLE = slice(8, -8)  # frames without the silence around


def flatness(waveform: np.ndarray) -> np.ndarray:
    """Median over time of each band, natural logarithm."""
    return np.median(IMAGES.image(waveform.astype(np.float32))[1, MIDDLE], axis=0) * FLATNESS_SPREAD


def test_there_is_a_plane_of_flatness_only_if_asked_for() -> None:
    waveform = np.random.default_rng(0).normal(scale=0.1, size=44_100).astype(np.float32)
    plain, both = SceneImages().image(waveform), IMAGES.image(waveform)
    assert plain.shape == (1, 44, 64)
    assert both.shape == (2, 44, 64)
    assert np.array_equal(plain[0], both[0])


def test_flatness_of_noise_is_that_of_an_exponential_distribution(noise: Callable[..., np.ndarray]) -> None:
    """The mean logarithm of a power of two degrees of freedom lies Euler's constant below that of its mean."""
    found = flatness(noise(4 * 44_100)[0])
    wide = found[40:]  # of 20 bins and more, whose arithmetic mean hardly varies
    assert wide == pytest.approx(np.full(24, -np.euler_gamma), abs=0.08)


def test_a_floor_between_partials_raises_flatness_by_its_level() -> None:
    """Partials of 440 Hz fill some bins; a noise 20 dB louder raises the logarithm of the others by 4.6."""
    time = np.arange(4 * 44_100) / 44_100
    tone = sum(np.sin(2 * np.pi * 440 * n * time + n) for n in range(1, 30)) / 30
    hiss = np.random.default_rng(1).normal(size=len(time))
    low, high = (flatness(0.1 * (tone + 10 ** (db / 20) * hiss))[36:52] for db in (-60, -40))
    assert low.max() < -8
    assert ((high - low > 2.5) & (high - low < 4.6)).all()


def test_flatness_does_not_depend_on_the_level(noise: Callable[..., np.ndarray]) -> None:
    """20 dB lower, where the floor of -130 dB in one bin raises it by less than 0.01."""
    waveform = noise(44_100)[0]
    assert flatness(0.1 * waveform) == pytest.approx(flatness(waveform), abs=1e-2)
