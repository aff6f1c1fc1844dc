"""Files that belong together, and what is refused, what only told."""

import numpy as np
import pytest

from concertclean.errors import AudioFileError, ConfigError, MetricError, NoInputError
from concertclean.evaluate.pairs import PairFiles, find_pairs, lag_of, read_pair
from tests.evaluate.conftest import RATE, tones


def test_two_files_are_a_pair(triple):
    reference, estimate, noisy = triple()
    assert find_pairs(reference, estimate, noisy) == ([PairFiles("a.wav", reference, estimate, noisy)], [])


def test_folders_are_matched_by_relative_path_whatever_the_format(save, tmp_path):
    for name in ("x/a.wav", "x/b.wav", "c.wav"):
        save(f"reference/{name}", tones(1))
    for name in ("x/a.flac", "x/b_clean.wav", "d.wav"):
        save(f"estimate/{name}", tones(1))
    pairs, alone = find_pairs(tmp_path / "reference", tmp_path / "estimate")
    assert [(pair.name, pair.estimate.name) for pair in pairs] == [("x/a", "a.flac"), ("x/b", "b_clean.wav")]
    assert alone == [f"c: is not in {tmp_path / 'estimate'}"]


def test_a_noisy_one_that_is_missing_is_told(triple, tmp_path):
    triple("a.wav")
    (tmp_path / "noisy" / "a.wav").rename(tmp_path / "noisy" / "b.wav")
    with pytest.raises(NoInputError, match="nothing named like"):
        find_pairs(tmp_path / "reference", tmp_path / "estimate", tmp_path / "noisy")
    triple("c.wav")
    pairs, alone = find_pairs(tmp_path / "reference", tmp_path / "estimate", tmp_path / "noisy")
    assert [pair.name for pair in pairs] == ["c"]
    assert alone == [f"a: is not in {tmp_path / 'noisy'}"]


def test_what_cannot_be_paired_is_refused(triple, tmp_path):
    reference, estimate, _ = triple()
    with pytest.raises(NoInputError, match="does not exist"):
        find_pairs(reference, tmp_path / "nothing.wav")
    with pytest.raises(ConfigError, match="files only, or folders only"):
        find_pairs(reference, estimate.parent)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoInputError, match="contains no recordings"):
        find_pairs(tmp_path / "empty", estimate.parent)


def test_a_pair_is_read_as_it_is(triple):
    pair = read_pair(PairFiles("a", *triple()))
    assert pair.reference == pytest.approx(tones(1), abs=2**-22)
    assert pair.noisy is not None
    assert (pair.sample_rate, pair.remarks) == (RATE, ())


def test_downmix_compares_the_mean_of_the_channels(save):
    stereo, mono = save("s.wav", tones(1)), save("m.wav", tones(1).mean(axis=0, keepdims=True))
    with pytest.raises(MetricError, match=r"has 1 channels, .* 2; use downmix"):
        read_pair(PairFiles("a", stereo, mono, None))
    pair = read_pair(PairFiles("a", stereo, mono, None), downmix=True)
    assert pair.reference == pytest.approx(pair.estimate, abs=2**-22)


def test_downmix_inverts_what_the_reference_inverts(save):
    """In the mean of a channel and its inverse nothing would be left to compare."""
    music = np.random.default_rng(4).uniform(-0.3, 0.3, (1, RATE))
    inverted, half = music * [[1], [-1]], music * [[0.5], [-0.4]]
    pair = read_pair(PairFiles("a", save("a.wav", inverted), save("b.wav", half), save("c.wav", music)), downmix=True)
    assert pair.reference == pytest.approx(music, abs=2**-22)
    assert pair.estimate == pytest.approx(0.45 * music, abs=2**-22)
    assert pair.noisy == pytest.approx(music, abs=2**-22)


def test_a_delay_of_inverted_channels_is_found():
    noise = np.random.default_rng(2).uniform(-0.3, 0.3, (1, RATE)) * [[1], [-1]]
    assert lag_of(noise, np.roll(noise, 37, axis=1), 1600) == 37


def test_rates_and_lengths_that_do_not_fit_are_refused(save):
    truth = save("a.wav", tones(1))
    with pytest.raises(MetricError, match=r"has 8000 Hz, .* 16000 Hz; resample one"):
        read_pair(PairFiles("a", truth, save("b.wav", tones(1), rate=8000), None))
    with pytest.raises(MetricError, match=r"is 0\.50 s shorter than .*; cut both"):
        read_pair(PairFiles("a", truth, save("c.wav", tones(1)[:, : RATE // 2]), None))
    with pytest.raises(MetricError, match="contains no samples"):
        read_pair(PairFiles("a", truth, save("d.wav", np.zeros((2, 0))), None))
    with pytest.raises(AudioFileError):
        read_pair(PairFiles("a", truth, truth.parent, None))


def test_padding_is_told_and_left_out(save):
    pair = read_pair(PairFiles("a", save("a.wav", tones(1)), save("b.wav", np.pad(tones(1), ((0, 0), (0, 100)))), None))
    assert pair.estimate.shape == (2, RATE)
    assert pair.remarks == ("b.wav: 100 samples longer than the reference; the rest is compared",)


@pytest.mark.parametrize("late", [1, 37, -12])
def test_a_delay_is_told_and_not_taken_back(save, late):
    noise = np.random.default_rng(2).uniform(-0.3, 0.3, (2, RATE))
    moved = np.roll(noise, late, axis=1)
    pair = read_pair(PairFiles("a", save("a.wav", noise), save("b.wav", moved), None))
    assert pair.estimate == pytest.approx(moved, abs=2**-22)
    direction = "late" if late > 0 else "early"
    assert pair.remarks == (f"the estimate is {abs(late)} samples {direction}; not corrected",)


def test_noise_gain_and_silence_are_no_delay():
    noise = np.random.default_rng(3).standard_normal((2, 3, RATE))
    assert lag_of(noise[0], 0.1 * noise[0] + 0.05 * noise[1], 1600) == 0
    assert lag_of(noise[0], np.zeros_like(noise[0]), 1600) == 0
    assert lag_of(noise[0][:, :100], noise[0][:, :100], 1600) == 0


# Names


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def pairs_of(tmp_path, references, estimates):
    found, alone = find_pairs(touch(tmp_path / "r", *references), touch(tmp_path / "e", *estimates))
    return [(pair.name, pair.reference.name, pair.estimate.name) for pair in found], alone


def test_files_of_macos_are_left_out(tmp_path):
    found, alone = pairs_of(tmp_path, ["a.wav", "._a.wav"], ["a.wav", "._a.wav", ".AppleDouble/a.wav"])
    assert (found, alone) == ([("a", "a.wav", "a.wav")], [])


def test_composed_and_decomposed_names_are_the_same(tmp_path):
    found, alone = pairs_of(tmp_path, ["caf\u00e9/\u00fc.wav"], ["cafe\u0301/u\u0308_clean.flac"])
    assert (found, alone) == ([("caf\u00e9/\u00fc", "\u00fc.wav", "u\u0308_clean.flac")], [])


def test_of_two_formats_each_belongs_to_its_like(tmp_path):
    found, alone = pairs_of(tmp_path, ["a.wav", "a.mp3"], ["a.mp3", "a.wav"])
    assert (found, alone) == ([("a.mp3", "a.mp3", "a.mp3"), ("a.wav", "a.wav", "a.wav")], [])


def test_results_of_two_formats_belong_to_them(tmp_path):
    """As `denoise` names them."""
    found, alone = pairs_of(tmp_path, ["a.wav", "a.mp3"], ["a_mp3_clean.flac", "a_wav_clean.flac"])
    assert alone == []
    assert [one[1:] for one in found] == [("a.mp3", "a_mp3_clean.flac"), ("a.wav", "a_wav_clean.flac")]


def test_nobody_guesses_which_of_two_is_meant(tmp_path):
    found, alone = pairs_of(tmp_path, ["a.wav", "b.wav"], ["a.mp3", "a.flac", "b.wav"])
    assert found == [("b", "b.wav", "b.wav")]
    assert alone == [f"a: could be a.flac or a.mp3 in {tmp_path / 'e'}; keep one of them"]


def test_one_estimate_is_not_compared_with_two_recordings(tmp_path):
    with pytest.raises(NoInputError, match=r"a\.mp3: could be a\.flac in .*; a\.wav: could be a\.flac"):
        pairs_of(tmp_path, ["a.wav", "a.mp3"], ["a.flac"])


def test_links_to_nothing_are_told(tmp_path):
    touch(tmp_path / "r", "b.wav")
    (tmp_path / "r" / "a.wav").symlink_to("nothing")
    found, alone = pairs_of(tmp_path, ["b.wav"], ["b.wav"])
    assert len(found) == 1
    assert alone[0].startswith(f"{tmp_path / 'r' / 'a.wav'}: cannot be read")
