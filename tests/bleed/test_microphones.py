import numpy as np
import pytest
import torch

from concertclean.bleed.microphones import coherent_levels, excerpt, filtered, roster, validate
from concertclean.dsp import stft
from tests.bleed import bands

WINDOW = stft.window("hann", 512)


def cut(waveform, *lengths):
    """The waveform in blocks of these lengths, the last repeated."""
    start = 0
    sizes = list(lengths)
    while start < waveform.shape[1]:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        yield waveform[:, start : start + size]
        start += size


class TestRoster:
    def test_silence_and_copies_do_not_take_part(self, noise):
        music = noise(1000, channels=2)
        found = roster(np.stack([music[0], 0 * music[0], -0.5 * music[0], music[1]]))
        assert found.kept == (0, 3)
        assert found.owner == (0, -1, 0, 1)
        assert found.gain == pytest.approx((1.0, 0.0, -0.5, 1.0))
        assert "microphone 2 is silent" in found.remarks()[0]
        assert "microphone 3 is a copy of microphone 1" in found.remarks()[1]

    def test_bleed_leaves_the_copy_as_well_and_silence_alone(self, noise):
        music, bleed = noise(1000, channels=2), 0.1 * noise(1000, channels=2, seed=1)
        waveform = np.stack([music[0], 0 * music[0], -0.5 * music[0], music[1]])
        stems = roster(waveform).without(waveform, bleed)
        assert stems[0] == pytest.approx(music[0] - bleed[0])
        assert not stems[1].any()
        assert stems[2] == pytest.approx(-0.5 * stems[0])
        assert stems[3] == pytest.approx(music[1] - bleed[1])


def test_wrong_waveforms(noise):
    for waveform in (noise(10)[0], noise(10)[:, :0], np.full((2, 10), np.nan)):
        with pytest.raises(ValueError, match=r"shape|NaN"):
            validate(waveform, 8000)
    with pytest.raises(ValueError, match="sample_rate is 0"):
        validate(noise(10), 0)


class TestExcerpt:
    def test_the_loudest_piece_of_each_section(self):
        waveform = np.zeros((2, 8000))
        for start, level in ((1500, 0.5), (2000, 0.2), (5000, 0.1), (7500, 0.4)):
            waveform[:, start : start + 500] = level
        found = excerpt(cut(waveform, 77, 333), 8000, 1000, seconds=2.0, piece_seconds=0.5)
        assert found.shape == (2, 2000)
        middles = found[0, 250::500]
        assert middles == pytest.approx([0.5, 0.2, 0.1, 0.4])
        assert abs(found[:, 500]) == pytest.approx([0.04, 0.04])  # 5 ms of fade, first of five steps

    def test_a_short_recording_comes_whole(self, noise):
        waveform = noise(5000)
        assert np.array_equal(excerpt(cut(waveform, 999), 5000, 1000, seconds=5), waveform)

    def test_wrong_calls(self, noise):
        with pytest.raises(ValueError, match="blocks is empty"):
            excerpt(iter([]), 5, 1000)
        with pytest.raises(ValueError, match="piece_seconds is 3"):
            excerpt(iter([noise(5)]), 5, 1000, seconds=2, piece_seconds=3)


class TestFiltered:
    def run(self, blocks, who, gains, context=0):
        return np.concatenate(list(filtered(blocks, who, WINDOW, 128, gains=gains, context_frames=context)), axis=1)

    def test_a_gain_of_one_leaves_every_sample_untouched(self, noise):
        waveform = noise(70_001)
        assert np.array_equal(self.run(cut(waveform, 1234), roster(waveform), torch.ones_like), waveform)

    def test_joins_fade_nothing_twice_and_drop_nothing(self, noise):
        """mirapie fades in twice and loses a sample at every join."""
        waveform = noise(40_001)
        half = self.run(cut(waveform, 1234), roster(waveform), lambda s: torch.full(s.shape, 0.5))
        assert half.shape == waveform.shape
        assert np.allclose(half, 0.5 * waveform, rtol=0, atol=1e-6)

    def test_how_it_is_cut_does_not_matter(self, noise, monkeypatch):
        waveform = noise(50_000)

        def gains(spectrogram):
            power = torch.nn.functional.avg_pool1d(spectrogram.abs(), 5, 1, 2)
            return 1 / (1 + 100 * power)

        whole = self.run(iter([waveform]), roster(waveform), gains, 2)
        monkeypatch.setattr("concertclean.bleed.microphones._SEGMENT_FRAMES", 13)
        pieces = self.run(cut(waveform, 1, 3000), roster(waveform), gains, 2)
        assert np.allclose(pieces, whole, rtol=0, atol=1e-6)


class TestCoherentLevels:
    def test_gains_without_delay_are_found(self):
        mixing = bands.matrix(2, 0.2, 0.5, seed=2)
        waveform = torch.from_numpy(mixing @ bands.band(2)).float()
        levels = coherent_levels(stft.spectrogram(waveform, stft.window("hann", 2048), 512))
        middle = levels[20:200].median(dim=0).values.numpy()
        assert np.sqrt(middle) == pytest.approx(mixing, abs=0.1)

    def test_no_bleed_is_none(self):
        waveform = torch.from_numpy(bands.band(2)).float()
        levels = coherent_levels(stft.spectrogram(waveform, stft.window("hann", 2048), 512))
        assert float(levels[:, 0, 1].median()) == float(levels[:, 1, 0].median()) == 0

    def test_a_microphone_whose_instrument_rests_is_defined(self):
        stems = bands.band(4)
        stems[3] = 0
        waveform = torch.from_numpy(bands.matrix(4, 0.2, 0.5) @ stems).float()
        levels = coherent_levels(stft.spectrogram(waveform, stft.window("hann", 2048), 512))
        assert torch.isfinite(levels).all()
        assert float(levels.min()) >= 0
        assert float(levels.max()) <= 1
