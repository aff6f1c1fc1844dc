"""Tensors of a TensorFlow checkpoint, read without TensorFlow.

`NAME.index` is a LevelDB table (blocks of prefix-compressed keys, an index block, a 48-byte footer) that
maps a variable's key to a protocol-buffer record: dtype, shape, shard, offset, size, checksum.
`NAME.data-xxxxx-of-yyyyy` holds the bare little-endian numbers. TensorFlow never compresses the index.
Every checksum is checked.

References:
    LevelDB, doc/table_format.md.
    TensorFlow, core/protobuf/tensor_bundle.proto and core/framework/tensor_shape.proto.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from concertclean.errors import ModelError
from concertclean.weights.crc32c import masked_crc32c

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_BLOCK_TRAILER_BYTES = 5  # compression type, checksum
_DTYPE_FLOAT32 = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers
_MOST_INDEX_BYTES = 4 << 20  # a hundred times that of the published checkpoint
_LONGEST_KEY = 1024  # bytes
_MOST_DIMENSIONS = 8
_MOST_SHARDS = 1000
_CURE = "fetch the checkpoint again"

_Float32: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class _Entry:
    """Where one variable lies; offsets and sizes in bytes."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int


def read_bundle(index: Path, *, prefix: str = "") -> dict[str, _Float32]:
    """Return the float32 variables of a checkpoint.

    Args:
        index: the `.index` file; its data shards lie beside it.
        prefix: only keys that begin with it; other variables are not even looked at.

    Returns:
        Read-only arrays by key, mapped from the shard file: memory is used as they are read.

    Raises:
        ModelError: a file is missing, cut short, compressed or damaged, or a variable is not float32.
    """
    try:
        if index.stat().st_size > _MOST_INDEX_BYTES:
            raise ValueError(f"larger than {_MOST_INDEX_BYTES >> 20} MiB")
        records = dict(_table_records(index.read_bytes()))
        n_shards = _parse_header(records.pop(b""))
        if n_shards > _MOST_SHARDS:
            raise ValueError(f"it needs {n_shards} data files")
        entries = {
            key.decode(): _parse_entry(record) for key, record in records.items() if key.startswith(prefix.encode())
        }
    except OSError as error:
        raise ModelError(f"{index}: cannot be read ({error.strerror}); {_CURE}") from error
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        raise ModelError(f"{index}: no readable TensorFlow checkpoint index ({error}); {_CURE}") from error
    shards = _open_shards(index, n_shards)
    return {key: _read_variable(index, key, entry, shards) for key, entry in entries.items()}


def _open_shards(index: Path, n_shards: int) -> list[NDArray[np.uint8]]:
    """All data files, mapped."""
    shards: list[NDArray[np.uint8]] = []
    for shard in range(n_shards):
        path = index.with_name(f"{index.stem}.data-{shard:05d}-of-{n_shards:05d}")
        try:
            shards.append(np.memmap(path, np.uint8, "r"))
        except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise ModelError(f"{path}: data file of the checkpoint is missing or empty; {_CURE}") from error
    return shards


def _read_variable(index: Path, key: str, entry: _Entry, shards: list[NDArray[np.uint8]]) -> _Float32:
    """One array, checked for place, size and checksum."""
    if entry.dtype != _DTYPE_FLOAT32:
        raise ModelError(f"{index}: {key} has TensorFlow dtype {entry.dtype}, only float32 (1) is known; {_CURE}")
    n_bytes = 4 * math.prod(entry.shape)  # of any size: numpy's product would overflow
    if not n_bytes or len(entry.shape) > _MOST_DIMENSIONS or entry.shard >= len(shards) or entry.size != n_bytes:
        raise ModelError(f"{index}: the record of {key} contradicts itself; {_CURE}")
    octets = shards[entry.shard][entry.offset : entry.offset + entry.size]
    if octets.size != entry.size:
        raise ModelError(f"{index}: the data file is cut short, {key} lies beyond its end; {_CURE}")
    if masked_crc32c(octets) != entry.checksum:
        raise ModelError(f"{index}: {key} fails its checksum, the data file is damaged; {_CURE}")
    # Variables are packed without alignment; viewing as bytes first lets numpy cope with any offset.
    return np.frombuffer(octets, "<f4").reshape(entry.shape)


def _table_records(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    """All keys and values of a LevelDB table."""
    footer = table[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or int.from_bytes(footer[-8:], "little") != _MAGIC:
        raise ValueError("the file does not end with the table's magic number")
    _, position = _read_handle(footer, 0)  # the meta index, unused
    handle, _ = _read_handle(footer, position)
    end = 0
    for _, value in _block_records(table, *handle):
        (offset, size), _ = _read_handle(value, 0)
        if offset < end:
            raise ValueError("its blocks overlap")
        end = offset + size
        yield from _block_records(table, offset, size)


def _block_records(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """All keys and values of one block, each key completed from the one before it."""
    block = table[offset : offset + size]
    trailer = table[offset + size : offset + size + _BLOCK_TRAILER_BYTES]
    if len(trailer) < _BLOCK_TRAILER_BYTES:
        raise ValueError("a block lies beyond the end of the file")
    if int.from_bytes(trailer[1:], "little") != masked_crc32c(block + trailer[:1]):
        raise ValueError("a block fails its checksum")
    if trailer[0] != 0:
        raise ValueError(f"a block is compressed, type {trailer[0]}; only uncompressed tables are known")
    n_restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (n_restarts + 1)
    key, position = b"", 0
    while position < end:
        n_shared, position = _read_varint(block, position)
        n_fresh, position = _read_varint(block, position)
        n_value, position = _read_varint(block, position)
        value_start = position + n_fresh
        if n_shared > len(key) or value_start + n_value > end:
            raise ValueError("an entry reaches beyond its block")
        if n_shared + n_fresh > _LONGEST_KEY:
            raise ValueError("a key is longer than a path")
        key = key[:n_shared] + block[position:value_start]
        position = value_start + n_value
        yield key, block[value_start:position]


def _read_handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    """Offset and size of a block, and the place after them."""
    offset, position = _read_varint(data, position)
    size, position = _read_varint(data, position)
    return (offset, size), position


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        octet = data[position]
        position += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value, position
    raise ValueError("a number is longer than 64 bits")


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of a protocol-buffer message."""
    position = 0
    while position < len(message):
        tag, position = _read_varint(message, position)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, position = _read_varint(message, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _read_varint(message, position)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"a record uses wire type {wire}")
        chunk = message[position : position + size]
        if len(chunk) < size:
            raise ValueError("a record is cut short")
        position += size
        yield number, chunk if wire == _BYTES else int.from_bytes(chunk, "little")


def _parse_header(message: bytes) -> int:
    """Number of shards, from BundleHeaderProto."""
    fields = dict(_fields(message))
    if fields.get(2, 0) != 0:
        raise ValueError("the numbers are big-endian")
    return _number(fields, 1)


def _parse_entry(message: bytes) -> _Entry:
    """One record, from BundleEntryProto."""
    fields = dict(_fields(message))
    if 7 in fields:
        raise ValueError("a variable is stored in slices")
    shape = fields.get(2, b"")
    if not isinstance(shape, bytes):
        raise ValueError("a record has no shape")
    sizes = [dict(_fields(size)) for number, size in _fields(shape) if number == 2 and isinstance(size, bytes)]
    return _Entry(
        dtype=_number(fields, 1),
        shape=tuple(_number(size, 1) for size in sizes),
        shard=_number(fields, 3),
        offset=_number(fields, 4),
        size=_number(fields, 5),
        checksum=_number(fields, 6),
    )


def _number(fields: dict[int, int | bytes], key: int) -> int:
    """A number of a message; protocol buffers leave zeros out."""
    value = fields.get(key, 0)
    if not isinstance(value, int):
        raise ValueError(f"field {key} of a record is no number")
    return value
