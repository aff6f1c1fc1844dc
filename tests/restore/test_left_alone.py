"""Parts that are left alone: exactly, with fades outside them, wherever the result begins."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.restore.denoise import denoise
from concertclean.restore.left_alone import FADE_SECONDS, share_removed

RATE = 8000
Noise = Callable[..., np.ndarray]


def test_nothing_is_removed_inside_and_all_of_it_beyond_the_fades() -> None:
    share = share_removed(((1.0, 2.0),), 0, 4 * RATE, RATE)
    times = np.arange(4 * RATE) / RATE
    assert not share[(times >= 1.0) & (times <= 2.0)].any()
    assert (share[(times < 1.0 - FADE_SECONDS) | (times > 2.0 + FADE_SECONDS)] == 1).all()
    assert share[round((1.0 - FADE_SECONDS / 2) * RATE)] == pytest.approx(0.5)
    assert share[round((2.0 + FADE_SECONDS / 2) * RATE)] == pytest.approx(0.5)
    assert np.abs(np.diff(share)).max() < np.pi / 2 / (FADE_SECONDS * RATE) * 1.01  # no step


@pytest.mark.parametrize("first", [0, 777, 5000, 7999, 8000, 12_345, 17_000, 30_000])
def test_a_later_beginning_is_a_part_of_the_whole(first: int) -> None:
    stretches = ((1.0, 1.5), (1.6, 2.0), (0.0, 0.1))
    whole = share_removed(stretches, 0, 4 * RATE, RATE)
    assert np.array_equal(share_removed(stretches, first, len(whole) - first, RATE), whole[first:])


def test_touching_parts_share_their_fade() -> None:
    both = share_removed(((1.0, 1.5), (1.5, 2.0)), 0, 3 * RATE, RATE)
    assert np.allclose(both, share_removed(((1.0, 2.0),), 0, 3 * RATE, RATE))


def test_times_count_from_the_beginning_of_the_recording(tmp_path: Path, noise: Noise) -> None:
    rate = 44_100
    soundfile.write(tmp_path / "a.wav", noise(4 * rate, level=0.1).T, rate, "PCM_24")
    settings = {"model": "lsa", "leave": "2:00-2:01,0:02-0:03", "start_seconds": 1.0, "bit_depth": "64f"}
    denoise(tmp_path / "a.wav", tmp_path / "b.wav", **settings)
    recording, result = soundfile.read(tmp_path / "a.wav")[0][rate:], soundfile.read(tmp_path / "b.wav")[0]
    assert np.array_equal(result[rate : 2 * rate], recording[rate : 2 * rate])
    assert np.abs(result[: rate // 2] - recording[: rate // 2]).max() > 0.01
