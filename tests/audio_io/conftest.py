"""Files as other programs make them: written by FFmpeg or libsndfile directly, without our writer."""

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from concertclean.audio_io.formats import Cover
from concertclean.audio_io.reader import AudioReader


@pytest.fixture
def encode() -> Callable[..., None]:
    """Encode `(channel, time)` with FFmpeg: `encode(path, waveform, muxer=, codec=, storage=, rate=)`."""

    def run(
        path: Path,
        waveform: np.ndarray,
        *,
        muxer: str,
        codec: str,
        storage: str,
        rate: int = 44_100,
        options: dict[str, str] | None = None,
        layout: str = "stereo",
    ) -> None:
        with av.open(str(path), "w", format=muxer, options=options or {}) as container:
            stream = container.add_stream(codec, rate=rate, layout=layout, format=storage)
            stream.time_base = Fraction(1, rate)
            container.metadata["title"] = "Foreign"
            container.start_encoding()
            for start in range(0, waveform.shape[1], 4096):
                block = waveform[:, start : start + 4096]
                dtype = {"s16": np.int16, "s32": np.int32}.get(storage.removesuffix("p"), np.float32)
                samples = (block * 2.0**15).astype(dtype) if dtype == np.int16 else block.astype(dtype)
                if dtype == np.int32:
                    samples = np.round(block * 2.0**23).astype(np.int32) << 8
                samples = samples if storage.endswith("p") else samples.T.reshape(1, -1)
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), storage, layout)
                frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))

    return run


@pytest.fixture
def read_whole() -> Callable[[Path], np.ndarray]:
    """Everything that our reader finds in a file, `(channel, time)`."""

    def run(path: Path) -> np.ndarray:
        with AudioReader(path) as reader:
            blocks = list(reader.blocks(65_536))
            return np.concatenate(blocks, axis=1) if blocks else reader.read(1)

    return run


@pytest.fixture
def grid_noise() -> Callable[..., np.ndarray]:
    """Noise whose samples lie exactly on the grid of `bits`, both ends of the range included."""

    def make(bits: int, n_samples: int = 20_000, channels: int = 2) -> np.ndarray:
        top = 2 ** (bits - 1)
        integers = np.random.default_rng(bits).integers(-top, top, (channels, n_samples))
        integers[:, 0], integers[:, 1] = -top, top - 1
        return integers / float(top)

    return make


@pytest.fixture(params=["mjpeg", "png"])
def cover(request: pytest.FixtureRequest) -> Cover:
    """A small picture as JPEG and as PNG."""
    mime = {"mjpeg": "image/jpeg", "png": "image/png"}[request.param]
    return Cover(_picture(request.param), mime)


@pytest.fixture
def large_cover() -> Cover:
    """A picture that no codec can make small."""
    pixels = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    return Cover(_picture("png", pixels), "image/png")


@pytest.fixture
def jpeg() -> bytes:
    """A small JPEG file."""
    return _picture("mjpeg")


@pytest.fixture
def silent_film() -> bytes:
    """An MP4 with pictures and no sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(_frame(_ramp()).reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return file.getvalue()


def _ramp() -> np.ndarray:
    return (np.arange(64 * 64 * 3, dtype=np.uint32).reshape(64, 64, 3) % 251).astype(np.uint8)


def _frame(pixels: np.ndarray) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")


def _picture(codec: str, pixels: np.ndarray | None = None) -> bytes:
    pixels = _ramp() if pixels is None else pixels
    context = av.codec.CodecContext.create(codec, "w")
    context.height, context.width = pixels.shape[:2]
    context.pix_fmt = "yuvj420p" if codec == "mjpeg" else "rgb24"
    context.time_base = Fraction(1, 25)
    packets = [*context.encode(_frame(pixels).reformat(format=context.pix_fmt)), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
