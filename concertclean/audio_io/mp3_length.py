"""The exact length of an MP3, in the header that players and decoders read it from.

An MP3 consists of whole frames. Its first frame is silent and states how many samples of the rest to leave out: the
encoder's delay in front, the padding behind. FFmpeg 8 leaves the padding out of account where it fills more than the
last frame, so up to 46 samples too many would be played. The frames are right, only the statement is corrected.

At low rates a frame has 576 samples, so the delay of 1105 (the encoder's 576, the decoder's 529) ends inside the
second. FFmpeg forgets the rest of it where the padding begins there as well. Silence in front moves its end to the end
of the frame.

FFmpeg recognises an MP3 by seven frames, and takes a shorter one for anything or nothing. So very short recordings get
frames of silence behind; and in front, where the length of the padding would not fit into its field.

References:
    Gabriel Bouvigne, "Mp3 Info Tag revision 1 Specifications", LAME project.
"""

from typing import Final

from concertclean.audio_io.guarded import GuardedFile
from concertclean.audio_io.id3 import tag_bytes

_FRAME_SAMPLES: Final = {3: 1152, 2: 576, 0: 576}  # by version: MPEG-1, 2 and 2.5, layer III
_MPEG_1_RATE: Final = 32_000
USUAL_DELAY: Final = 576 + 529
"""Samples of silence that an MP3 begins with."""
KNOWN_SAMPLES: Final = 6 * 1152 - 576 - 4095
"""Samples with which six frames need no more padding than can be stated."""

_MARKS: Final = (b"Info", b"Xing")
_HEAD_BYTES: Final = 2**16
_PADDING_LIMIT: Final = 4096  # 12 bits
# Bytes from the mark on.
_N_FRAMES, _DELAYS, _CHECKSUM = slice(8, 12), slice(141, 144), slice(154, 156)


def silence_around(n_samples: int, sample_rate: int) -> tuple[int, int]:
    """Samples of silence to encode before and after a recording.

    Args:
        n_samples: of the recording; from `KNOWN_SAMPLES` on, only the silence behind depends on them.
        sample_rate: Hz.
    """
    if sample_rate < _MPEG_1_RATE:
        return 2 * 576 - USUAL_DELAY, max(0, 4 * 576 + 1 - n_samples)
    leading = 0 if n_samples >= KNOWN_SAMPLES else 3 * 1152 - USUAL_DELAY
    return leading, max(0, 4 * 1152 + 1 - leading - n_samples)


def state_length(file: GuardedFile, n_samples: int, n_leading: int) -> None:
    """Correct delay and padding in an MP3's first frame.

    Args:
        file: complete MP3, written by FFmpeg.
        n_samples: of a channel, that were encoded after the leading ones.
        n_leading: samples of silence before them.
    """
    file.seek(0)
    start = tag_bytes(file.read(10))
    file.seek(start)
    head = bytearray(file.read(_HEAD_BYTES))
    mark = next((place for name in _MARKS if (place := head.find(name, 0, 64)) > 0), None)
    if mark is None or len(head) < mark + _CHECKSUM.stop:
        return
    tag = memoryview(head)[mark:]
    n_frames = int.from_bytes(tag[_N_FRAMES], "big")
    delay = (int.from_bytes(tag[_DELAYS], "big") >> 12) + n_leading
    padding = n_frames * _FRAME_SAMPLES[head[1] >> 3 & 3] - delay - n_samples
    if not 0 <= padding < _PADDING_LIMIT:
        return
    tag[_DELAYS] = (delay << 12 | padding).to_bytes(3, "big")
    tag[_CHECKSUM] = _crc16(head[: mark + _CHECKSUM.start]).to_bytes(2, "big")
    file.seek(start)
    file.write(bytes(head[: mark + _CHECKSUM.stop]))
    file.flush()


def _crc16(data: bytes | bytearray) -> int:
    """CRC-16 with polynomial 0x8005, least significant bit first, as the tag has it."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc
