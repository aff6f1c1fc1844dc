"""Comments and picture in the header of a FLAC file.

FFmpeg joins values of one name with ";" and has to understand a picture before it writes it. Here both are put into the
padding that it leaves, byte for byte.

References:
    RFC 9639, section 8.
"""

from collections.abc import Iterator
from typing import Final

from concertclean.audio_io.formats import Cover
from concertclean.audio_io.guarded import GuardedFile
from concertclean.audio_io.source import AudioBytes
from concertclean.audio_io.tags import picture_block
from concertclean.audio_io.vorbis_comment import Comments, pack, parse

_PADDING, _COMMENT, _PICTURE = 1, 4, 6
_SPARE_BYTES: Final = 8192  # for a tagger to write into without moving the music
_LARGEST_BLOCK: Final = 2**24 - 1


def header_bytes(comments: Comments, cover: Cover | None) -> int:
    """Bytes of padding that a FLAC file needs for what `write_header` puts in their place."""
    picture = 0 if cover is None else len(cover.data)
    return min(
        _SPARE_BYTES + picture + sum(len((name + value).encode()) + 5 for name, value in comments), _LARGEST_BLOCK
    )


def write_header(file: GuardedFile, comments: Comments, cover: Cover | None) -> None:
    """Put comments and picture into a FLAC file, in the place of its padding.

    Args:
        file: complete, with `header_bytes` of padding; its own comments, such as the mask of the channels, stay.
        comments: to add.
        cover: front picture.
    """
    file.seek(4)
    blocks = list(_blocks(file))
    end = file.tell()
    own = next((data for kind, data in blocks if kind == _COMMENT), b"")
    vendor, stated = parse(own)
    wanted = [(kind, data) for kind, data in blocks if kind not in (_COMMENT, _PADDING)]
    wanted.append((_COMMENT, pack(vendor, [*stated, *comments])))
    if cover is not None:
        wanted.append((_PICTURE, picture_block(cover)))
    n_left = end - 4 - sum(4 + len(data) for _, data in wanted) - 4
    wanted.append((_PADDING, bytes(n_left)))
    file.seek(4)
    for kind, data in wanted:
        is_last = 0x80 if kind == _PADDING else 0
        file.write(bytes([is_last | kind]) + len(data).to_bytes(3, "big") + data)
    file.flush()


def read_comments(file: AudioBytes) -> list[tuple[str, str]]:
    """Comments of a FLAC file, its signature already read."""
    return parse(next((data for kind, data in _blocks(file) if kind == _COMMENT), b""))[1]


def _blocks(file: AudioBytes | GuardedFile) -> Iterator[tuple[int, bytes]]:
    """Kind and bytes of each metadata block from here on."""
    is_last = False
    while not is_last and len(head := file.read(4)) == 4:
        is_last = head[0] >= 0x80
        yield head[0] & 0x7F, file.read(int.from_bytes(head[1:], "big"))
