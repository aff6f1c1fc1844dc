"""Damage: bits, cuts, doubled blocks, numbers that headers do not expect, pieces of other files.

Everything is decided by the random generator that comes in, so a case can be made again from its seed.
"""

import random
import re
import struct
from collections.abc import Callable, Sequence
from typing import Final

from tests.reference.write_tf_bundle import MAGIC, masked

_HEADER_BYTES: Final = (64, 64, 256, 1024)
_EXTREMES: Final = [0, 1, 2, 3, 7, 8, 9, 16, 127, 128, 255, 256, 32_767, 32_768, 65_535, 65_536, 2**24, 2**31 - 1,
                    2**31, 2**32 - 1, 2**36 - 1, 2**63 - 1, 2**63, 2**64 - 1]  # fmt: skip
_TABLE_MARK: Final = struct.pack("<Q", MAGIC)
_NUMBER: Final = re.compile(rb"-?\d+(\.\d+)?")
_WORDS: Final = [b"0", b"-1", b"1e999", b"nan", b"-inf", b"99999999999999999999", b"1e-320", b"true", b"null", b'""',
                 b"[]", b"{}", b'"../../x"', b'"/etc/x"', b'"a\\\\b"', b'"\\u0000"', b"[" * 3000, "\u2028".encode(),
                 b"\xff", b"9" * 5000]  # fmt: skip


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """The file with one to four faults.

    Args:
        data: an intact file.
        rng: decides what is done to it.
        others: files that pieces may come from.
    """
    if data[:4] == b"OggS" and rng.random() < 0.7:
        return with_checksums(_damaged(data, rng, others))
    if data.endswith(_TABLE_MARK) and rng.random() < 0.8:
        return _with_other_entries(data, rng)
    if data[8:10] == b'{"' and rng.random() < 0.8:
        return _with_other_header(data, rng)
    return _damaged(data, rng, others)


def _damaged(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    is_text = b"\0" not in data
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        if not changed:
            break
        if is_text and rng.random() < 0.9:
            rng.choice(_TEXT_WAYS)(changed, rng)
        elif rng.random() < 0.06:
            _splice(changed, rng, rng.choice(others))
        else:
            rng.choice(_WAYS)(changed, rng)
    return bytes(changed)


def with_checksums(data: bytes) -> bytes:
    """An Ogg file whose pages are right for their contents, so that decoders look at these."""
    changed, place = bytearray(data), 0
    while (place := data.find(b"OggS", place)) >= 0 and place + 27 <= len(data):
        body = place + 27 + data[place + 26]
        end = body + sum(data[place + 27 : body])
        changed[place + 22 : place + 26] = bytes(4)
        changed[place + 22 : place + 26] = _ogg_checksum(changed[place:end]).to_bytes(4, "little")
        place = max(end, place + 27)
    return bytes(changed)


def _ogg_checksum(page: bytes) -> int:
    """The Ogg encapsulation format version 0 (RFC 3533), section 6, field 7."""
    value = 0
    for octet in page:
        value = value << 8 & 0xFFFFFFFF ^ _OGG_TABLE[value >> 24 ^ octet]
    return value


def _ogg_table() -> list[int]:
    table = []
    for octet in range(256):
        value = octet << 24
        for _ in range(8):
            value = value << 1 ^ (0x04C11DB7 if value >> 31 else 0)
            value &= 0xFFFFFFFF
        table.append(value)
    return table


_OGG_TABLE: Final = _ogg_table()


def _with_other_header(data: bytes, rng: random.Random) -> bytes:
    """Weights whose header has other words and numbers but its right length."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = bytearray(data[8:end])
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice((_replace_number, _replace_number, _replace_word))(header, rng)
    return len(header).to_bytes(8, "little") + header + data[end:]


def _with_other_entries(data: bytes, rng: random.Random) -> bytes:
    """An index of a TensorFlow checkpoint with other bytes in a block, under the right checksum of the block."""
    changed = bytearray(data)
    start, size = rng.choice(_blocks(data))
    for _ in range(rng.choice((1, 1, 2, 4))):
        place = start + rng.randrange(size)
        new = rng.choice(
            (b"\0", b"\x01", b"\x7f", b"\xff", b"\xff\xff\xff\xff\x0f", b"\xff" * 9 + b"\x01", rng.randbytes(1))
        )
        changed[place : place + len(new)] = new
    end = start + size + 1  # the kind of compression counts
    changed[end : end + 4] = masked(bytes(changed[start:end])).to_bytes(4, "little")
    return bytes(changed[: len(data)])


def _blocks(data: bytes) -> list[tuple[int, int]]:
    """Place and size of the blocks with entries, from the intact index at the end of a LevelDB table."""
    _, place = _varint(data, len(data) - 48)
    _, place = _varint(data, place)
    place, _ = _varint(data, place)
    found, end = [], 0
    while len(found) < 3:  # the first few hold all kinds of entries
        _, place = _varint(data, place)
        n_key, place = _varint(data, place)
        _, place = _varint(data, place)
        start, place = _varint(data, place + n_key)
        size, place = _varint(data, place)
        assert start >= end
        found.append((start, size))
        end = start + size
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place behind it."""
    value = shift = 0
    while True:
        octet = data[place]
        value |= (octet & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if octet < 0x80:
            return value, place


def _place(data: bytearray, rng: random.Random, header_share: float = 0.7) -> int:
    """Mostly in the header, where a fault changes most, though not in the mark that names the format."""
    if rng.random() >= header_share:
        return rng.randrange(len(data))
    place = rng.randrange(min(len(data), rng.choice(_HEADER_BYTES)))
    return place if place >= 4 or rng.random() < 0.05 else min(len(data) - 1, place + 4)


def _span(data: bytearray, rng: random.Random, header_share: float = 0.3) -> tuple[int, int]:
    start = _place(data, rng, header_share)
    return start, min(len(data), start + rng.choice((1, 4, 16, 100, 1000, len(data) // 3)))


def _flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[_place(data, rng)] ^= 1 << rng.randrange(8)


def _truncate(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) if rng.random() < 0.7 else _place(data, rng) :]


def _delete(data: bytearray, rng: random.Random) -> None:
    start, end = _span(data, rng)
    del data[start:end]


def _duplicate(data: bytearray, rng: random.Random) -> None:
    start, end = _span(data, rng)
    place = rng.randrange(len(data) + 1)
    data[place:place] = data[start:end] * rng.choice((1, 1, 2, 10))


def _swap(data: bytearray, rng: random.Random) -> None:
    start, end = _span(data, rng)
    piece = bytes(data[start:end])
    del data[start:end]
    place = rng.randrange(len(data) + 1)
    data[place:place] = piece


def _zero(data: bytearray, rng: random.Random) -> None:
    start, end = _span(data, rng)
    data[start:end] = bytes([rng.choice((0, 0, 0xFF))]) * (end - start)


def _random_bytes(data: bytearray, rng: random.Random) -> None:
    start, end = _span(data, rng)
    data[start:end] = rng.randbytes(end - start)


def _extreme(data: bytearray, rng: random.Random) -> None:
    """A number of 1 to 8 bytes in either byte order."""
    size = rng.choice((1, 2, 4, 4, 4, 8))
    value = rng.choice(_EXTREMES) % (1 << 8 * size)
    _overwrite(data, _place(data, rng), value.to_bytes(size, rng.choice(("little", "big"))))


def _nudge(data: bytearray, rng: random.Random) -> None:
    """A length, or any other number, a little off or many times as large."""
    size, order = rng.choice((2, 4, 4, 8)), rng.choice(("little", "big"))
    place = _place(data, rng) & ~1
    value = int.from_bytes(data[place : place + size], order)
    value = rng.choice((value + 1, value - 1, 2 * value, value // 2, value << 8, value + 2**16))
    _overwrite(data, place, (value % (1 << 8 * size)).to_bytes(size, order))


def _float(data: bytearray, rng: random.Random) -> None:
    kind = rng.choice(("<f", ">f", "<d", ">d"))
    value = rng.choice((float("nan"), float("inf"), -float("inf"), 1e10, -3e38, 1e-40, 1.0000001))
    _overwrite(data, _place(data, rng) & ~3, struct.pack(kind, value))


def _append(data: bytearray, rng: random.Random) -> None:
    data += rng.choice((bytes(1), bytes(1000), rng.randbytes(1000), bytes(data[:200]), b"TAG" + bytes(125)))


def _prepend(data: bytearray, rng: random.Random) -> None:
    data[:0] = rng.choice((bytes(1), bytes(512), rng.randbytes(100), b"ID3\x04\0\0\0\0\x07\x7f", b"\xef\xbb\xbf"))


def _splice(data: bytearray, rng: random.Random, other: bytes) -> None:
    """The beginning or the middle of one file, then a piece of another."""
    start, end = sorted(rng.randrange(len(other) + 1) for _ in range(2))
    data[rng.randrange(len(data)) :] = other[start:end] if rng.random() < 0.5 else other


def _overwrite(data: bytearray, place: int, new: bytes) -> None:
    data[place : place + len(new)] = new


def _replace_number(data: bytearray, rng: random.Random) -> None:
    _replace_match(data, rng, list(_NUMBER.finditer(data)))


def _replace_word(data: bytearray, rng: random.Random) -> None:
    _replace_match(data, rng, list(re.finditer(rb'"[^"\n]*"|\w+', data)))


def _replace_match(data: bytearray, rng: random.Random, found: Sequence["re.Match[bytes]"]) -> None:
    spans = [match.span() for match in found]
    if spans:
        start, end = rng.choice(spans)
        data[start:end] = rng.choice(_WORDS)


def _move_line(data: bytearray, rng: random.Random) -> None:
    """A line left out, twice, or somewhere else."""
    lines = bytes(data).splitlines(keepends=True)
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.choice((0, 1, 2))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    data[:] = b"".join(lines)


_WAYS: Final[list[Callable[[bytearray, random.Random], None]]] = [
    _flip_bits, _flip_bits, _flip_bits, _truncate, _delete, _duplicate, _swap, _zero, _random_bytes, _extreme, _extreme,
    _extreme, _nudge, _nudge, _nudge, _float, _append, _prepend,
]  # fmt: skip
_TEXT_WAYS: Final[list[Callable[[bytearray, random.Random], None]]] = [
    _replace_number, _replace_number, _replace_word, _replace_word, _move_line, _truncate, _flip_bits,
]  # fmt: skip
