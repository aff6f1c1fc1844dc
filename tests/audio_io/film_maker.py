"""Videos as cameras and editors make them, small: written by FFmpeg directly, without our writer."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 48_000
FRAMES_A_SECOND = 25
QUARTER_TURN = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)  # 16.16, 16.16, 2.30: ISO/IEC 14496-12, 8.3.2


@dataclass(frozen=True)
class Sound:
    """One sound of a video: `(channel, time)` from `start_seconds` on, what the file says about it, and its codec."""

    waveform: np.ndarray
    words: dict[str, str] | None = None
    is_default: bool = False
    start_seconds: float = 0.0
    codec: str = "aac"
    storage: str = "fltp"
    rate: int = RATE


def clicks(seconds: float, rate: int = RATE) -> np.ndarray:
    """Noise bursts on silence, at places that no period repeats, left and right different."""
    random = np.random.default_rng(1)
    waveform = np.zeros((2, round(seconds * rate)))
    for place in np.cumsum([0.11, 0.17, 0.23, 0.31, 0.19, 0.29] * 20):
        start = round(place * rate)
        room = waveform[:, start : start + 96]
        room += 0.5 * random.uniform(-1, 1, room.shape)
    return waveform


def make_film(
    path: Path,
    sounds: Sequence[Sound],
    *,
    muxer: str,
    seconds: float = 3.0,
    picture: str = "mpeg4",
    titles: str | None = None,
    chapters: bool = False,
    tags: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> None:
    """Write a video of moving stripes with these sounds; `titles` is the codec of its subtitles."""
    with av.open(str(path), "w", format=muxer, options=options or {}) as container:
        container.metadata.update(tags or {})
        video = container.add_stream(picture, rate=FRAMES_A_SECOND, width=64, height=48)
        if muxer in ("mp4", "mov"):
            video.time_base = Fraction(1, 12_800)
        streams = []
        for sound in sounds:
            stream = container.add_stream(
                sound.codec,
                rate=sound.rate,
                layout="mono" if len(sound.waveform) == 1 else "stereo",
                format=sound.storage,
            )
            stream.time_base = Fraction(1, sound.rate)
            stream.metadata.update(sound.words or {})
            stream.disposition = av.stream.Disposition.default if sound.is_default else av.stream.Disposition(0)
            streams.append(stream)
        title_stream = None if titles is None else container.add_mux_stream(titles, time_base=Fraction(1, 1000))
        if title_stream is not None:
            title_stream.metadata["language"] = "deu"
        if chapters:
            container.set_chapters(
                [
                    {"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "Tuning"}},
                    {
                        "id": 2,
                        "start": 1000,
                        "end": 3000,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": "Waltz"},
                    },
                ]
            )
        packets: list[Any] = []
        for sound, stream in zip(sounds, streams, strict=True):
            packets += _sound_packets(sound, stream)
        packets += _picture_packets(video, seconds)
        if title_stream is not None:
            packets += _title_packets(title_stream, titles)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)


def _sound_packets(sound: Sound, stream: Any) -> list[Any]:
    dtype = {"s16": np.int16, "s32": np.int32}.get(sound.storage.removesuffix("p"), np.float32)
    scale = {np.int16: 2.0**15, np.int32: 2.0**31}.get(dtype, 1.0)
    samples = (sound.waveform * scale).astype(dtype)
    first, found = round(sound.start_seconds * sound.rate), []
    for start in range(0, samples.shape[1], 4096):
        block = np.ascontiguousarray(samples[:, start : start + 4096].T).reshape(1, -1)
        layout = "mono" if len(samples) == 1 else "stereo"
        frame = av.AudioFrame.from_ndarray(block, sound.storage.removesuffix("p"), layout)
        frame.sample_rate, frame.pts, frame.time_base = sound.rate, first + start, Fraction(1, sound.rate)
        found += stream.encode(frame)
    return found + list(stream.encode(None))


def _picture_packets(video: Any, seconds: float) -> list[Any]:
    found: list[Any] = []
    for number in range(round(seconds * FRAMES_A_SECOND)):
        picture = np.full((48, 64, 3), 3 * number % 250, np.uint8)
        picture[:, number % 64] = 255
        frame = av.VideoFrame.from_ndarray(picture, "rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FRAMES_A_SECOND)
        found += video.encode(frame)
    return found + list(video.encode(None))


def _title_packets(stream: Any, codec: str | None) -> list[Any]:
    found = []
    for start, words in ((500, b"Overture"), (1700, b"Encore")):
        packet = av.Packet(len(words).to_bytes(2, "big") + words if codec == "mov_text" else words)
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = start
        packet.duration = 900
        found.append(packet)
    return found


def turn(path: Path, matrix: Sequence[int] = QUARTER_TURN) -> None:
    """Give the first track of an MP4 a rotation, as a phone held upright does."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") - 4 + 48
    data[place : place + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in matrix)
    path.write_bytes(data)


def rotation(path: Path) -> int:
    """Degrees by which a player turns the picture."""
    with av.open(str(path)) as container:
        return int(next(container.decode(video=0)).rotation)


def packets(path: Path, kind: str, number: int = 0) -> list[tuple[Fraction, Fraction | None, str]]:
    """Presentation and decoding time and the hash of each packet of a stream, by its type and number."""
    found = []
    with av.open(str(path)) as container:
        stream = [stream for stream in container.streams if stream.type == kind][number]
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                decoded = None if packet.dts is None else packet.dts * packet.time_base
                found.append((packet.pts * packet.time_base, decoded, hashlib.sha256(bytes(packet)).hexdigest()))
    return found


def sound(path: Path, number: int = 0) -> tuple[np.ndarray, Fraction]:
    """Everything FFmpeg decodes of a sound, `(channel, time)`, and when it begins on the video's clock."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=number))
    blocks = []
    for frame in frames:
        block = frame.to_ndarray()
        block = block if frame.format.is_planar else block.reshape(-1, frame.layout.nb_channels).T
        scale = {"s16": 2.0**15, "s32": 2.0**31}.get(frame.format.name.removesuffix("p"), 1.0)
        blocks.append(block / scale)
    return np.concatenate(blocks, axis=1), frames[0].pts * frames[0].time_base
