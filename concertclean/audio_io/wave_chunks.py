"""Chunks of a WAV file beside the sound: the broadcast extension, cue points and their names, iXML; and ID3.

References:
    EBU Tech 3285, "Specification of the Broadcast Wave Format"; EBU Tech 3306, RF64. Microsoft and IBM, "Multimedia
    Programming Interface and Data Specifications 1.0", 1991, cue points. iXML specification 3.01.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from concertclean.audio_io.guarded import GuardedFile
from concertclean.audio_io.source import AudioBytes

Chunks = tuple[tuple[bytes, bytes], ...]

BEXT: Final = b"bext"
NAMES: Final = {
    BEXT: "broadcast extension (bext)",
    b"cue ": "cue points",
    b"LIST": "names of cue points",
    b"iXML": "iXML",
}
"""What the chunks that are kept are called in messages."""

BEXT_TAGS: Final = frozenset(
    {"originator", "originator_reference", "origination_date", "origination_time", "time_reference", "umid"}
    | {"coding_history", "loudness_value", "loudness_range", "max_true_peak_level", "max_momentary_loudness"}
    | {"max_shortterm_loudness"}
)
"""Tags that FFmpeg makes of the broadcast extension."""

_LABELS: Final = b"adtl"
_TIME_REFERENCE: Final = slice(338, 346)  # after description, originator, its reference, date and time
_CUE: Final = struct.Struct("<II4sIII")  # id, position, chunk, its start, start of the block, sample
_LARGEST_CHUNK: Final = 2**24
_RIFF_LIMIT: Final = 2**32 - 1


def read_chunks(file: AudioBytes) -> Chunks:
    """Kinds and bytes of the chunks to keep.

    Args:
        file: seekable; its position changes.

    Returns:
        In the order of the file; none for anything but WAV and RF64.
    """
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return ()
    return tuple(_kept(file))


def moved(chunks: Chunks, n_samples: int) -> Chunks:
    """Chunks of what is left when a recording's beginning is cut off.

    Args:
        chunks: of the recording.
        n_samples: that are cut off.
    """
    return tuple((kind, _MOVES.get(kind, _unmoved)(data, n_samples)) for kind, data in chunks)


def moved_reference(time_reference: str, n_samples: int) -> str:
    """A tag of samples since midnight, later by some samples; what is no number is returned as it is."""
    return str(int(time_reference) + n_samples) if time_reference.isdecimal() else time_reference


def append_chunks(file: GuardedFile, chunks: Sequence[tuple[bytes, bytes]]) -> None:
    """Append chunks to a WAV or RF64 file.

    Args:
        file: complete.
        chunks: kinds and bytes.
    """
    if not chunks:
        return
    end = file.seek(0, os.SEEK_END)
    packed = bytes(end & 1) + b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) & 1) for kind, data in chunks
    )
    file.seek(0)
    is_64_bit = file.read(4) == b"RF64"
    size = end + len(packed) - 8
    if size > _RIFF_LIMIT and not is_64_bit:
        return
    file.seek(0, os.SEEK_END)
    file.write(packed)
    # RF64 states the size in its first chunk, ds64.
    file.seek(20 if is_64_bit else 4)
    file.write(size.to_bytes(8 if is_64_bit else 4, "little"))
    file.flush()


def _kept(file: AudioBytes) -> Iterator[tuple[bytes, bytes]]:
    large = None
    while len(head := file.read(8)) == 8:
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        start = file.tell()
        if kind == b"ds64":
            large = int.from_bytes(file.read(16)[8:], "little")
        elif kind == b"data" and size == _RIFF_LIMIT and large is not None:
            size = large
        elif kind in NAMES and size <= _LARGEST_CHUNK:
            data = file.read(size)
            if len(data) == size and (kind != b"LIST" or data[:4] == _LABELS):
                yield kind, data
        file.seek(start + size + (size & 1))


def _unmoved(data: bytes, n_samples: int) -> bytes:
    del n_samples
    return data


def _moved_bext(data: bytes, n_samples: int) -> bytes:
    if len(data) < _TIME_REFERENCE.stop:
        return data
    reference = int.from_bytes(data[_TIME_REFERENCE], "little") + n_samples
    return data[: _TIME_REFERENCE.start] + (reference % 2**64).to_bytes(8, "little") + data[_TIME_REFERENCE.stop :]


def _moved_cues(data: bytes, n_samples: int) -> bytes:
    """Cue points after the cut, by so much earlier."""
    whole = len(data) - (len(data) - 4) % _CUE.size if len(data) >= 4 else 4
    points = [
        _CUE.pack(name, max(position - n_samples, 0), chunk, chunk_start, block_start, sample - n_samples)
        for name, position, chunk, chunk_start, block_start, sample in _CUE.iter_unpack(data[4:whole])
        if sample >= n_samples
    ]
    return struct.pack("<I", len(points)) + b"".join(points)


_MOVES: Final = {BEXT: _moved_bext, b"cue ": _moved_cues}
