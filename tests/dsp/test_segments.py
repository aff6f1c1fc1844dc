"""Cut and joined again, a stream is what it was, whatever the lengths; channels come in groups and go out alone."""

import numpy as np
import pytest

from concertclean.dsp.segments import Segment, grouped, joined, segments, ungrouped


def cut(waveform, segment, hop, context, block=70, **options):
    blocks = (waveform[:, start : start + block] for start in range(0, waveform.shape[1], block))
    return segments(blocks, len(waveform), segment, hop, context, **options)


@pytest.mark.parametrize("n_samples", [1, 99, 100, 101, 180, 181, 1000])
@pytest.mark.parametrize("overlap", [0, 20, 50])
def test_cut_and_joined_is_the_stream(noise, n_samples, overlap):
    waveform = noise(n_samples)
    pieces = (Segment(s.audio[:, 30:-30], s.n_valid) for s in cut(waveform, 100, 100 - overlap, 30))
    assert np.concatenate(list(joined(pieces, 100, overlap)), axis=1) == pytest.approx(waveform, abs=1e-15)


def test_context_is_the_neighbourhood_and_silence_outside(noise):
    waveform = noise(250)
    found = list(cut(waveform, 100, 100, 30))
    padded = np.pad(waveform, ((0, 0), (30, 100)))
    assert [s.n_valid for s in found] == [100, 100, 50]
    for number, piece in enumerate(found):
        assert np.array_equal(piece.audio, padded[:, 100 * number : 100 * number + 160])


@pytest.mark.parametrize("n_samples", [1, 2, 20, 99, 250])
def test_a_mirrored_stream_stands_outside_of_itself(noise, n_samples):
    """As far as the context goes; what a last, short segment has beyond is never heard."""
    waveform = noise(n_samples)
    padded = np.pad(waveform, ((0, 0), (30, 30)), mode="reflect")
    for number, piece in enumerate(cut(waveform, 100, 100, 30, outside="mirrored")):
        assert piece.audio.shape[1] == 160
        seen = slice(100 * number, 100 * number + piece.n_valid + 60)
        assert np.array_equal(piece.audio[:, : piece.n_valid + 60], padded[:, seen])


def test_two_segments_that_disagree_are_cross_faded():
    pieces = [Segment(np.zeros((1, 10)), 10), Segment(np.ones((1, 10)), 10)]
    found = np.concatenate(list(joined(iter(pieces), 10, 4)), axis=1)[0]
    assert found == pytest.approx([0] * 6 + [0.2, 0.4, 0.6, 0.8] + [1] * 6)


def test_an_empty_stream_has_no_segments():
    assert list(cut(np.zeros((2, 0)), 100, 100, 30)) == []


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_channels_are_grouped_in_pairs_and_come_back(noise, channels):
    waveform = noise(10, channels=channels)
    pairs = grouped(waveform, 2)
    assert pairs.shape == ((channels + 1) // 2, 2, 10)
    assert np.array_equal(ungrouped(pairs, channels, 2), waveform)
    assert np.array_equal(pairs[-1, 1], waveform[-1])
