"""One self-contained HTML file: style, script, pictures and sound inside, no server, no network.

The template names its parts `{{style}}`, `{{script}}` and so on, and pieces that several pages share by their file,
`{{keys.html}}`. Data are in blocks of base64 that the script decodes on demand. A content security policy in the
template forbids all requests.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

from concertclean.files.atomic import PartFile
from concertclean.files.names import shown

_DATA = "{{data}}"
_PLACE = re.compile(r"\{\{(\w+)\}\}")
_PIECE = re.compile(r"\{\{(\w+\.html)\}\}")
_BLOCK_BYTES = 3 * 2**18  # a multiple of 3, so base64 continues without padding


class Page:
    """A page being written; see `open_page`.

    Args:
        file: receives the bytes.
        head: everything before the data.
        tail: everything after them.
    """

    def __init__(self, file: BinaryIO, head: str, tail: str) -> None:
        self._file, self._tail = file, tail
        self.is_wanted = True
        self._write(head)

    def add_block(self, name: str, data: bytes) -> None:
        """Puts bytes into the page, with the id `name`."""
        self._write(f'<script type="text/plain" id="{escape(name)}">')
        for edge in range(0, len(data), _BLOCK_BYTES):
            self._file.write(base64.b64encode(data[edge : edge + _BLOCK_BYTES]))
        self._write("</script>\n")

    def add_json(self, name: str, value: object) -> None:
        """Puts a value into the page, with the id `name`."""
        text = json.dumps(value, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
        self._write(f'<script type="application/json" id="{escape(name)}">{text}</script>\n')

    def abandon(self) -> None:
        """Discards the page."""
        self.is_wanted = False

    def finish(self) -> None:
        """Writes the part after the data."""
        self._write(self._tail)

    def _write(self, text: str) -> None:
        self._file.write(text.encode())


@contextmanager
def open_page(
    target: Path, template: str, *, words: Mapping[str, str], scripts: Sequence[str], overwrite: bool
) -> Iterator[Page]:
    """A page that appears complete or not at all.

    Args:
        target: the file.
        template: name of the asset with the page's structure.
        words: texts of the template by name, plain, not HTML.
        scripts: names of assets, in order.
        overwrite: replace an existing file.

    Raises:
        OutputError: the file exists or cannot be written.
    """
    parts = {name: escape(shown(text)) for name, text in words.items()}
    parts["style"] = asset("page.css")
    parts["script"] = "(() => {\n'use strict';\n" + "\n".join(map(asset, scripts)) + "\n})();"
    html = with_pieces(asset(template))
    head, tail = html.split(_DATA)
    part = PartFile(target, overwrite=overwrite)
    try:
        page = Page(part.file, _filled(head, parts), _filled(tail, parts))
        yield page
        if page.is_wanted:
            page.finish()
            part.commit()
    finally:
        part.discard()


def asset(name: str) -> str:
    """Text of a file in the package's `report/assets`."""
    return (files("concertclean.report") / "assets" / name).read_text(encoding="utf-8")


def with_pieces(html: str) -> str:
    """A template with the pieces that it shares with others, such as `{{keys.html}}`."""
    return _PIECE.sub(lambda found: asset(found[1]).rstrip(), html)


def palette() -> str:
    """The colours of a spectrogram, magma from black to pale yellow: 256 times RRGGBB.

    References:
        Nathaniel J. Smith, Stéfan van der Walt, colormap (github.com/BIDS/colormap), 2015, CC0; rounded to 8 bits.
    """
    return "".join(asset("magma.txt").split())


def _filled(text: str, parts: Mapping[str, str]) -> str:
    """The text with its parts, all at once: a part, such as a title, may hold the mark of another."""
    return _PLACE.sub(lambda found: parts[found[1]], text)
