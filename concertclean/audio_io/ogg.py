"""New tags for an Ogg Vorbis or Opus file, with every other packet untouched.

FFmpeg could copy the packets too, but it recounts the samples: a Vorbis file of 1000 samples becomes one of 1024. Here
the comment header is replaced; the pages after it keep their sample counts and get new page numbers, one fixed serial
number (libsndfile draws it at random) and new checksums.

References:
    RFC 3533, section 6, pages. Vorbis I specification, sections 4.2 and 5, headers and comments.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from concertclean.audio_io.guarded import GuardedFile
from concertclean.audio_io.source import AudioBytes
from concertclean.audio_io.vorbis_comment import Comments, pack, parse

MAGIC: Final = b"OggS"
PAGE_HEADER: Final = struct.Struct("<4sBBqIIIB")
_CONTINUED: Final = 1
BEGINS: Final = 2
"""Flag of the first page of a stream."""

_MAX_LACING: Final = 255
_NO_PACKET_ENDS: Final = -1
_VORBIS: Final = b"\x03vorbis"
_OPUS: Final = b"OpusTags"
_MOST_HEADER_PAGES: Final = 4096
_SERIAL: Final = 1
_SEARCH_BYTES: Final = 65_536
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class _Page:
    """A page: its flags, the sample count at its end, how its packets are cut, and their bytes."""

    flags: int
    granule: int
    lacing: bytes
    body: bytes


def retag(source: GuardedFile, output: GuardedFile, comments: Comments) -> None:
    """Copy an Ogg file with other comments.

    Args:
        source: file with a single Vorbis or Opus stream, at its start.
        output: receives the copy.
        comments: names and values; names are written in capitals.
    """
    pages = _pages(source)
    identification = next(pages)
    is_opus = identification.body.startswith(b"OpusHead")
    # Of Vorbis comments and setup, of Opus comments alone, fill whole pages: the sound begins on a new one.
    lacing, body = _header(pages, 1 if is_opus else 2)
    comment_bytes = sum(lacing[: _ends(lacing)[0]])
    packet = _comment_packet(body[:comment_bytes], comments)
    headers = _paginate([packet] if is_opus else [packet, body[comment_bytes:]])
    sound = pages if is_opus else _with_own_first_page(pages)
    for number, page in enumerate(chain([identification], headers, sound)):
        output.write(_packed(page, number))


def read_comments(file: AudioBytes) -> list[tuple[str, str]]:
    """Comments of an Ogg Vorbis or Opus file; none for others, and where it is damaged.

    Args:
        file: at its start.
    """
    pages = islice(_pages(file), _MOST_HEADER_PAGES)
    if next(pages, None) is None:
        return []
    lacing, body = _header(pages, 1)
    packet = body[: sum(lacing[: (_ends(lacing) or [0])[0]])]
    return next((parse(packet[len(mark) :])[1] for mark in (_VORBIS, _OPUS) if packet.startswith(mark)), [])


def _header(pages: Iterator[_Page], n_packets: int) -> tuple[bytes, bytes]:
    """Lacing and bytes of pages up to the end of so many packets."""
    lacing, body = b"", b""
    while len(_ends(lacing)) < n_packets and (page := next(pages, None)) is not None:
        lacing, body = lacing + page.lacing, body + page.body
    return lacing, body


def _with_own_first_page(pages: Iterator[_Page]) -> Iterator[_Page]:
    """Pages of sound, the first packet on its own.

    It yields no sample, only what the second overlaps with. FFmpeg takes the length from the last page, and does not
    if that is the first page, too; then it plays what the encoder added to fill the last packet.
    """
    first = next(pages, None)
    if first is None:
        return
    n_values = (_ends(first.lacing) or [0])[0]
    n_bytes = sum(first.lacing[:n_values])
    if 0 < n_values < len(first.lacing):
        yield _Page(0, 0, first.lacing[:n_values], first.body[:n_bytes])
        first = _Page(first.flags, first.granule, first.lacing[n_values:], first.body[n_bytes:])
    yield first
    yield from pages


def _pages(file: GuardedFile | AudioBytes) -> Iterator[_Page]:
    """Pages of a file, one after the other."""
    while len(head := file.read(PAGE_HEADER.size)) == PAGE_HEADER.size:
        _, _, flags, granule, _, _, _, n_segments = PAGE_HEADER.unpack(head)
        lacing = file.read(n_segments)
        yield _Page(flags, granule, lacing, file.read(sum(lacing)))


def _ends(lacing: bytes) -> list[int]:
    """Number of lacing values up to the end of each packet; a value under 255 ends one."""
    return [place + 1 for place, size in enumerate(lacing) if size < _MAX_LACING]


def _comment_packet(old: bytes, comments: Comments) -> bytes:
    """Comment header in place of an old one: its vendor stays; that of Vorbis ends with a framing bit."""
    mark, end = (_OPUS, b"") if old.startswith(_OPUS) else (_VORBIS, b"\x01")
    vendor, _ = parse(old[len(mark) :])
    return mark + pack(vendor, [(name.upper(), value) for name, value in comments]) + end


def _paginate(packets: list[bytes]) -> list[_Page]:
    """Header pages: a packet is cut into 255s and a remainder under 255, 255 such values per page."""
    lacing = b"".join(bytes([255] * (len(packet) // 255)) + bytes([len(packet) % 255]) for packet in packets)
    body = b"".join(packets)
    pages: list[_Page] = []
    is_continued = False
    for start in range(0, len(lacing), 255):
        part = lacing[start : start + 255]
        granule = 0 if _ends(part) else _NO_PACKET_ENDS
        page = _Page(_CONTINUED if is_continued else 0, granule, part, body[: sum(part)])
        pages.append(page)
        body = body[sum(part) :]
        is_continued = part[-1] == _MAX_LACING
    return pages


def _packed(page: _Page, number: int) -> bytes:
    """Bytes of a page; the checksum is taken with its own field at 0."""
    fields = (MAGIC, 0, page.flags, page.granule, _SERIAL, number)
    rest = page.lacing + page.body
    right = checksum(PAGE_HEADER.pack(*fields, 0, len(page.lacing)) + rest)
    return PAGE_HEADER.pack(*fields, right, len(page.lacing)) + rest


def checksum(data: bytes) -> int:
    """CRC-32 of Ogg: zlib's polynomial, most significant bit first, start 0, nothing inverted at the end.

    zlib works least significant bit first, so the bits of every byte, and of the result, are reversed.
    """
    reflected = zlib.crc32(data.translate(_REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")


def next_page(file: AudioBytes, place: int) -> int:
    """Next place that looks like a page; the end of the file if there is none.

    Args:
        file: any file.
        place: where to begin to look, bytes.
    """
    while True:
        file.seek(place)
        block = file.read(_SEARCH_BYTES)
        at = block.find(MAGIC)
        if at >= 0:
            return place + at
        if len(block) < _SEARCH_BYTES:
            return place + len(block)
        place += len(block) - len(MAGIC) + 1
