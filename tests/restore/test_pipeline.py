"""One recording from file to file: what must stay as it was, and what must have changed by how much."""

import io
import math
import os
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
import soundfile
import torch
from torch import Tensor, nn

from concertclean.audio_io.formats import AudioInfo, Cover, Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.classical.catalogue import METHODS, Method
from concertclean.classical.material import Material
from concertclean.config.denoise import DenoiseSettings
from concertclean.errors import AudioFileError, ConfigError, ModelError, NoInputError, OutputError
from concertclean.restore.build import build_restorer
from concertclean.restore.inference import Enhancer
from concertclean.restore.pipeline import Denoiser
from concertclean.restore.results import Report, output_format
from concertclean.restore.torch_engine import TorchEngine
from concertclean.weights.loading import load_model
from tests.restore.ready import denoiser_of

RATE = 44_100
Noise = Callable[..., np.ndarray]


class Gain(nn.Module):
    """A "network" that multiplies."""

    sample_rate, stems, channels, alignment, context = RATE, 1, 2, 64, 64

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, waveform: Tensor) -> Tensor:
        return self.gain * waveform.unsqueeze(1)


@pytest.fixture
def network(tiny_weights: dict[str, Path]) -> Callable[[str | nn.Module], Enhancer]:
    def make(model: str | nn.Module) -> Enhancer:
        module = load_model(tiny_weights[model]).model if isinstance(model, str) else model
        return Enhancer(TorchEngine(module, device="cpu", precision="fp32"), threads=1, segment_seconds=0.5)

    return make


@pytest.fixture
def denoise(network: Callable[[str | nn.Module], Enhancer]) -> Callable[..., Report]:
    def run(
        source: Path,
        target: Path,
        model: str | nn.Module = "stereo",
        *,
        removed_target: Path | None = None,
        overwrite: bool = False,
        **settings: Any,
    ) -> Report:
        return denoiser_of(network(model), **settings).run(
            source, target, removed_target=removed_target, overwrite=overwrite
        )

    return run


def store(path: Path, waveform: np.ndarray, *, rate: int = RATE, subtype: str = "FLOAT") -> Path:
    soundfile.write(path, waveform.T, rate, subtype=subtype)
    return path


def load(path: Path) -> np.ndarray:
    return np.asarray(soundfile.read(path, always_2d=True)[0].T)


# What must stay as it was


@pytest.mark.parametrize(
    ("name", "subtype", "dtype", "clip"),
    [
        ("a.wav", "PCM_16", "int16", "warn"),
        ("a.wav", "PCM_24", "int32", "warn"),
        ("a.wav", "PCM_32", "int32", "warn"),
        ("a.wav", "FLOAT", "float32", "warn"),
        ("a.flac", "PCM_16", "int16", "warn"),
        ("a.flac", "PCM_24", "int32", "warn"),
        ("a.wav", "PCM_24", "int32", "rescale"),
    ],
)
def test_strength_0_is_bit_exact(
    tmp_path: Path, denoise: Any, noise: Noise, name: str, subtype: str, dtype: str, clip: str
) -> None:
    source = store(tmp_path / name, noise(30_000, level=0.999), subtype=subtype)
    target = tmp_path / f"clean{source.suffix}"
    report = denoise(source, target, strength=0, format="keep", clip=clip)
    before, after = (soundfile.read(path, dtype=dtype)[0] for path in (source, target))
    assert np.array_equal(before, after)
    assert soundfile.info(target).subtype == subtype
    assert report.reduction_db == 0.0


def test_strength_0_keeps_what_floating_point_holds_above_full_scale(
    tmp_path: Path, denoise: Any, noise: Noise
) -> None:
    source = store(tmp_path / "a.wav", noise(5000, level=3.0))
    report = denoise(source, tmp_path / "b.wav", strength=0)
    assert np.array_equal(load(source), load(tmp_path / "b.wav"))
    assert not [warning for warning in report.warnings if warning.startswith("W105")]


@pytest.mark.parametrize("model", ["stereo", "mono"])
def test_band_above_the_network_is_unchanged_to_120_db(tmp_path: Path, denoise: Any, noise: Noise, model: str) -> None:
    n_samples, rate = 96_000, 96_000
    source = store(tmp_path / "a.wav", noise(n_samples, level=0.5), rate=rate)
    denoise(source, tmp_path / "b.wav", model)
    before, after = load(source), load(tmp_path / "b.wav")
    # A Blackman window: leakage of the changed band below -120 dB a few bins away.
    spectra = [np.fft.rfft(x * np.blackman(n_samples)) for x in (before, after - before)]
    high = np.fft.rfftfreq(n_samples, 1 / rate) > 22_100
    powers = [np.square(np.abs(spectrum[:, high])).sum() for spectrum in spectra]
    assert 10 * math.log10(powers[1] / powers[0]) < -120
    assert np.abs(after - before).max() > 0.01  # the band below is not


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("n_samples", [0, 1, 2, 777, 50_001])
def test_length_is_that_of_the_input(tmp_path: Path, denoise: Any, noise: Noise, rate: int, n_samples: int) -> None:
    source = store(tmp_path / "a.wav", noise(n_samples), rate=rate, subtype="PCM_16")
    report = denoise(source, tmp_path / "b.wav", removed_target=tmp_path / "r.wav")
    for path in (tmp_path / "b.wav", tmp_path / "r.wav"):
        facts = soundfile.info(path)
        assert (facts.frames, facts.samplerate, facts.channels) == (n_samples, rate, 2)
    assert report.seconds == n_samples / rate


@pytest.mark.parametrize("rate", [22_050, 48_000, 96_000])
def test_impulses_stay_in_place_through_the_networks_rate(
    tmp_path: Path, denoise: Any, impulse: Any, rate: int
) -> None:
    position = 30_011
    source = store(tmp_path / "a.wav", impulse(position, 60_000), rate=rate)
    denoise(source, tmp_path / "b.wav", Gain(0.5), removed_target=tmp_path / "r.wav")
    removed = load(tmp_path / "r.wav")[0]
    assert np.argmax(np.abs(removed)) == position
    around = removed[position - 50 : position + 51]
    assert np.abs(around - around[::-1]).max() < 1e-4 * around.max()  # linear phase, no fraction of a sample
    assert np.argmax(np.abs(load(tmp_path / "b.wav")[0])) == position


@pytest.mark.parametrize("model", ["stereo", "mono"])
def test_mono_stays_mono(tmp_path: Path, denoise: Any, noise: Noise, model: str) -> None:
    source = store(tmp_path / "a.wav", noise(40_000, channels=1))
    report = denoise(source, tmp_path / "b.wav", model)
    assert load(tmp_path / "b.wav").shape == (1, 40_000)
    assert report.reduction_db > 0.1


@pytest.mark.parametrize("model", ["stereo", "mono"])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_what_is_only_left_stays_only_left(tmp_path: Path, denoise: Any, noise: Noise, model: str, rate: int) -> None:
    waveform = noise(40_000)
    waveform[1] = 0
    source = store(tmp_path / "a.wav", waveform, rate=rate, subtype="PCM_16")
    denoise(source, tmp_path / "b.wav", model)
    after = load(tmp_path / "b.wav")
    assert not after[1].any()
    assert np.abs(after[0] - load(source)[0]).max() > 0.001


@pytest.mark.parametrize("model", ["stereo", "mono"])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_equal_channels_stay_equal(tmp_path: Path, denoise: Any, noise: Noise, model: str, rate: int) -> None:
    source = store(tmp_path / "a.wav", np.tile(noise(40_000, channels=1), (2, 1)), rate=rate)
    denoise(source, tmp_path / "b.wav", model)
    after = load(tmp_path / "b.wav")
    assert np.array_equal(after[0], after[1])


@pytest.mark.parametrize("model", ["stereo", "mono"])
@pytest.mark.parametrize("channels", [3, 6])
def test_more_channels_are_processed_in_pairs(
    tmp_path: Path, denoise: Any, noise: Noise, model: str, channels: int
) -> None:
    waveform = noise(30_000, channels=channels)
    report = denoise(store(tmp_path / "a.wav", waveform), tmp_path / "b.wav", model)
    together = load(tmp_path / "b.wav")
    for first in range(0, channels, 2):
        pair = waveform[first : first + 2]
        if len(pair) == 1:
            pair = np.repeat(pair, 2, axis=0)
        denoise(store(tmp_path / "p.wav", pair), tmp_path / "q.wav", model, overwrite=True)
        alone = load(tmp_path / "q.wav")
        assert np.allclose(together[first : first + 2], alone[: channels - first], atol=1e-6)
    assert [warning for warning in report.warnings if warning.startswith("W108")]


@pytest.mark.parametrize("name", ["b.flac", "b.m4a"])
def test_tags_and_cover_travel(tmp_path: Path, denoise: Any, noise: Noise, name: str) -> None:
    tags = {"title": "Über den Wolken", "artist": "R. M.", "track": "3/9"}
    cover = Cover(picture(), "image/png")
    with AudioWriter(tmp_path / "a.m4a", Storage("m4a", RATE, 2), tags=tags, cover=cover) as writer:
        writer.write(noise(20_000))
    denoise(tmp_path / "a.m4a", tmp_path / name, format=name[2:])
    with AudioReader(tmp_path / name) as reader:
        assert {key: reader.info.tags[key] for key in tags} == tags
        assert reader.info.cover == cover


def picture() -> bytes:
    import av

    context = av.codec.CodecContext.create("png", "w")
    context.width = context.height = 16
    context.pix_fmt = "rgb24"
    frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


def test_same_bytes_twice(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(60_000), rate=48_000, subtype="PCM_16")
    for name in ("b.wav", "c.wav"):
        denoise(source, tmp_path / name)
    assert (tmp_path / "b.wav").read_bytes() == (tmp_path / "c.wav").read_bytes()


def test_the_container_does_not_matter(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    wav = store(tmp_path / "a.wav", noise(60_000), subtype="PCM_16")
    with AudioWriter(tmp_path / "a.m4a", Storage("alac", RATE, 2, bit_depth=16)) as writer:
        writer.write(load(wav))
    for source in ("a.wav", "a.m4a"):
        denoise(tmp_path / source, tmp_path / f"{source}.clean.wav")
    assert np.array_equal(load(tmp_path / "a.wav.clean.wav"), load(tmp_path / "a.m4a.clean.wav"))


# What the settings mean


@pytest.mark.parametrize(("max_reduction_db", "strength"), [(6.0, 1.0), (12.0, 1.0), (40.0, 0.5)])
def test_max_reduction_never_lowers_more(
    tmp_path: Path, denoise: Any, noise: Noise, max_reduction_db: float, strength: float
) -> None:
    source = store(tmp_path / "a.wav", noise(40_000))
    report = denoise(source, tmp_path / "b.wav", Gain(0.0), max_reduction_db=max_reduction_db, strength=strength)
    left = max(10 ** (-max_reduction_db / 20), 1 - strength)
    assert np.allclose(load(tmp_path / "b.wav"), left * load(source), atol=1e-7)
    assert report.reduction_db == pytest.approx(-20 * math.log10(left), abs=1e-3)


def test_strength_is_a_share_of_what_is_removed(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(40_000))
    for strength in (1.0, 0.25):
        denoise(source, tmp_path / f"{strength}.wav", strength=strength)
    before = load(source)
    whole, part = (load(tmp_path / f"{strength}.wav") - before for strength in (1.0, 0.25))
    assert np.allclose(part, 0.25 * whole, atol=1e-7)


def test_start_and_duration(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(100_000))
    report = denoise(source, tmp_path / "b.wav", Gain(0.5), start_seconds=0.5, duration_seconds=1.0)
    part = load(source)[:, 22_050 : 22_050 + RATE]
    assert np.allclose(load(tmp_path / "b.wav"), 0.5 * part, atol=1e-7)
    assert report.seconds == 1.0
    report = denoise(source, tmp_path / "c.wav", Gain(0.5), start_seconds=2.0, duration_seconds=50.0)
    assert report.seconds == (100_000 - 2 * RATE) / RATE


def test_start_behind_the_end(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(RATE))
    with pytest.raises(ConfigError, match=r"1\.00 s long, cannot start at 5 s"):
        denoise(source, tmp_path / "b.wav", start_seconds=5)
    assert os.listdir(tmp_path) == ["a.wav"]


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    # One step of 24 bits; both dithers at 16; the rounding of float32, whose sum cannot be exact.
    [("PCM_24", 2.0**-23), ("PCM_16", 3 * 2.0**-15), ("FLOAT", 2.0**-25)],
)
@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("clip", ["warn", "rescale"])
def test_restored_and_removed_add_up(
    tmp_path: Path, denoise: Any, noise: Noise, subtype: str, tolerance: float, rate: int, clip: str
) -> None:
    source = store(tmp_path / "a.wav", noise(60_000, level=0.3), rate=rate, subtype=subtype)
    denoise(source, tmp_path / "b.wav", removed_target=tmp_path / "r.wav", strength=0.7, clip=clip)
    restored, removed = load(tmp_path / "b.wav"), load(tmp_path / "r.wav")
    assert np.abs(restored + removed - load(source)).max() <= tolerance * (1 + 1e-9)
    assert np.abs(removed).max() > 0.01


def test_what_is_removed_at_another_output_rate(tmp_path: Path, denoise: Any, tone: Any) -> None:
    """Opus is always 48 kHz: both files are as long as the recording, and in step."""
    source = store(tmp_path / "a.wav", tone(1000, 66_150, level=0.5))
    targets = {"removed_target": tmp_path / "r.opus"}
    report = denoise(source, tmp_path / "b.opus", Gain(0.5), format="opus", **targets)
    assert [warning for warning in report.warnings if warning.startswith("W113")]
    waveforms = []
    for path in (tmp_path / "b.opus", tmp_path / "r.opus"):
        with AudioReader(path) as reader:
            assert reader.info.sample_rate == 48_000
            waveforms.append(reader.read(100_000))
    assert [waveform.shape[1] for waveform in waveforms] == [72_000, 72_000]
    middle = slice(10_000, 60_000)
    assert np.corrcoef(waveforms[0][0, middle], waveforms[1][0, middle])[0, 1] > 0.999


def loudness(path: Path) -> float:
    return float(pyloudnorm.Meter(soundfile.info(path).samplerate).integrated_loudness(load(path).T))


@pytest.mark.parametrize("wanted", ["match", -16.0, -30.0])
def test_loudness(tmp_path: Path, denoise: Any, noise: Noise, wanted: str | float) -> None:
    source = store(tmp_path / "a.wav", noise(3 * RATE, level=0.1))
    report = denoise(source, tmp_path / "b.wav", loudness=wanted, removed_target=tmp_path / "r.wav")
    goal = loudness(source) if wanted == "match" else wanted
    assert loudness(tmp_path / "b.wav") == pytest.approx(goal, abs=0.1)
    assert report.lufs_after == pytest.approx(goal, abs=0.1)
    assert report.lufs_before == pytest.approx(loudness(source), abs=0.1)
    # What is removed gets the same gain: both add up to the louder recording.
    total = load(tmp_path / "b.wav") + load(tmp_path / "r.wav")
    gain = np.abs(total).max() / np.abs(load(source)).max()
    assert np.allclose(total, gain * load(source), atol=1e-6)


def test_silence_has_no_loudness_to_match(tmp_path: Path, denoise: Any) -> None:
    source = store(tmp_path / "a.wav", np.zeros((2, RATE)))
    denoise(source, tmp_path / "b.wav", loudness=-16)
    assert not load(tmp_path / "b.wav").any()


def test_clip_warn_counts(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(20_000, level=1.5))
    n_over = int((np.abs(load(source)) > 1).sum())
    report = denoise(source, tmp_path / "b.wav", strength=0, bit_depth="24")
    assert report.n_clipped == n_over > 0
    assert f"W105 output would clip: {n_over} samples" in " ".join(report.warnings)
    assert np.abs(load(tmp_path / "b.wav")).max() == 1.0


def test_clip_rescale_scales_the_whole(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(20_000, level=1.5))
    report = denoise(source, tmp_path / "b.wav", strength=0, bit_depth="24", clip="rescale")
    after, before = load(tmp_path / "b.wav"), load(source)
    assert np.allclose(after, before * 10 ** (-0.1 / 20) / np.abs(before).max(), atol=2.0**-23)
    assert report.n_clipped == 0
    assert [warning for warning in report.warnings if warning.startswith("W105")]


def test_clip_limit_bends_only_what_is_loud(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(20_000, level=1.5))
    report = denoise(source, tmp_path / "b.wav", strength=0, clip="limit")
    after, before = load(tmp_path / "b.wav"), load(source)
    quiet = np.abs(before) < 0.89
    assert np.array_equal(after[quiet], before[quiet])
    assert np.abs(after).max() < 1.0
    assert not [warning for warning in report.warnings if warning.startswith("W105")]


@pytest.mark.parametrize(("format", "words"), [("flac", "were cut"), ("m4a", "m4a keeps them, most players cut them")])
def test_clip_warn_says_what_happened_in_this_format(tmp_path: Path, denoise: Any, noise: Noise, format, words) -> None:
    source = store(tmp_path / "a.wav", noise(20_000, level=1.5))
    n_over = int((np.abs(load(source)) > 1).sum())
    report = denoise(source, tmp_path / f"b.{format}", strength=0, format=format)
    (warning,) = [warning for warning in report.warnings if warning.startswith("W105")]
    assert f"{n_over} samples" in warning
    assert words in warning
    assert ("were cut" in warning) == (format == "flac")
    assert report.n_clipped == (n_over if format == "flac" else 0)


def test_what_is_cut_is_counted_in_the_file_at_its_own_rate(tmp_path: Path, denoise: Any, tone: Any) -> None:
    """Opus is always 48 kHz: its samples exceed full scale in other places, and in another number."""
    source = store(tmp_path / "a.wav", tone(100, RATE, level=1.2))
    report = denoise(source, tmp_path / "b.opus", strength=0, format="opus")
    expected = int((np.abs(tone(100, 48_000, sample_rate=48_000, level=1.2)) > 1).sum())
    (warning,) = [warning for warning in report.warnings if warning.startswith("W105")]
    assert int(warning.split(": ")[1].split()[0]) == pytest.approx(expected, abs=20)


def test_what_was_removed_is_cut_and_counted_as_well(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(20_000, level=1.5))
    report = denoise(source, tmp_path / "b.flac", Gain(0.0), format="flac", removed_target=tmp_path / "r.flac")
    n_over = int((np.abs(load(source)) > 1).sum())
    (warning,) = [warning for warning in report.warnings if warning.startswith("W105")]
    assert warning.startswith(f"W105 what was removed would clip: {n_over} samples above full scale were cut; set the")


@pytest.mark.parametrize("clip", ["warn", "limit", "rescale"])
@pytest.mark.parametrize("format", ["wav", "mp3", "m4a", "ogg"])
def test_spike_beyond_sense_is_no_end(tmp_path: Path, denoise: Any, format: str, clip: str) -> None:
    waveform = np.zeros((2, 9_000))
    waveform[:, 4_000] = 1e10
    source = store(tmp_path / "a.wav", waveform)
    report = denoise(source, tmp_path / f"b.{format}", strength=0, format=format, clip=clip, bit_depth="24")
    with AudioReader(tmp_path / f"b.{format}") as reader:
        found = reader.read_all()
    assert found.shape == (2, 9_000)
    assert np.abs(found).max() < 3
    assert report.n_clipped == (2 if clip == "warn" else 0)


@pytest.mark.parametrize("format", ["wav", "flac", "opus"])
def test_numbers_that_only_64_bits_hold_are_silence(tmp_path: Path, denoise: Any, format: str) -> None:
    """Their squares are infinite; no word about that reaches a person, and nothing infinite the file."""
    waveform = np.random.default_rng(0).uniform(-0.1, 0.1, (2, 9_000))
    waveform[:, 4_000] = 1e300
    soundfile.write(tmp_path / "a.wav", waveform.T, RATE, "DOUBLE")
    report = denoise(tmp_path / "a.wav", tmp_path / f"b.{format}", strength=0, format=format)
    with AudioReader(tmp_path / f"b.{format}") as reader:
        found = reader.read_all()
        assert reader.warnings == []
    assert np.isfinite(found).all()
    assert any(warning.startswith("W110 2 samples") for warning in report.warnings), report.warnings
    waveform[:, 4_000] = 0
    assert np.array_equal(found, waveform) == (format == "wav")


def test_a_full_temporary_folder_is_blamed(
    tmp_path: Path, denoise: Any, noise: Noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for its gain waits in a file without a name, which ends with the process, too."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full.open("r+b"))
    soundfile.write(tmp_path / "a.wav", noise(RATE).T, RATE)
    with pytest.raises(OutputError, match=f"{tempfile.gettempdir()}: cannot be written .*No space left"):
        denoise(tmp_path / "a.wav", tmp_path / "b.wav", loudness="match")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_limited_output_at_another_rate_stays_below_full_scale(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    """Resampling after the limiter would overshoot again."""
    source = store(tmp_path / "a.wav", noise(20_000, level=2.0))
    report = denoise(source, tmp_path / "b.opus", strength=0, format="opus", clip="limit")
    assert not [warning for warning in report.warnings if warning.startswith("W105")]
    assert report.peak_after_db <= 0


@pytest.mark.parametrize("clip", ["warn", "rescale"])
def test_64_bit_floats_stay_bit_for_bit(tmp_path: Path, denoise: Any, clip: str) -> None:
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 9_000))
    soundfile.write(tmp_path / "a.wav", waveform.T, RATE, "DOUBLE")
    report = denoise(tmp_path / "a.wav", tmp_path / "b.wav", strength=0, clip=clip)
    assert np.array_equal(load(tmp_path / "b.wav"), waveform)
    assert not [warning for warning in report.warnings if warning.startswith("W112")]


# What the output is


def facts(**changes: Any) -> AudioInfo:
    plain: dict[str, Any] = {
        "path": "a", "container": "wav", "codec": "pcm_s16le", "sample_rate": RATE, "channels": 2,
        "channel_layout": "stereo", "bit_depth": 16, "is_float": False, "is_lossless": True,
        "n_samples": 1, "bit_rate": None,
    }  # fmt: skip
    return AudioInfo(**(plain | changes))


AAC = {"container": "m4a", "codec": "aac", "bit_depth": None, "is_lossless": False, "bit_rate": 128_000}
FLOAT = {"codec": "pcm_f32le", "bit_depth": 32, "is_float": True}


@pytest.mark.parametrize(
    ("info", "settings", "expected"),
    [
        ({}, {}, ("wav", RATE, 16, False, None)),
        ({"bit_depth": 8}, {}, ("wav", RATE, 16, False, None)),
        ({"bit_depth": 24, "codec": "flac"}, {}, ("wav", RATE, 24, False, None)),
        ({"bit_depth": 20, "codec": "alac"}, {"format": "keep"}, ("alac", RATE, 24, False, None)),
        (FLOAT, {}, ("wav", RATE, 32, True, None)),
        (FLOAT, {"format": "flac"}, ("flac", RATE, 24, False, None)),
        (FLOAT, {"bit_depth": "16"}, ("wav", RATE, 16, False, None)),
        ({"bit_depth": 32}, {"format": "flac"}, ("flac", RATE, 24, False, None)),
        ({**FLOAT, "bit_depth": 64}, {}, ("wav", RATE, 64, True, None)),
        ({**FLOAT, "bit_depth": 64}, {"bit_depth": "32f"}, ("wav", RATE, 32, True, None)),
        ({}, {"bit_depth": "64f"}, ("wav", RATE, 64, True, None)),
        (AAC, {}, ("wav", RATE, 24, False, None)),
        (AAC, {"bit_depth": "32f"}, ("wav", RATE, 32, True, None)),
        (AAC, {"format": "keep"}, ("m4a", RATE, None, False, 192_000)),
        (AAC | {"bit_rate": 256_000}, {"format": "keep"}, ("m4a", RATE, None, False, 256_000)),
        ({}, {"format": "mp3"}, ("mp3", RATE, None, False, None)),
        ({"sample_rate": 96_000}, {"format": "mp3"}, ("mp3", 48_000, None, False, None)),
        ({}, {"format": "opus"}, ("opus", 48_000, None, False, None)),
        ({"sample_rate": 192_000}, {"bit_depth": "32"}, ("wav", 192_000, 32, False, None)),
    ],
)
def test_output_format(info: Any, settings: Any, expected: tuple[Any, ...]) -> None:
    found = output_format(facts(**info), DenoiseSettings(**settings))
    assert (found.format, found.sample_rate, found.bit_depth, found.is_float, found.bit_rate) == expected


def test_lossy_source_gives_24_bits(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    soundfile.write(tmp_path / "a.mp3", noise(RATE).T, RATE)
    report = denoise(tmp_path / "a.mp3", tmp_path / "b.wav")
    assert soundfile.info(tmp_path / "b.wav").subtype == "PCM_24"
    assert report.warnings[0].startswith("W102 lossy source (mp3")


def test_fewer_bits_than_asked_for_are_told(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(1000))
    report = denoise(source, tmp_path / "b.flac", format="flac")
    assert report.warnings == ["W112 flac stores 24 bits, not floating point; wav does"]


def test_a_lossy_output_of_a_lossy_source_is_told(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    soundfile.write(tmp_path / "a.mp3", noise(RATE).T, RATE)
    report = denoise(tmp_path / "a.mp3", tmp_path / "b.mp3", format="keep")
    assert "flac and wav are not" in report.warnings[0]


def test_the_writers_warnings_reach_the_report(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    with AudioWriter(tmp_path / "a.flac", Storage("flac", RATE, 2), cover=Cover(picture(), "image/png")) as writer:
        writer.write(noise(1000))
    report = denoise(tmp_path / "a.flac", tmp_path / "b.wav")
    assert [warning[:4] for warning in report.warnings] == ["W111"]


def test_the_readers_warnings_reach_the_report(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    soundfile.write(tmp_path / "a.mp3", noise(3 * RATE).T, RATE)
    whole = (tmp_path / "a.mp3").read_bytes()
    (tmp_path / "a.mp3").write_bytes(whole[: len(whole) // 2])
    report = denoise(tmp_path / "a.mp3", tmp_path / "b.wav")
    assert [warning[:4] for warning in report.warnings] == ["W102", "W103"]


# What goes wrong


@pytest.mark.parametrize("link", ["same", "symlink", "hardlink", "dotted"])
def test_the_recording_itself_is_never_written(tmp_path: Path, denoise: Any, noise: Noise, link: str) -> None:
    source = store(tmp_path / "a.wav", noise(1000))
    before = source.read_bytes()
    target = source if link == "same" else tmp_path / "b.wav"
    if link == "symlink":
        target.symlink_to(source)
    elif link == "hardlink":
        target.hardlink_to(source)
    elif link == "dotted":
        (tmp_path / "d").mkdir()
        target = tmp_path / "d" / ".." / "a.wav"
    with pytest.raises(OutputError, match="the recording itself"):
        denoise(source, target, overwrite=True)
    with pytest.raises(OutputError, match="the recording itself"):
        denoise(source, tmp_path / "c.wav", removed_target=target, overwrite=True)
    assert source.read_bytes() == before


def test_redirected_input_is_never_written(tmp_path: Path, network: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(1000))
    with source.open("rb") as stream, pytest.raises(OutputError, match="the recording itself"):
        denoiser_of(network("stereo")).run(stream, source, overwrite=True)


def test_an_existing_output_is_refused(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(1000))
    (tmp_path / "b.wav").write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists"):
        denoise(source, tmp_path / "b.wav")
    assert (tmp_path / "b.wav").read_bytes() == b"precious"
    denoise(source, tmp_path / "b.wav", overwrite=True)
    assert load(tmp_path / "b.wav").shape == (2, 1000)


@pytest.mark.parametrize("loudness", ["off", "match"])
def test_a_network_that_gives_no_numbers(tmp_path: Path, denoise: Any, noise: Noise, loudness: str) -> None:
    source = store(tmp_path / "a.wav", noise(RATE))
    with pytest.raises(ModelError, match="NaN or infinity; set the precision to fp32"):
        denoise(source, tmp_path / "b.wav", "broken", loudness=loudness, removed_target=tmp_path / "r.wav")
    assert os.listdir(tmp_path) == ["a.wav"]


@pytest.mark.parametrize(("content", "error"), [(b"", NoInputError), (b"no music, " * 99, AudioFileError)])
def test_what_cannot_be_read_leaves_nothing(
    tmp_path: Path, denoise: Any, content: bytes, error: type[Exception]
) -> None:
    (tmp_path / "a.m4a").write_bytes(content)
    with pytest.raises(error, match=r"a\.m4a"):
        denoise(tmp_path / "a.m4a", tmp_path / "b.wav")
    assert os.listdir(tmp_path) == ["a.m4a"]


@pytest.mark.parametrize("model", ["stereo", "mono"])
@pytest.mark.parametrize("n_samples", [1, 300, 30_000])
def test_silence_stays_silence(tmp_path: Path, denoise: Any, model: str, n_samples: int) -> None:
    source = store(tmp_path / "a.wav", np.zeros((2, n_samples)), rate=48_000, subtype="PCM_16")
    report = denoise(source, tmp_path / "b.wav", model)
    assert np.array_equal(load(tmp_path / "b.wav"), np.zeros((2, n_samples)))
    assert report.lufs_after == -math.inf
    assert report.reduction_db == 0.0


def test_nothing_becomes_nothing(tmp_path: Path, denoise: Any) -> None:
    source = store(tmp_path / "a.wav", np.zeros((2, 0)), subtype="PCM_16")
    denoise(source, tmp_path / "b.wav", loudness="match")
    assert soundfile.info(tmp_path / "b.wav").frames == 0
    with pytest.raises(OutputError, match="0 samples"):
        denoise(source, tmp_path / "b.mp3", format="mp3")


def test_progress_reaches_the_end(tmp_path: Path, network: Any, noise: Noise) -> None:
    source = store(tmp_path / "a.wav", noise(100_000))
    told: list[float] = []
    denoiser_of(network("stereo")).run(source, tmp_path / "b.wav", progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 100_000 / RATE
    assert len(told) >= 4


class Mean:
    """Removes the mean of the recording, which it has to know before."""

    def __init__(self, recording: Material | None) -> None:
        self.mean = math.nan if recording is None else float(recording.waveform().mean())

    def removed(self, blocks: Iterator[np.ndarray], channels: int, sample_rate: int) -> Iterator[np.ndarray]:
        return (np.full(block.shape, self.mean) for block in blocks)


def denoiser_that_learns(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Denoiser:
    monkeypatch.setitem(METHODS, "mean", Method("Removes the mean.", Mean, "recording"))
    given = DenoiseSettings(model="mean", bit_depth="32f", **settings)
    return Denoiser(build_restorer(("mean",), given), given)


@pytest.mark.parametrize("opened", ["file", "stream"])
@pytest.mark.parametrize("part", [{}, {"start_seconds": 0.5, "duration_seconds": 1.2}])
def test_a_first_pass_reads_what_is_restored(
    tmp_path: Path, noise: Noise, monkeypatch: pytest.MonkeyPatch, opened: str, part: dict[str, float]
) -> None:
    waveform = load(store(tmp_path / "a.wav", 0.1 + noise(3 * RATE) * np.linspace(0, 1, 3 * RATE)))
    processed = waveform[:, RATE // 2 : RATE // 2 + round(1.2 * RATE)] if part else waveform
    seen: list[float] = []
    source = tmp_path / "a.wav" if opened == "file" else io.BytesIO((tmp_path / "a.wav").read_bytes())
    denoiser_that_learns(monkeypatch, **part).run(source, tmp_path / "b.wav", first_pass=seen.append)
    assert load(tmp_path / "b.wav") == pytest.approx(processed - processed.mean(), abs=1e-7)
    assert max(seen) == pytest.approx(processed.shape[1] / RATE)


def test_at_strength_0_there_is_no_first_pass(tmp_path: Path, noise: Noise, monkeypatch: pytest.MonkeyPatch) -> None:
    waveform = load(store(tmp_path / "a.wav", noise(RATE)))
    seen: list[float] = []
    denoiser_that_learns(monkeypatch, strength=0).run(tmp_path / "a.wav", tmp_path / "b.wav", first_pass=seen.append)
    assert np.array_equal(load(tmp_path / "b.wav"), waveform)
    assert not seen


# Memory


def peak_mib(denoiser: Denoiser, source: Path, target: Path) -> float:
    tracemalloc.start()
    try:
        denoiser.run(source, target, removed_target=target.with_stem("r" + target.stem))
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("rate", "settings"), [(44_100, {}), (48_000, {"loudness": "match"})])
def test_memory_does_not_grow_with_the_length(
    tmp_path: Path, network: Any, noise: Noise, rate: int, settings: dict[str, Any]
) -> None:
    denoiser = denoiser_of(network(Gain(0.5)), **settings)
    peaks = []
    for seconds in (10, 100):
        source = store(tmp_path / f"{seconds}.wav", noise(seconds * rate), rate=rate, subtype="PCM_16")
        peaks.append(peak_mib(denoiser, source, tmp_path / f"{seconds}_clean.wav"))
    assert peaks[1] < peaks[0] + 4  # 90 s more of stereo are 60 MiB as float64
    assert peaks[1] < 40


def test_torch_is_left_as_it_was(tmp_path: Path, denoise: Any, noise: Noise) -> None:
    before = torch.get_num_threads()
    denoise(store(tmp_path / "a.wav", noise(1000)), tmp_path / "b.wav")
    assert torch.get_num_threads() == before
