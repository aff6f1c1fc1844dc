"""One channel out of several: the mean, unless channels cancel in it."""

import numpy as np
import pytest
import torch

from concertclean.dsp.array_downmix import REACH_SAMPLES
from concertclean.dsp.downmix import downmix, polarities
from concertclean.dsp.local_downmix import downmix_locally

RATE = 44_100


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("waveform", [
    noise(2, RATE),  # unrelated
    np.repeat(noise(1, RATE), 2, axis=0),
    noise(6, RATE),
    np.stack([noise(RATE), np.zeros(RATE)]),
    noise(1, RATE),
    np.zeros((2, RATE)),
    noise(2, 1),
    noise(3, 0),
], ids=["wide", "equal", "six", "left only", "mono", "silence", "one sample", "none"])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ordinary_channels_are_mixed_to_their_mean_bit_for_bit(waveform, dtype):
    waveform = waveform.astype(dtype)
    mixed = downmix(waveform)
    if len(waveform) > 1 and waveform.shape[1] == 1:  # one sample has nothing but its sign
        assert mixed.shape == (1, 1)
        return
    assert mixed.dtype == dtype
    assert np.array_equal(mixed, waveform.mean(axis=0, keepdims=True))
    if waveform.shape[1]:
        found = downmix_locally(torch.from_numpy(waveform[None]))[0]
        assert torch.equal(found, torch.from_numpy(waveform).mean(dim=0, keepdim=True))


@pytest.mark.parametrize("gain", [-1.0, -0.5, -2.0])
def test_an_inverted_channel_is_inverted_back(gain):
    left = noise(RATE)
    both = np.stack([left, gain * left])
    assert polarities(both).tolist() == [1, -1]
    expected = (1 - gain) / 2 * left
    assert downmix(both)[0] == pytest.approx(expected, abs=1e-12)
    assert downmix_locally(torch.from_numpy(both[None]))[0, 0].numpy() == pytest.approx(expected, abs=1e-9)


def test_every_inverted_channel_of_many_is_found():
    signs = np.array([1, -1, -1, 1, 1, -1, 1, -1])
    music = noise(RATE)
    waveform = signs[:, None] * music + 0.1 * noise(8, RATE, seed=1)
    assert polarities(waveform).tolist() == signs.tolist()
    assert np.sqrt(np.square(downmix(waveform)).mean()) == pytest.approx(0.1, abs=0.002)


def test_what_is_inverted_in_one_band_and_for_a_while_is_kept_there_alone():
    """A low tone is inverted throughout, a high one in the second half; the mean holds only half of the high one.

    Cells at the splice and between the tones may go either way; away from them both tones are whole.
    """
    time = np.arange(2 * RATE) / RATE
    low, high = 0.3 * np.sin(2 * np.pi * 200 * time), 0.3 * np.sin(2 * np.pi * 3000 * time)
    inverting = np.where(time < 1, 1, -1)
    both = np.stack([low + high, -low + inverting * high]) + 1e-3 * noise(2, 2 * RATE)
    mixed = downmix_locally(torch.from_numpy(both[None]))[0, 0].numpy()
    for part in (slice(RATE // 4, 3 * RATE // 4), slice(5 * RATE // 4, 7 * RATE // 4)):
        assert mixed[part] == pytest.approx((low + high)[part], abs=2e-3)


def test_the_result_of_a_part_is_that_of_the_whole():
    """Segments of a recording are mixed like the recording, `REACH_SAMPLES` away from their ends."""

    music = noise(RATE)
    both = torch.from_numpy(np.stack([music, -0.8 * music + 0.3 * noise(RATE, seed=2)])[None])
    start = 8 * 512
    part = downmix_locally(both[..., start : start + RATE // 2])
    inner = slice(REACH_SAMPLES, RATE // 2 - REACH_SAMPLES)
    whole = downmix_locally(both)[..., start : start + RATE // 2]
    assert part[..., inner].numpy() == pytest.approx(whole[..., inner].numpy(), abs=1e-12)
