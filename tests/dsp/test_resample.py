"""Resampling in blocks: aligned, alias-free, the same for every block size; the queue between the rates."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from concertclean.dsp.resample import Fifo, in_step, resample, resampled


def cut(waveform: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (waveform[:, i : i + size] for i in range(0, waveform.shape[1], size))


def convert(waveform: np.ndarray, rate_in: int, rate_out: int, size: int = 4096) -> np.ndarray:
    return np.concatenate(list(resampled(cut(waveform, size), rate_in, rate_out, len(waveform))), axis=1)


def level_db(waveform: np.ndarray) -> float:
    return 10 * float(np.log10(np.square(waveform).mean() + 1e-30))


def test_equal_rates_pass_the_very_blocks() -> None:
    blocks = [np.ones((2, 3)), np.zeros((2, 5))]
    passed = list(resampled(iter(blocks), 44100, 44100, 2))
    assert all(a is b for a, b in zip(blocks, passed, strict=True))


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_an_impulse_stays_at_its_time(channels: int, impulse: Callable[..., np.ndarray]) -> None:
    converted = convert(impulse(4800, 9600, channels=channels), 48000, 44100)
    assert converted.shape == (channels, 8820)
    assert np.abs(converted).argmax(axis=1).tolist() == [4410] * channels


def test_what_the_new_rate_cannot_hold_vanishes(tone: Callable[..., np.ndarray]) -> None:
    """The default of scipy leaves this alias at -11 dB, soxr VHQ below -190; -150 leaves room for the edges."""
    before = tone(23_000, 48000, sample_rate=48000)
    after = convert(before, 48000, 44100)[:, 4000:-4000]
    assert level_db(after) - level_db(before) < -150


def test_there_and_back_is_the_waveform(noise: Callable[..., np.ndarray]) -> None:
    """Band-limited to 18 kHz, which both rates hold; what is left lies in the slope of the first filter."""
    waveform = convert(convert(noise(48000), 48000, 36000), 36000, 48000)
    back = convert(convert(waveform, 48000, 44100), 44100, 48000)[:, : waveform.shape[1]]
    inner = slice(4000, -4000)
    assert level_db((back - waveform)[:, inner]) - level_db(waveform[:, inner]) < -90


def test_block_size_does_not_matter(noise: Callable[..., np.ndarray]) -> None:
    waveform = noise(20000)
    assert np.allclose(convert(waveform, 44100, 48000, 777), convert(waveform, 44100, 48000, 20000), atol=1e-12)


def test_fifo_gives_samples_in_order() -> None:
    fifo = Fifo(1)
    fifo.push(np.array([[1.0, 2.0, 3.0]]))
    fifo.push(np.array([[4.0]]))
    assert fifo.peek(2).tolist() == [[1.0, 2.0]]
    assert fifo.pop(3).tolist() == [[1.0, 2.0, 3.0]]
    assert len(fifo) == 1
    assert fifo.pop(9).tolist() == [[4.0]]


def test_what_is_dropped_is_gone() -> None:
    fifo = Fifo(1)
    fifo.push(np.array([[1.0, 2.0, 3.0]]))
    fifo.push(np.array([[4.0, 5.0]]))
    fifo.drop(4)
    assert len(fifo) == 1
    fifo.drop(0)
    assert fifo.pop(9).tolist() == [[5.0]]
    fifo.drop(1)
    assert len(fifo) == 0


def test_queues_share_the_blocks_they_hold() -> None:
    """Two queues of one stream would need twice the memory otherwise."""
    block = np.arange(6.0).reshape(1, 6)
    first, second = Fifo(1), Fifo(1)
    first.push(block)
    second.push(block)
    assert np.shares_memory(first.pop(4), block)
    assert np.shares_memory(second.peek(6), block)
    assert first.pop(9).tolist() == [[4.0, 5.0]]
    assert first.pop(9).shape == (1, 0)


def test_a_whole_waveform_keeps_its_pitch_and_its_time(tone):
    waveform = tone(1000, 44_100, channels=2)
    found = resample(waveform, 44_100, 48_000)
    assert found.shape == (2, 48_000)
    expected = tone(1000, 48_000, sample_rate=48_000)
    # The ends ring, where the tone is cut off.
    assert np.abs(found - expected)[:, 2000:-2000].max() < 1e-6


def test_a_queue_passes_on_what_it_holds():
    blocks = [np.arange(2.0 * n).reshape(2, n) for n in (3, 1, 4)]
    held = Fifo(2)
    passed = list(held.passing(iter(blocks)))
    assert all(first is second for first, second in zip(passed, blocks, strict=True))
    assert np.array_equal(held.pop(8), np.concatenate(blocks, axis=1))


def test_streams_cut_differently_are_cut_alike():
    waveform = np.random.default_rng(5).standard_normal((3, 100))

    def split(channels, *places):
        yield from np.split(waveform[channels], places, axis=1)

    pieces = list(in_step([split([0], 10, 10, 50), split([1, 2], 30, 99)]))
    assert all(first.shape[1] == second.shape[1] > 0 for first, second in pieces)
    assert np.array_equal(np.concatenate([np.concatenate(piece) for piece in pieces], axis=1), waveform)
    assert list(in_step([iter([]), iter([])])) == []
