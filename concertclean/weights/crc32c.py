"""CRC-32C of large buffers in numpy: some 300 MB a second instead of 2.

A CRC register is linear over GF(2): feeding zeros is a 32×32 bit matrix, and registers add by XOR. So the
buffer is laid out as rows of many lanes, all lanes step one row at a time, and a tree joins the lanes:
the register of the whole is the sum over lanes, each advanced by the zeros that follow it.
"""

from functools import cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78  # Castagnoli, bit-reversed
_WORD = 4  # bytes of one lane in one row

_Registers: TypeAlias = NDArray[np.uint32]


def crc32c(data: bytes | memoryview | NDArray[np.uint8]) -> int:
    """Return the CRC-32C (Castagnoli) of a buffer.

    Args:
        data: bytes, any length; an array must be one-dimensional uint8.

    Returns:
        Checksum, 0 to 2³²−1; 0xE3069283 for the nine bytes `123456789`.

    References:
        RFC 3720, appendix B.4. The split into lanes is our own.
    """
    octets = np.frombuffer(data, np.uint8)
    n_words = max(1, -(-octets.size // _WORD))
    n_lanes = 1 << min(14, n_words.bit_length() // 2)
    n_rows = -(-n_words // n_lanes)
    # Leading zeros leave a register of zero untouched, so the padding goes in front.
    padded = np.zeros(n_rows * n_lanes * _WORD, np.uint8)
    padded[padded.size - octets.size :] = octets
    words = padded.view("<u4").reshape(n_rows, n_lanes)
    register = _join(_step_rows(words))
    # The standard starts from all ones: by linearity that is one more term, advanced over the whole buffer.
    start = np.array([0xFFFFFFFF], np.uint32)
    for power in range(octets.size.bit_length()):
        if octets.size >> power & 1:
            start = _apply(_advance(power), start)
    return int(register ^ start[0]) ^ 0xFFFFFFFF


def masked_crc32c(data: bytes | memoryview | NDArray[np.uint8]) -> int:
    """Return the CRC-32C as LevelDB tables store it: rotated by 15 bits and shifted by a constant.

    Args:
        data: as in `crc32c`.

    Returns:
        Masked checksum, 0 to 2³²−1.

    References:
        LevelDB, doc/table_format.md and util/crc32c.h (`Mask`).
    """
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _step_rows(words: _Registers) -> _Registers:
    """Registers of all lanes: before each row, every lane advances by one row of zeros."""
    low, high = _tables((words.shape[1] * _WORD).bit_length() - 1)
    state = np.zeros(words.shape[1], np.uint32)
    for row in words:
        state = low[state & 0xFFFF] ^ high[state >> 16] ^ row
    return state


def _join(lanes: _Registers) -> np.uint32:
    """Register of the whole buffer, neighbours joined pairwise until one is left."""
    power = 2  # lanes are one word, 2² bytes, apart
    while lanes.size > 1:
        lanes = _apply(_advance(power), lanes[0::2]) ^ lanes[1::2]
        power += 1
    return np.uint32(_apply(_advance(2), lanes)[0])  # a word enters the register four bytes before its end


@cache
def _advance(power: int) -> _Registers:
    """Images of the 32 register bits after 2^power zero bytes."""
    if power > 0:
        half = _advance(power - 1)
        return _apply(half, half)
    registers: _Registers = np.uint32(1) << np.arange(32, dtype=np.uint32)
    for _ in range(8):
        odd = np.where(registers & np.uint32(1), np.uint32(_POLYNOMIAL), np.uint32(0))
        registers = (registers >> np.uint32(1)) ^ odd
    return registers


def _apply(images: _Registers, registers: _Registers) -> _Registers:
    """Every register mapped by the linear operator with these images of its bits."""
    result = np.zeros_like(registers)
    for bit, image in enumerate(images):
        result ^= np.where(registers >> np.uint32(bit) & 1, image, np.uint32(0))
    return result


@cache
def _tables(power: int) -> tuple[_Registers, _Registers]:
    """The operator of 2^power zero bytes as two tables, for the low and the high half of a register."""
    halves = np.arange(1 << 16, dtype=np.uint32)
    return _apply(_advance(power), halves), _apply(_advance(power), halves << np.uint32(16))
