"""Sound files made byte by byte, as other programs leave them."""

import io
import struct
from fractions import Fraction

import av
import numpy as np
import soundfile

PCM = np.array([(k * 37 % 2000) - 1000 for k in range(22_050)], dtype="<i2")


def fmt(channels: int = 1, rate: int = 44_100, order: str = "<") -> bytes:
    """The chunk that describes 16-bit samples."""
    fields = struct.pack(order + "IHHIIHH", 16, 1, channels, rate, 2 * rate * channels, 2 * channels, 16)
    return b"fmt " + fields


def riff(size: int, body: bytes, magic: bytes = b"RIFF") -> bytes:
    """A WAV file with a size of its own."""
    return magic + struct.pack(">I" if magic == b"RIFX" else "<I", size) + b"WAVE" + body


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content


def stored(samples: np.ndarray, kind: str, subtype: str = "PCM_16", rate: int = 44_100) -> bytes:
    """`(time,)` or `(time, channel)` as libsndfile writes it."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def with_bytes(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]


def tones(channels: int, n_samples: int = 12_000, rate: int = 48_000) -> np.ndarray:
    """`(channel, time)`: channel k is a sine of 36 (k + 1) Hz, low enough for a channel of low-frequency effects."""
    time = np.arange(n_samples) / rate
    return np.stack([0.3 * np.sin(2 * np.pi * 36 * (k + 1) * time) for k in range(channels)])


def order_of(waveform: np.ndarray, rate: int = 48_000) -> list[int]:
    """Which of the `tones` each channel holds."""
    part = waveform[:, 2000:10_000]
    spectra = np.abs(np.fft.rfft(part * np.hanning(part.shape[1])))
    return [round(float(peak) * rate / part.shape[1] / 36) - 1 for peak in spectra[:, 4:].argmax(axis=1) + 4]


def encoded(
    waveform: np.ndarray,
    muxer: str,
    codec: str,
    layout: str,
    *,
    rate: int = 48_000,
    options: dict[str, str] | None = None,
) -> bytes:
    """`(channel, time)` in a container; the frames never pass PyAV's planes, which it miscounts at eight channels."""
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout, options=options or {})
        storage = stream.codec_context.codec.audio_formats[0].name
        convert = av.AudioResampler(format=storage, layout=layout, rate=rate)
        add(container, stream, waveform, convert, layout, rate)
    return file.getvalue()


def add(container, stream, waveform: np.ndarray, convert, layout: str, rate: int = 48_000) -> None:
    """Encode a waveform into a stream and end it."""
    size = stream.codec_context.frame_size or 1024
    container.start_encoding()
    for start in range(0, waveform.shape[1], size):
        block = np.ascontiguousarray(waveform[:, start : start + size].T, dtype=np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, "flt", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        for converted in convert.resample(frame):
            container.mux(stream.encode(converted))
    container.mux(stream.encode(None))
