"""Decodes WAV, RF64, W64, AIFF and CAF exactly as stored, and Ogg Vorbis to its true end.

libsndfile returns int32, and the division by 2³¹ happens here in float64, where it is exact; its own scaling to float
would round 32-bit samples. Vorbis, and ALAC in CAF, are decoded here because FFmpeg 8 loses the last samples of some
files.
"""

import re
from typing import Final

import numpy as np
import soundfile

from concertclean.audio_io import probe
from concertclean.audio_io.formats import DEFAULT_LAYOUTS, VORBIS_ORDER, AudioInfo, Clock, layout_name
from concertclean.audio_io.source import AudioBytes
from concertclean.errors import AudioFileError

_BLOCK_SAMPLES: Final = 65_536
_FULL_SCALE: Final = 2.0**31
_MAGIC: Final = (b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"caff", b".snd")
_VORBIS_MAGIC: Final = b"\x01vorbis"
_SUBTYPES: Final[dict[str, tuple[str, int | None]]] = {
    "PCM_S8": ("pcm_s8", 8),
    "PCM_U8": ("pcm_u8", 8),
    "PCM_16": ("pcm_s16le", 16),
    "PCM_24": ("pcm_s24le", 24),
    "PCM_32": ("pcm_s32le", 32),
    "FLOAT": ("pcm_f32le", 32),
    "DOUBLE": ("pcm_f64le", 64),
    "ALAC_16": ("alac", 16),
    "ALAC_20": ("alac", 20),
    "ALAC_24": ("alac", 24),
    "ALAC_32": ("alac", 32),
    "VORBIS": ("vorbis", None),
}
_CONTAINERS: Final = {"WAVEX": "wav", "RF64": "wav"}
# The length that a program writes if it cannot return to the header: all ones, or (SoX) a little under 2 GiB.
_STREAMED_SIZES: Final = (range(0x7FFF_0000, 0x8000_0000), range(0xFFFF_0000, 0x1_0000_0000))


class SoundfileDecoder:
    """Decoder of uncompressed files and of Ogg Vorbis.

    Args:
        file: seekable.
        path: as shown to the user, "-" for a stream.

    Raises:
        AudioFileError: libsndfile does not know the file, or not exactly enough; another decoder may work.
    """

    ended_early = False
    n_concealed = 0

    def __init__(self, file: AudioBytes, path: str) -> None:
        extras = _read_extras(file, path)
        file.seek(0)
        try:
            self._sound = soundfile.SoundFile(file)
        except (soundfile.SoundFileError, TypeError, ValueError, OSError) as error:
            raise AudioFileError(f"{path}: is not a sound file that libsndfile knows") from error
        sound = self._sound
        if sound.subtype not in _SUBTYPES:
            sound.close()
            raise AudioFileError(f"{path}: is stored as {sound.subtype}")
        codec, bit_depth = _SUBTYPES[sound.subtype]
        layout = layout_name(extras.layout, sound.channels)
        self._is_integer = sound.subtype.startswith(("PCM_", "ALAC_"))
        self._order = list(np.argsort(_vorbis_order(sound.channels))) if codec == "vorbis" else extras.order
        self.tolerance_samples = 0
        self.clock = Clock()
        self.declared_samples: int | None = _declared_samples(sound, bit_depth)
        self.info = AudioInfo(
            path=path,
            container=_CONTAINERS.get(sound.format, sound.format.lower()),
            codec=codec,
            sample_rate=sound.samplerate,
            channels=sound.channels,
            channel_layout=layout,
            bit_depth=bit_depth,
            is_float=sound.subtype in {"FLOAT", "DOUBLE"},
            is_lossless=bit_depth is not None,
            n_samples=sound.frames,
            bit_rate=sound.samplerate * sound.channels * bit_depth if bit_depth else extras.bit_rate,
            tags=extras.tags,
            cover=extras.cover,
            chunks=extras.chunks,
        )

    def decode(self, limit: int) -> np.ndarray:
        """Next samples, `(channel, time)` float64, at most `limit` of them; none at the end."""
        count = min(limit, _BLOCK_SAMPLES)
        try:
            stored = self._sound.read(count, dtype="int32" if self._is_integer else "float64", always_2d=True)
        except soundfile.SoundFileError as error:
            raise AudioFileError(f"{self.info.path}: cannot be read beyond this point; copy it again") from error
        samples = np.ascontiguousarray(stored.T)
        samples = samples if self._order is None else samples[self._order]
        return samples / _FULL_SCALE if self._is_integer else samples

    def jump(self, n_samples: int) -> int:
        """Skip samples without reading them; returns how many, fewer at the end.

        Vorbis blocks overlap, so only decoding is sure to give the same samples: nothing is skipped.
        """
        if self.info.codec == "vorbis":
            return 0
        start: int = self._sound.tell()
        end: int = self._sound.seek(min(start + n_samples, self._sound.frames))
        return end - start

    def close(self) -> None:
        """Release libsndfile's resources; the file itself stays open."""
        self._sound.close()


def _vorbis_order(channels: int) -> list[int]:
    """See `VORBIS_ORDER`; more than eight channels have no places, and stay in the order of the file."""
    return VORBIS_ORDER.get(DEFAULT_LAYOUTS.get(channels, ""), list(range(channels)))


def suits_soundfile(file: AudioBytes) -> bool:
    """Whether the first bytes are those of a file for libsndfile to try first."""
    file.seek(0)
    head = file.read(64)
    return head[:4] in _MAGIC or _VORBIS_MAGIC in head


def _read_extras(file: AudioBytes, path: str) -> probe.Extras:
    """Layout, tags and picture through FFmpeg; none if only libsndfile understands the file."""
    try:
        return probe.read_extras(file, path)
    except AudioFileError:
        return probe.Extras(None, None, None, {}, None)


def _declared_samples(sound: soundfile.SoundFile, bit_depth: int | None) -> int:
    """Samples that the header declares; libsndfile counts the actual ones and only logs the declared."""
    found = re.search(r"(?:data|SSND)\s*:\s*(\d+) \(should be \d+\)", sound.extra_info)
    present: int = sound.frames
    if not found or not bit_depth or any(int(found[1]) in sizes for sizes in _STREAMED_SIZES):
        return present
    frame_bytes: int = sound.channels * bit_depth // 8
    return max(present, int(found[1]) // frame_bytes)
