"""`concertclean denoise` as a person or a script meets it: files, exit codes, what is printed where."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import torch
from rich.console import Console

import concertclean
from concertclean.cli import console
from concertclean.errors import DeviceMemoryError
from concertclean.restore.pipeline import Denoiser

RATE = 44_100
Program = Callable[..., Any]
Noise = Callable[..., np.ndarray]


@pytest.fixture
def denoise(program: Program, tiny_weights: dict[str, Path]) -> Program:
    """Runs `denoise` with a tiny network, quickly."""

    def run(*words: object, model: object = None, stdin: bytes = b"") -> Any:
        how = ["--device", "cpu", "--precision", "fp32", "--threads", 1, "--segment", 0.5]
        return program("denoise", "--model", model or tiny_weights["stereo"], *how, *words, stdin=stdin)

    return run


@pytest.fixture
def sound(tmp_path: Path, noise: Noise) -> Callable[..., Path]:
    def make(name: str = "a.wav", n_samples: int = 3000, subtype: str | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        format = {".m4a": None}.get(path.suffix, path.suffix[1:].upper())
        if format is None:
            path.write_bytes(m4a(noise(n_samples)))
        else:
            with path.open("wb") as file:
                soundfile.write(file, noise(n_samples).T, RATE, subtype, format=format)
        return path

    return make


def m4a(waveform: np.ndarray) -> bytes:
    """AAC in MP4 as FFmpeg writes it by default: the table of contents at the end."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(waveform.astype(np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


def film() -> bytes:
    """An MP4 with pictures and no sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.mux([*stream.encode(picture("yuv420p")), *stream.encode(None)])
    return file.getvalue()


def jpeg() -> bytes:
    context = av.codec.CodecContext.create("mjpeg", "w")
    context.width = context.height = 64
    context.pix_fmt, context.time_base = "yuvj420p", Fraction(1, 25)
    return b"".join(bytes(packet) for packet in [*context.encode(picture("yuvj420p")), *context.encode(None)])


def picture(format: str) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24").reformat(format=format)


def visible(folder: Path) -> list[str]:
    """Everything below a folder but the program's own folders; part files begin with a dot too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# What is written


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.wav", "PCM_16"), ("a.flac", "PCM_24"), ("a.mp3", "PCM_24"), ("a.m4a", "PCM_24")],
)
def test_the_result_lies_beside(denoise: Program, sound: Any, tmp_path: Path, name: str, subtype: str) -> None:
    sound(name, 50_000, "PCM_24" if name == "a.flac" else None)
    ended = denoise(name)
    assert ended.code == 0
    assert ended.out == b""
    assert visible(tmp_path) == sorted([name, "a_clean.wav"])
    facts = soundfile.info(tmp_path / "a_clean.wav")
    assert (facts.samplerate, facts.channels, facts.subtype) == (RATE, 2, subtype)
    assert "a_clean.wav" in ended.err
    assert "dB removed" in ended.err


@pytest.mark.parametrize("model", ["stereo", "mono"])
def test_it_is_restored(
    denoise: Program, sound: Any, tmp_path: Path, tiny_weights: dict[str, Path], model: str
) -> None:
    before = soundfile.read(sound(n_samples=30_000))[0]
    assert denoise("a.wav", model=tiny_weights[model]).code == 0
    assert np.abs(soundfile.read(tmp_path / "a_clean.wav")[0] - before).max() > 0.01
    assert denoise("a.wav", "-o", "same.wav", "--strength", 0, model=tiny_weights[model]).code == 0
    assert np.array_equal(soundfile.read(tmp_path / "same.wav")[0], before)


@pytest.mark.parametrize(
    ("words", "name", "format", "subtype"),
    [
        (["-o", "x.flac"], "x.flac", "FLAC", "PCM_16"),
        (["-o", "x.flac", "--bit-depth", "24"], "x.flac", "FLAC", "PCM_24"),
        (["--bit-depth", "32f"], "a_clean.wav", "WAV", "FLOAT"),
        (["--format", "keep"], "a_clean.wav", "WAV", "PCM_16"),
        (["--format", "mp3"], "a_clean.mp3", "MP3", "MPEG_LAYER_III"),
        (["-o", "new/deep"], "new/deep/a_clean.wav", "WAV", "PCM_16"),
        (["-o", "new/x.ogg"], "new/x.ogg", "OGG", "VORBIS"),
    ],
)
def test_format(
    denoise: Program, sound: Any, tmp_path: Path, words: list[str], name: str, format: str, subtype: str
) -> None:
    sound(n_samples=20_000)
    assert denoise("a.wav", *words).code == 0
    facts = soundfile.info(tmp_path / name)
    assert (facts.format, facts.subtype) == (format, subtype)
    assert visible(tmp_path) == sorted(["a.wav", name])


def test_keep_of_each_of_several(denoise: Program, sound: Any, tmp_path: Path) -> None:
    for name in ("a.wav", "b.flac", "c.mp3"):
        sound(name, 20_000)
    assert denoise("a.wav", "b.flac", "c.mp3", "--format", "keep", "-o", "out").code == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["a_clean.wav", "b_clean.flac", "c_clean.mp3"]


def test_residual(denoise: Program, sound: Any, tmp_path: Path) -> None:
    before = soundfile.read(sound(subtype="PCM_24"))[0]
    assert denoise("a.wav", "--removed").code == 0
    assert visible(tmp_path) == ["a.wav", "a_clean.wav", "a_clean_removed.wav"]
    restored, removed = (soundfile.read(tmp_path / f"a_clean{mark}.wav")[0] for mark in ("", "_removed"))
    assert np.abs(restored + removed - before).max() <= 2.0**-23


def test_part_of_a_recording(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound(n_samples=RATE)
    assert denoise("a.wav", "--start", 0.25, "--duration", 0.5).code == 0
    assert soundfile.info(tmp_path / "a_clean.wav").frames == RATE // 2
    ended = denoise("a.wav", "-o", "b.wav", "--start", 2)
    assert ended.code == 2
    assert "cannot start at 2 s" in ended.err


def test_a_tree(denoise: Program, sound: Any, tmp_path: Path) -> None:
    for name in ("in/a.wav", "in/deep/b.wav"):
        sound(name)
    assert denoise("in", "-r", "-o", "out").code == 0
    assert visible(tmp_path / "out") == ["a_clean.wav", "deep/b_clean.wav"]
    assert denoise("in/**/*.wav", "-o", "flat", "-q").err == ""
    assert visible(tmp_path / "flat") == ["a_clean.wav", "b_clean.wav"]


def test_two_recordings_with_one_stem(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.mp3", 20_000)
    sound("a.m4a", 20_000)
    assert denoise("a.mp3", "a.m4a").code == 0
    assert visible(tmp_path) == ["a.m4a", "a.mp3", "a_m4a_clean.wav", "a_mp3_clean.wav"]


@pytest.mark.parametrize(
    "name",
    ["-a.wav", "Über den Wolken.wav", "ライブ 💿.wav", "a b  c.wav", "v1.2.wav", "[red]x[/red].wav", "x" * 246 + ".wav",
     pytest.param("\udcff.wav", marks=pytest.mark.skipif(sys.platform != "linux", reason="a Linux name"))],
)  # fmt: skip
@pytest.mark.parametrize("more", [[], ["--dry-run"], ["--json"], ["--removed", "--format", "flac"]])
def test_names(denoise: Program, sound: Any, tmp_path: Path, name: str, more: list[str]) -> None:
    sound(name)
    ended = denoise(*more, "--", name)
    assert ended.code == 0
    n_files = {"--dry-run": 1, "--removed": 3}.get(more[0] if more else "", 2)
    assert len(visible(tmp_path)) == n_files
    if "[red]" in name and not more:
        assert name in ended.err


# What is not written


def test_an_existing_output(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound()
    (tmp_path / "a_clean.wav").write_bytes(b"old")
    ended = denoise("a.wav")
    assert ended.code == 9
    assert "exists" in ended.err
    ended = denoise("a.wav", "--skip-existing")
    assert ended.code == 0
    assert "skipped" in ended.err
    assert (tmp_path / "a_clean.wav").read_bytes() == b"old"
    assert denoise("a.wav", "--overwrite").code == 0
    assert soundfile.info(tmp_path / "a_clean.wav").frames == 3000


def test_a_batch_resumes(denoise: Program, sound: Any, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        sound(name)
    assert denoise("a.wav").code == 0
    first = (tmp_path / "a_clean.wav").stat()
    ended = denoise(".", "--skip-existing", "--json")
    assert [record["status"] for record in json.loads(ended.out)] == ["skipped", "done"]
    assert (tmp_path / "a_clean.wav").stat().st_mtime_ns == first.st_mtime_ns
    assert visible(tmp_path) == ["a.wav", "a_clean.wav", "b.wav", "b_clean.wav"]


def test_nothing_to_do_needs_no_model(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound()
    (tmp_path / "a_clean.wav").touch()
    assert denoise("a.wav", "--skip-existing", model="consert").code == 0


@pytest.mark.parametrize("words", [["-o", "a.wav"], ["-o", "link.wav"], ["-o", "./d/../a.wav"]])
def test_the_recording_is_never_written_over(denoise: Program, sound: Any, tmp_path: Path, words: list[str]) -> None:
    before = sound().read_bytes()
    (tmp_path / "d").mkdir()
    (tmp_path / "link.wav").symlink_to("a.wav")
    ended = denoise("a.wav", "--overwrite", *words)
    assert ended.code == 9
    assert "the recording itself" in ended.err
    assert (tmp_path / "a.wav").read_bytes() == before


def test_dry_run_writes_nothing(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound("in/a.wav", 2 * RATE)
    sound("in/b.mp3", 20_000)
    more = ["--dry-run", "--jsonl-log", "log", "--format", "keep"]
    ended = denoise("in", "-o", "out", *more)
    assert ended.code == 0
    assert ended.out.decode() == "in/a.wav -> out/a_clean.wav  0:02\nin/b.mp3 -> out/b_clean.mp3  0:00\n"
    assert re.search(r"stages \S+\n2 recordings, 0:02: about 0:\d\d here, \d+x real time", ended.err)
    assert denoise("-", "--dry-run", stdin=b"x").out == b"standard input -> standard output\n"
    assert visible(tmp_path) == ["in/a.wav", "in/b.mp3"]


def test_dry_run_opens_the_recordings(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound(n_samples=3 * RATE // 2)
    sound("a_clean.wav")
    (tmp_path / "b.wav").write_bytes(b"no music" * 99)
    ended = denoise("a.wav", "b.wav", "--dry-run", "--json")
    assert ended.code == 3
    good, bad = json.loads(ended.out)
    assert (good["status"], good["output"], good["output_exists"]) == ("planned", "a_clean.wav", True)
    assert good["duration_seconds"] == pytest.approx(1.5)
    assert 0 < good["estimated_seconds"] < 60
    assert (bad["status"], bad["duration_seconds"]) == ("failed", None)
    assert "b.wav: not an audio file" in bad["error"]
    assert "b.wav: not an audio file" in ended.err


# What is told


@pytest.mark.parametrize("shows_progress", [False, True])
def test_json_is_the_only_thing_on_stdout(
    denoise: Program, sound: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shows_progress: bool
) -> None:
    monkeypatch.setattr(console, "err", Console(stderr=True, force_terminal=shows_progress, width=200))
    sound()
    (tmp_path / "b.wav").write_bytes(b"no music" * 99)
    ended = denoise("a.wav", "b.wav", "--json")
    assert ended.code == 3
    done, failed = json.loads(ended.out)
    assert (done["input"], done["output"], done["status"]) == ("a.wav", "a_clean.wav", "done")
    assert done["duration_seconds"] == 3000 / RATE
    assert (done["device"], done["precision"], done["segment_seconds"]) == ("cpu", "fp32", 0.5)
    assert len(done["sha256"]) == 64
    assert done["lufs_before"] is None  # less than 400 ms
    assert (failed["status"], failed["exit_code"]) == ("failed", 5)
    assert "b.wav" in failed["error"]
    assert "a_clean.wav" in ended.err
    assert ("\x1b" in ended.err) == shows_progress
    assert ("/2 recordings" in ended.err) == shows_progress


def test_log_has_a_line_a_recording(denoise: Program, sound: Any, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        sound(name)
    log = tmp_path / "log.jsonl"
    for words in (["a.wav", "b.wav"], ["a.wav", "--skip-existing"], ["nothing.wav"]):
        denoise(*words, "--jsonl-log", log)
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert [record["status"] for record in records] == ["done", "done", "skipped"]


def test_a_log_that_cannot_be_written_is_told_before_the_work(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound()
    ended = denoise("a.wav", "--jsonl-log", tmp_path / "none/log")
    assert ended.code == 9
    assert visible(tmp_path) == ["a.wav"]


def test_quiet_and_verbose(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound("a.mp3", 20_000)
    plain = denoise("a.mp3", "-o", "1.wav").err
    verbose = denoise("a.mp3", "-o", "2.wav", "-v").err
    assert "W102" not in plain
    assert "W102" in verbose
    assert "device cpu, fp32, 1 threads" in verbose
    assert denoise("a.mp3", "-o", "3.wav", "-q").err == ""
    assert denoise("a.mp3", "-o", "3.wav", "-q").err.startswith("error: ")


def test_a_truncated_mp3_is_done_and_told(denoise: Program, sound: Any, tmp_path: Path) -> None:
    path = sound("a.mp3", 3 * RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ended = denoise("a.mp3")
    assert ended.code == 0
    assert "W103" in ended.err
    assert soundfile.info(tmp_path / "a_clean.wav").frames > RATE


def test_clipping_is_told(denoise: Program, tmp_path: Path, noise: Noise) -> None:
    soundfile.write(tmp_path / "a.wav", noise(3000, level=1.5).T, RATE, "FLOAT")
    ended = denoise("a.wav", "--strength", 0, "--bit-depth", 24)
    assert "W105" in ended.err


# Standard input and output


def test_stdin_to_stdout(denoise: Program, sound: Any, tmp_path: Path) -> None:
    data = sound("a.m4a", 30_000).read_bytes()
    assert data.index(b"moov") > data.index(b"mdat")
    piped = denoise("-", stdin=data)
    assert piped.code == 0
    assert denoise("a.m4a").code == 0
    assert piped.out == (tmp_path / "a_clean.wav").read_bytes()
    assert denoise("-", "-o", "-", "--format", "flac", stdin=data).out.startswith(b"fLaC")


def test_stdin_to_a_file_and_a_file_to_stdout(denoise: Program, sound: Any, tmp_path: Path) -> None:
    data = sound().read_bytes()
    assert denoise("-", "-o", "new/b.flac", "--json", stdin=data).code == 0
    assert soundfile.info(tmp_path / "new/b.flac").format == "FLAC"
    ended = denoise("a.wav", "-o", "-")
    assert soundfile.info(io.BytesIO(ended.out)).frames == 3000
    assert visible(tmp_path) == ["a.wav", "new/b.flac"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["-", "a.wav"], "one recording from standard input"),
        (["-", "--json"], "--json"),
        (["a.wav", "-o", "-", "--json"], "--json"),
        (["-", "--residual"], "--removed"),
        (["-", "-o", "folder"], "-o NAME.wav"),
        (["-", "-o", "b.wav", "--format", "keep"], "-o NAME.wav"),
        (["-", "-o", "b.wav", "--format", "flac"], "name it .flac"),
    ],
)
def test_what_streams_cannot_do(denoise: Program, sound: Any, tmp_path: Path, words: list[str], what: str) -> None:
    ended = denoise(*words, stdin=sound().read_bytes())
    assert ended.code == 2
    assert what in " ".join(ended.err.split())
    assert visible(tmp_path) == ["a.wav"]


@pytest.mark.parametrize(("data", "code"), [(b"", 4), (b"no music" * 99, 5)])
def test_bad_stdin(denoise: Program, data: bytes, code: int) -> None:
    ended = denoise("-", stdin=data)
    assert (ended.code, ended.out) == (code, b"")


# What goes wrong


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "a.wav", 4),
        (b"this is a text" * 99, "a.m4a", 5),
        (jpeg(), "a.mp3", 5),
        (m4a(np.zeros((2, 30_000)))[:-300], "a.m4a", 5),
        (film(), "a.mp4", 4),
    ],
)
def test_one_bad_recording(denoise: Program, tmp_path: Path, content: bytes, name: str, code: int) -> None:
    (tmp_path / name).write_bytes(content)
    ended = denoise(name)
    assert ended.code == code
    assert name in ended.err
    assert visible(tmp_path) == [name]


@pytest.mark.parametrize("name", ["missing.wav", "empty", "*.flac"])
def test_nothing_to_read(denoise: Program, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    ended = denoise(name)
    assert ended.code == 4
    assert name in ended.err


def test_a_bad_recording_among_good_ones(denoise: Program, sound: Any, tmp_path: Path) -> None:
    for name in ("a.wav", "[b]c.wav"):
        sound(name)
    (tmp_path / "[b]b.wav").write_bytes(b"no music" * 99)
    ended = denoise(".")
    assert ended.code == 3
    assert (tmp_path / "a_clean.wav").exists()
    assert (tmp_path / "[b]c_clean.wav").exists()
    assert "2 restored, 1 failed in " in ended.err
    assert ended.err.count("[b]b.wav") == 1


@pytest.mark.parametrize("output", ["file/b.wav", "file", "file/folder"])
def test_a_folder_that_cannot_be_written(denoise: Program, sound: Any, tmp_path: Path, output: str) -> None:
    sound()
    (tmp_path / "file").touch()
    ended = denoise("a.wav", "-o", output)
    assert ended.code == 9
    assert "cannot be written" in ended.err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_must_not_be_written(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound()
    (tmp_path / "locked").mkdir(0o500)
    assert denoise("a.wav", "-o", "locked").code == 9


def test_corrupt_weights(denoise: Program, sound: Any, tmp_path: Path, tiny_weights: dict[str, Path]) -> None:
    sound()
    whole = tiny_weights["stereo"].read_bytes()
    for number, data in enumerate([whole[:-1], whole[:50], b"", b"\0" * 1000]):
        (tmp_path / f"{number}.safetensors").write_bytes(data)
        ended = denoise("a.wav", model=tmp_path / f"{number}.safetensors")
        assert ended.code == 6
        assert f"{number}.safetensors" in ended.err
    assert not (tmp_path / "a_clean.wav").exists()


def test_unknown_models_are_answered_with_the_known(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound()
    ended = denoise("a.wav", model="consert")
    assert ended.code == 6
    assert "concert, gramophone, gramophone-moliner" in ended.err
    assert denoise("a.wav", model="none.safetensors").code == 6
    assert visible(tmp_path) == ["a.wav"]


def test_offline_and_not_here(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound()
    begin = time.perf_counter()
    ended = denoise("a.wav", "--offline", model="gramophone-moliner")
    assert time.perf_counter() - begin < 1
    assert ended.code == 7
    assert visible(tmp_path) == ["a.wav"]


@pytest.mark.parametrize("device", ["cuda", "mps", "gpu", "cuda:7"])
def test_a_device_that_is_not_here(denoise: Program, sound: Any, tmp_path: Path, device: str) -> None:
    if device.startswith("cuda") and torch.cuda.is_available():
        pytest.skip("it is here")
    if device == "mps" and torch.backends.mps.is_available():
        pytest.skip("it is here")
    sound()
    ended = denoise("a.wav", "--device", device, model="gramophone-moliner")  # whose weights are not here
    assert ended.code == 2
    assert device in ended.err
    assert "auto" in ended.err
    assert visible(tmp_path) == ["a.wav"]


def test_a_network_that_gives_no_numbers(
    denoise: Program, sound: Any, tmp_path: Path, tiny_weights: dict[str, Path]
) -> None:
    sound()
    ended = denoise("a.wav", model=tiny_weights["broken"])
    assert ended.code == 6
    assert "NaN or infinity" in ended.err
    assert visible(tmp_path) == ["a.wav"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--strength", "2", "--clip", "hard", "--threads", "-1"], ["strength", "clip", "threads"]),
        (["--loudness", "loud"], ["loudness"]),
        (["--format", "wma"], ["format"]),
        (["--overwrite", "--skip-existing"], ["--overwrite", "--skip-existing"]),
        (["--config", "mine.toml"], ["strenght: unknown", "volume: unknown", "bit_depth"]),
        (["--config", "none.toml"], ["none.toml"]),
        (["-o", "b.wav", "--format", "flac"], ["name it .flac"]),
        (["-o", "b.xyz"], ["b.xyz: .xyz files cannot be written, only .wav, .flac", "end it with /"]),
        (["--start", "1:75"], ["1:75 is no time; write 75, 1:15"]),
    ],
)
def test_wrong_settings(denoise: Program, sound: Any, tmp_path: Path, words: list[str], what: list[str]) -> None:
    sound()
    (tmp_path / "mine.toml").write_text("strenght = 0.5\nvolume = 3\nbit_depth = 24.5\n")
    ended = denoise("a.wav", *words)
    assert ended.code == 2
    for part in what:
        assert part in ended.err
    assert visible(tmp_path) == ["a.wav", "mine.toml"]


def test_config(denoise: Program, sound: Any, tmp_path: Path) -> None:
    sound(n_samples=20_000)
    (tmp_path / "mine.toml").write_text('format = "flac"\nstrength = 0.0\nresidual = true\n')
    assert denoise("a.wav", "--config", "mine.toml").code == 0
    assert visible(tmp_path) == ["a.wav", "a_clean.flac", "a_clean_removed.flac", "mine.toml"]
    assert not soundfile.read(tmp_path / "a_clean_removed.flac")[0].any()


def test_out_of_memory(denoise: Program, sound: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DeviceMemoryError("out of memory even with the shortest segment")

    monkeypatch.setattr("concertclean.restore.inference.Enhancer.stream", full)
    sound()
    assert denoise("a.wav").code == 8
    sound("b.wav")
    ended = denoise("a.wav", "b.wav", "--json")
    assert ended.code == 3
    assert [record["exit_code"] for record in json.loads(ended.out)] == [8, 8]
    assert visible(tmp_path) == ["a.wav", "b.wav"]


# Interruption, and processes of their own


def test_what_was_done_before_an_interruption_is_told(
    denoise: Program, sound: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Denoiser.run

    def interrupted(self: Denoiser, source: Path, *words: Any, **settings: Any) -> Any:
        if source.name == "b.wav":
            raise KeyboardInterrupt
        return whole(self, source, *words, **settings)

    monkeypatch.setattr(Denoiser, "run", interrupted)
    for name in ("a.wav", "b.wav"):
        sound(name)
    before = signal.getsignal(signal.SIGTERM)
    ended = denoise("a.wav", "b.wav", "--json", "--jsonl-log", "log")
    assert ended.code == 130
    assert "interrupted, 1 of 2 done" in ended.err
    assert [record["input"] for record in json.loads(ended.out)] == ["a.wav"]
    assert len((tmp_path / "log").read_text().splitlines()) == 1
    assert signal.getsignal(signal.SIGTERM) is before


_ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(concertclean.__file__).parents[1])}
_SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run in the background, or under nohup,
for name in ("SIGTERM", "SIGHUP"):  # where these are ignored; a child inherits that
    if hasattr(signal, name):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
from concertclean.networks.kanunet_eca import KANUNetECA
whole = KANUNetECA.forward
def slow(self, waveform):
    time.sleep(0.3)
    return whole(self, waveform)
KANUNetECA.forward = slow
from concertclean.cli.app import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize(
    ("name", "code", "loudness"), [("SIGINT", 130, "off"), ("SIGTERM", 143, "match"), ("SIGHUP", 129, "off")]
)
def test_interruption_leaves_no_part_file(
    sound: Any, tmp_path: Path, tiny_weights: dict[str, Path], name: str, code: int, loudness: str
) -> None:
    sound(n_samples=30 * RATE)
    words = ["denoise", "a.wav", "--model", tiny_weights["stereo"], "--threads", "1", "--segment", "0.5"]
    running = subprocess.Popen(
        [sys.executable, "-c", _SLOW, *map(str, words), "--removed", "--loudness", loudness],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=_ENVIRONMENT | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    try:
        until = time.monotonic() + 120
        while len(list(tmp_path.glob(".*.part"))) < 2 and running.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        running.send_signal(getattr(signal, name))
        _, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == code
    assert visible(tmp_path) == ["a.wav"]
    assert "interrupted, 0 of 1 done; unfinished files were removed; run the same command again" in err
    assert "Traceback" not in err


def test_pipes_of_a_real_process(sound: Any, tiny_weights: dict[str, Path], tmp_path: Path) -> None:
    """Bytes through real pipes: no newline is translated, nothing else gets into standard output."""
    words = ["denoise", "-", "--model", tiny_weights["stereo"], "--threads", "1", "--precision", "fp32"]
    ended = subprocess.run(
        [sys.executable, "-m", "concertclean", *map(str, words)],
        input=sound("a.m4a", 20_000).read_bytes(), cwd=tmp_path, check=False, capture_output=True,
        env=_ENVIRONMENT,
    )  # fmt: skip
    assert ended.returncode == 0
    assert soundfile.info(io.BytesIO(ended.stdout)).samplerate == RATE
    assert b"dB removed" in ended.stderr
