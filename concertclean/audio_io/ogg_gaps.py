"""Pages that an Ogg file has lost.

Decoders drop a damaged page without a word: the music behind it moves forward, and what libsndfile returns then depends
on how many samples it is asked for. Pages are numbered and have checksums, so every loss can be found.

References:
    RFC 3533, section 6.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from concertclean.audio_io.ogg import BEGINS, MAGIC, PAGE_HEADER, checksum, next_page
from concertclean.audio_io.source import AudioBytes

_LARGEST_PAGE: Final = 27 + 255 + 255 * 255
_SOUNDS: Final = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")


@dataclass(frozen=True)
class _Page:
    """A page with a right checksum; `follows_damage` if something else lies between it and the one before."""

    flags: int
    granule: int
    serial: int
    number: int
    body: bytes
    follows_damage: bool


def first_gap(file: AudioBytes) -> int | None:
    """Samples before the first page that is missing or damaged while sound goes on behind it.

    Args:
        file: any file; its position is lost, so no decoder may be reading it.

    Returns:
        None if there is no gap, as in a file that is cut off at its end, or in one that is not Ogg.
    """
    expected: dict[int, int] = {}  # number of the next page of each stream of sound
    n_before, n_samples = 0, 0  # of the links of a chain before this one, and of this one so far
    was_damaged = False
    for page in _pages(file):
        was_damaged = was_damaged or page.follows_damage
        if page.flags & BEGINS:
            n_before, n_samples = n_before + n_samples, 0
            if page.body.startswith(_SOUNDS):
                expected[page.serial] = page.number + 1
        elif page.serial in expected:
            # Recordings of net radio begin with headers and go on with any number.
            is_gap = n_samples > 0 and page.number != expected[page.serial]
            if page.granule > 0 and (is_gap or was_damaged):
                return n_before + n_samples
            expected[page.serial] = page.number + 1
            n_samples = max(n_samples, page.granule)
    return None


def _pages(file: AudioBytes) -> Iterator[_Page]:
    """Whole pages of an Ogg file; none of any other."""
    place, follows_damage = 0, False
    while True:
        file.seek(place)
        data = file.read(_LARGEST_PAGE)
        if len(data) < PAGE_HEADER.size or (not place and data[:4] != MAGIC):
            return
        page = _page(data, follows_damage=follows_damage)
        if page is None:
            place, follows_damage = next_page(file, place + 1), True
            continue
        yield page
        place += PAGE_HEADER.size + data[PAGE_HEADER.size - 1] + len(page.body)
        follows_damage = False


def _page(data: bytes, *, follows_damage: bool) -> _Page | None:
    """The page at the start of some bytes; None if it is damaged or cut off."""
    magic, _, flags, granule, serial, number, found, n_segments = PAGE_HEADER.unpack_from(data)
    start = PAGE_HEADER.size + n_segments
    end = start + sum(data[PAGE_HEADER.size : start])
    if magic != MAGIC or end > len(data) or checksum(data[:22] + bytes(4) + data[26:end]) != found:
        return None
    return _Page(flags, granule, serial, number, data[start:end], follows_damage)
