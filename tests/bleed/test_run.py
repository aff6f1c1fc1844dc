"""Tracks from files to files: memory, devices, threads."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from concertclean.bleed.run import CLIP, Track, debleed
from concertclean.config.denoise import DenoiseSettings, read_settings
from concertclean.errors import OutputError
from concertclean.networks.cae import CAE
from concertclean.weights.file_format import save_weights

RATE = 4000
CONFIG = {"sample_rate": RATE, "n_fft": 512, "hop_length": 256, "widths": [1, 1], "code": 2}


@pytest.fixture
def cae(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "cae.safetensors"
    save_weights(path, CAE(**CONFIG).state_dict(), architecture="cae", config=CONFIG, provenance={})
    return path


def peak_mib(folder: Path, method: str, noise, seconds: int) -> float:
    """Peak memory of a run over two stereo tracks."""
    stems = noise(seconds * RATE, channels=4).reshape(2, 2, -1)
    heard = np.tensordot(np.array([[1.0, 0.3], [0.2, 1.0]]), stems, 1)
    tracks = []
    for name, waveform in zip(("bass", "drums"), heard, strict=True):
        source = folder / f"{name}{seconds}.wav"
        soundfile.write(source, waveform.T, RATE, "PCM_16")
        tracks.append(Track(source, source.with_stem(source.stem + "_clean")))
    tracemalloc.start()
    try:
        debleed(tracks, method, DenoiseSettings(threads=1))
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", ["linear", "kamir", "cae"])
def test_memory_does_not_grow_with_the_length(tmp_path, noise, cae, method):
    """A minute is learned from, whatever the length; the rest goes through in blocks."""
    method = f"{cae},{cae}" if method == "cae" else method
    short, long = (peak_mib(tmp_path, method, noise, seconds) for seconds in (80, 320))
    assert long < short + 2  # 240 s more of four channels are 29 MiB as float64


@pytest.fixture
def loud_tracks(tmp_path, noise):
    """Two tracks of 32-bit floating point, one of which exceeds full scale."""
    tracks = []
    for name, level in (("loud", 1.6), ("soft", 0.4)):
        source = tmp_path / f"{name}.wav"
        soundfile.write(source, noise(3 * RATE, channels=1, level=level, seed=len(tracks)).T, RATE, "FLOAT")
        tracks.append(Track(source, tmp_path / f"{name}_clean.flac", tmp_path / f"{name}_removed.flac"))
    return tracks


def run(tracks, **settings):
    given = read_settings(None, {"clip": CLIP, "format": "flac", "threads": 1, **settings})
    done = debleed(tracks, "linear", given, overwrite=True)
    results = [soundfile.read(track.target, always_2d=True)[0].T for track in tracks]
    return [remark for remark in done.remarks if "W105" in remark], results, done


def test_tracks_do_not_clip_by_default_and_keep_their_balance(loud_tracks):
    """All by the same gain: what they add up to keeps its balance; the float tracks are what they are scaled from."""
    remarks, (loud, soft), done = run(loud_tracks)
    with_floats = [Track(t.source, t.target.with_suffix(".wav"), t.removed.with_suffix(".wav")) for t in loud_tracks]
    none, (true_loud, true_soft), before = run(with_floats, format="wav")
    assert none == []
    peak = np.abs(true_loud).max()
    assert peak > 1
    gain = 10 ** (-0.1 / 20) / peak
    for result, true in ((loud, true_loud), (soft, true_soft)):
        assert np.allclose(result, true * gain, atol=2.0**-23)
    assert remarks == [f"W105 output would clip: all tracks rescaled by {20 * np.log10(gain):.1f} dB"]
    assert done.reduction_db == pytest.approx(before.reduction_db)


def test_clip_warn_cuts_and_counts_as_denoise_does(loud_tracks):
    remarks, (loud, _), _ = run(loud_tracks, clip="warn")
    assert np.abs(loud).max() == 1.0
    (remark,) = remarks
    n_cut = int(remark.split("clip: ")[1].split()[0])
    assert remark == (
        f"loud_clean.flac: W105 output would clip: {n_cut} samples above full scale were cut; "
        "set clip to rescale or limit"
    )
    assert n_cut == int((np.abs(loud) >= 1 - 2.0**-23).sum())


def test_clip_limit_bends_only_what_is_loud(loud_tracks):
    remarks, (loud, _), _ = run(loud_tracks, clip="limit")
    assert remarks == []
    assert 0.99 < np.abs(loud).max() <= 1.0


@pytest.mark.parametrize("format", ["m4a", "mp3", "opus"])
def test_rate_that_the_format_lacks_is_refused_before_work(format, tmp_path, noise):
    tracks = []
    for name in "ab":
        soundfile.write(tmp_path / f"{name}.wav", noise(1_000, channels=1).T, 44_099)
        tracks.append(Track(tmp_path / f"{name}.wav", tmp_path / f"{name}_clean.{format}"))
    steps = []
    with pytest.raises(OutputError, match=f"{format} cannot store 44099 Hz; write it at "):
        debleed(tracks, "linear", DenoiseSettings(format=format), progress=lambda *step: steps.append(step))
    assert steps == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.wav"]
