"""Small intact files of every kind that a command reads; the mutator damages them.

A seed is a folder: names with bytes. Its first name is the file that a command receives.
"""

import io
import itertools
import json
import struct
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import soundfile

from concertclean.audio_io.formats import FORMATS, Cover, Storage
from concertclean.audio_io.writer import AudioWriter
from tests.audio_io.sound_bytes import encoded, fmt, riff, tones

RECIPES: Final = Path(__file__).parents[2] / "recipes"
_SECONDS: Final = 0.3
_RIFF_SUBTYPES: Final = (
    "PCM_U8",
    "PCM_16",
    "PCM_24",
    "PCM_32",
    "FLOAT",
    "DOUBLE",
    "ULAW",
    "ALAW",
    "IMA_ADPCM",
    "MS_ADPCM",
)
_TAGS: Final = {"title": "Ça ira", "artist": "One\0Two", "album_artist": "Band", "track": "3/9", "comment": "x" * 80}
_DENOISE_TOML: Final = 'model = "declick,lsa"\nstrength = 0.5\nstart_seconds = "0:00.1"\nloudness = -20\n'
_CARD_TOML: Final = f"""[mine]
architecture = "kanunet_eca"
filename = "mine.safetensors"
path = "mine.safetensors"
sha256 = "{"a" * 64}"
size_bytes = 1000
sample_rate = 44100
channels = 2
license = "MIT"
description = "Mine."
aliases = ["own"]
metrics = {{ sdr = 3.5 }}
"""
_LISTENING_TOML: Final = """title = "A test"

[[item]]
name = "one"
reference = "reference.wav"
conditions = { a = "condition.wav" }
start_seconds = "0:00"
duration_seconds = 0.6
"""


@dataclass(frozen=True)
class Seed:
    """One intact input; `kind` says what reads it."""

    kind: str
    files: dict[str, bytes]


def make_seeds() -> list[Seed]:
    """Every seed, in an order that never changes."""
    recordings = [Seed("recording", {name: data}) for name, data in _recordings().items()]
    noises = [Seed("noise", {name: data}) for name, data in itertools.islice(_recordings().items(), 0, None, 4)]
    return [*recordings, *noises, *_weights(), *_datasets(), *_texts()]


def _noise(channels: int, rate: int, seconds: float = _SECONDS) -> np.ndarray:
    """`(time, channel)`: a tone in noise, with a click."""
    rng = np.random.default_rng(channels)
    time = np.arange(round(seconds * rate)) / rate
    sound = 0.2 * np.sin(2 * np.pi * 440 * time)[:, None] + rng.uniform(-0.05, 0.05, (len(time), channels))
    sound[len(time) // 2] += 0.5
    return sound


def _recordings() -> dict[str, bytes]:
    return _by_libsndfile() | _by_ffmpeg() | _by_our_writer() | _by_hand()


def _by_libsndfile() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    plans = [("WAV", subtype, ".wav") for subtype in _RIFF_SUBTYPES]
    plans += [("WAVEX", "PCM_24", ".wav"), ("RF64", "PCM_16", ".rf64"), ("RF64", "FLOAT", ".wav")]
    plans += [
        ("W64", "PCM_16", ".w64"),
        ("W64", "FLOAT", ".w64"),
        ("AIFF", "PCM_16", ".aiff"),
        ("AIFF", "FLOAT", ".aifc"),
    ]
    plans += [
        ("AIFF", "PCM_24", ".aif"),
        ("CAF", "PCM_16", ".caf"),
        ("CAF", "ALAC_16", ".caf"),
        ("CAF", "DOUBLE", ".caf"),
    ]
    plans += [("AU", "PCM_16", ".au"), ("AU", "ULAW", ".au"), ("FLAC", "PCM_16", ".flac"), ("FLAC", "PCM_24", ".flac")]
    plans += [("OGG", "VORBIS", ".ogg"), ("OGG", "OPUS", ".opus"), ("MP3", "MPEG_LAYER_III", ".mp3")]
    for number, (kind, subtype, extension) in enumerate(plans):
        most = {"MP3": 2, "AIFF": 2}.get(kind, 2 if "ADPCM" in subtype else 8)
        channels = number % most + 1
        rate = (8000, 44_100, 22_050, 48_000)[number % 4] if subtype != "OPUS" else 48_000
        file = io.BytesIO()
        soundfile.write(file, _noise(channels, rate), rate, format=kind, subtype=subtype)
        found[f"{kind}-{subtype}-{channels}{extension}".lower()] = file.getvalue()
    return found


def _by_ffmpeg() -> dict[str, bytes]:
    plans = [
        ("m4a", "mp4", "aac", "stereo"), ("mov", "mov", "pcm_s16le", "mono"), ("mkv", "matroska", "aac", "5.1"),
        ("mka", "matroska", "flac", "stereo"), ("webm", "webm", "libopus", "quad"), ("aac", "adts", "aac", "mono"),
        ("wma", "asf", "wmav2", "stereo"), ("wv", "wv", "wavpack", "stereo"), ("ac3", "ac3", "ac3", "5.1"),
        ("tta", "tta", "tta", "stereo"), ("3gp", "3gp", "aac", "mono"), ("mp2", "mp2", "mp2", "stereo"),
        ("mp4", "mp4", "alac", "3.0"), ("oga", "ogg", "flac", "3.0"), ("flac", "flac", "flac", "7.1"),
    ]  # fmt: skip
    return {
        f"{muxer}-{codec}-{layout}.{extension}": encoded(
            tones(av.AudioLayout(layout).nb_channels, 14_400), muxer, codec, layout, options={"b": "128000"}
        )
        for extension, muxer, codec, layout in plans
    } | {"film.mkv": _film()}


def _film() -> bytes:
    """A picture stream and two sounds, the second of them the default."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        picture = container.add_stream("mpeg4", rate=25)
        picture.width = picture.height = 32
        picture.pix_fmt = "yuv420p"
        sounds = [container.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(2)]
        sounds[1].disposition = 1
        for number in range(8):
            image = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 20 * number, np.uint8), format="rgb24")
            container.mux(picture.encode(image.reformat(format="yuv420p")))
        container.mux(picture.encode(None))
        for stream in sounds:
            frame = av.AudioFrame.from_ndarray(np.arange(2400, dtype=np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
            container.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


def _by_our_writer() -> dict[str, bytes]:
    """Every format with tags and a picture."""
    found: dict[str, bytes] = {}
    plans = [("flac", 1), ("flac", 2), ("m4a", 1), ("m4a", 6), ("alac", 2), ("mp3", 2), ("ogg", 2), ("ogg", 8)]
    for kind, channels in [*plans, ("opus", 1), ("opus", 8), ("wav", 2)]:
        file = io.BytesIO()
        rate = 48_000 if kind == "opus" else 44_100
        chunks = ((b"bext", bytes(602)), (b"iXML", b"<BWFXML/>")) if kind == "wav" else ()
        with AudioWriter(file, Storage(kind, rate, channels), tags=_TAGS, cover=_cover(), chunks=chunks) as writer:
            writer.write(_noise(channels, rate).T)
        found[f"tagged-{kind}-{channels}{FORMATS[kind].extensions[0]}"] = file.getvalue()
    return found


def _cover() -> Cover:
    context = av.codec.CodecContext.create("png", "w")
    context.width = context.height = 16
    context.pix_fmt, context.time_base = "rgb24", Fraction(1, 25)
    picture = av.VideoFrame.from_ndarray(
        np.arange(768, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 3), format="rgb24"
    )
    return Cover(b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)]), "image/png")


def _by_hand() -> dict[str, bytes]:
    """What no library here writes: chains, a tag before RIFF, unknown sizes, big-endian RIFF."""
    ogg, wav = io.BytesIO(), io.BytesIO()
    soundfile.write(ogg, _noise(2, 22_050), 22_050, format="OGG", subtype="VORBIS")
    soundfile.write(wav, _noise(1, 22_050), 22_050, format="WAV", subtype="PCM_16")
    plain = wav.getvalue()
    tag = b"ID3\x03\x00\x00\x00\x00\x00\x0aTIT2\x00\x00\x00\x00\x00\x00"
    zero, unknown = bytes(4), b"\xff" * 4
    return {
        "chained.ogg": ogg.getvalue() * 3,
        "id3-before.wav": tag + plain,
        "size-zero.wav": plain[:4] + zero + plain[8:40] + zero + plain[44:],
        "size-unknown.wav": plain[:4] + unknown + plain[8:40] + unknown + plain[44:],
        "rifx.wav": riff(
            36 + 4410, fmt(rate=8000, order=">") + b"data" + struct.pack(">I", 4410) + bytes(range(210)) * 21, b"RIFX"
        ),
    }


def _weights() -> list[Seed]:
    import torch

    from concertclean.networks.kanunet_eca import KANUNetECA
    from concertclean.networks.two_stage_unet import TwoStageUNet
    from concertclean.weights.file_format import write_weights
    from tests.reference.write_tf_bundle import two_stage_variables, write_checkpoint, zip_checkpoint

    common = {"sample_rate": 8000, "n_fft": 256, "hop_length": 64, "bands": 40}
    plans: list[tuple[str, Any, dict[str, Any]]] = [
        ("kanunet_eca", KANUNetECA, {**common, "channels": 2, "base": 2, "eca_frames": 3}),
        ("two_stage_unet", TwoStageUNet, {**common, "depth": 2, "widths": (4, 4, 4), "padding": "zeros"}),
    ]
    found = []
    for architecture, network, config in plans:
        torch.manual_seed(0)
        file = io.BytesIO()
        write_weights(file, network(**config).state_dict(), architecture=architecture, config=config, provenance={})
        found.append(Seed("weights", {f"{architecture}.safetensors": file.getvalue()}))
    state = io.BytesIO()
    torch.save({"recipe": "none", "step": 3, "model": {"w": torch.zeros(4)}}, state)
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_checkpoint(Path(scratch) / "bundle", two_stage_variables((2, 2)))
        names = ("checkpoint.index", "checkpoint.data-00000-of-00001", "checkpoint")
        bundle = {f"bundle/{name}": (folder / name).read_bytes() for name in names}
        archive = zip_checkpoint(folder, Path(scratch) / "checkpoint.zip").read_bytes()
    return [*found, Seed("checkpoint", bundle), Seed("checkpoint", {"checkpoint.zip": archive}),
            Seed("state", {"state.pt": state.getvalue()})]  # fmt: skip


def _datasets() -> list[Seed]:
    from concertclean.dataset.store import Header, StoreWriter

    facts = {"group": "g", "licence": "CC0", "title": "t", "category": "", "sha256": "a", "gain_db": 0.0}
    facts |= {"silent_seconds": 0.0, "clipped_seconds": 0.0}
    samples = (_noise(1, 8000)[:, 0] * 32_000).astype(np.int16)[:, None]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        header = Header(task="concert", sample_rate=8000, channels=1, seed=1, made_by="0")
        with StoreWriter(folder, header) as writer:
            for number, role in enumerate(("clean", "noise", "clean")):
                writer.append(
                    samples, name=f"n{number}", role=role, split="validation", pieces=(len(samples),), **facts
                )
        sound = io.BytesIO()
        soundfile.write(sound, samples, 8000, format="FLAC", subtype="PCM_16")
        lines = [{"number": 0, "ratio_db": ratio, "kind": "", "is_sung": False} for ratio in ("inf", "0.0")]
        files = {f"data/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in _files_in(folder)}
    manifest = {"data/manifest.jsonl": files.pop("data/manifest.jsonl")}
    fixed = {"data/fixed/validation/fixed.jsonl": "".join(json.dumps(line) + "\n" for line in lines).encode()}
    mixtures = {f"data/fixed/validation/{name}/0000.flac": sound.getvalue() for name in ("clean", "0 dB")}
    return [Seed("dataset", manifest | files), Seed("dataset", fixed | manifest | files | mixtures)]


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _texts() -> list[Seed]:
    sounds = {}
    for name in ("reference.wav", "condition.wav"):
        file = io.BytesIO()
        soundfile.write(file, _noise(1, 8000, 0.7), 8000, format="WAV", subtype="PCM_16")
        sounds[name] = file.getvalue()
    rating = {"item": "one", "condition": "a", "role": "condition", "score": 50}
    results = {
        "test": "123",
        "participant": "p",
        "ratings": [rating, {**rating, "role": "reference", "condition": "r"}],
    }
    record = {"output": "x_clean.wav", "settings": {"model": "lsa", "strength": 0.5}, "warnings": ["W101 x"]}
    record |= {
        "reduction_db": 3.0,
        "reduction_p95_db": 4.0,
        "real_time_factor": 0.1,
        "stages": ["lsa"],
        "status": "done",
    }
    table = "test,participant,item,condition,role,score\n123,p,one,a,condition,50\n123,p,one,r,reference,90\n"
    recipes = ("concert", "bleed-tunet", "noise-detector")
    return [
        Seed("settings", {"settings.toml": _DENOISE_TOML.encode()}),
        Seed("cards", {"models.toml": _CARD_TOML.encode()}),
        Seed("listening", {"test.toml": _LISTENING_TOML.encode(), **sounds}),
        Seed("results", {"p.json": json.dumps(results).encode()}),
        Seed("results", {"p.csv": table.encode()}),
        Seed("log", {"log.jsonl": (json.dumps(record) + "\n").encode() * 3, **sounds}),
        Seed("corpus", {"open-corpus.toml": (RECIPES / "open-corpus.toml").read_bytes()[:6000].rpartition(b"\n\n")[0]}),
        *(Seed("recipe", {f"{name}.toml": (RECIPES / f"{name}.toml").read_bytes()}) for name in recipes),
    ]
