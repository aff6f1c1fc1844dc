"""Where the bytes of a recording go when its output is a pipe, or lies in another store.

The encoder always works on a real, seekable file, because MP4, FLAC and WAV write their lengths at the end.
"""

import os
import shutil
from typing import BinaryIO, cast

from concertclean.audio_io.guarded import TemporaryOutput
from concertclean.errors import OutputError
from concertclean.files.places import Url
from concertclean.files.storage import refuse_existing


class PipeTarget:
    """A temporary file that is sent to a stream once it is complete.

    Args:
        stream: binary, need not be seekable; stays open.

    Attributes:
        file: open for writing and reading.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.file = TemporaryOutput()

    def commit(self) -> None:
        """Send the complete file.

        Raises:
            OutputError: the temporary folder is full, or the reader of the pipe has quit.
        """
        self.file.seek(0)
        self.file.check()
        try:
            shutil.copyfileobj(self.file, self._stream)
            self._stream.flush()
        except (OSError, ValueError) as error:  # ValueError: closed
            raise OutputError(f"standard output: cannot be written ({error}); keep its reader running") from error
        self.file.close()

    def discard(self) -> None:
        """Discard what was written."""
        self.file.close()


class StoreTarget:
    """A temporary file that is sent to another store once it is complete.

    Args:
        url: of the output.
        overwrite: replace what already exists.

    Raises:
        OutputError: it already exists.

    Attributes:
        file: open for writing and reading.
    """

    def __init__(self, url: Url, *, overwrite: bool) -> None:
        self._url, self._overwrite = url, overwrite
        self._refuse_existing()
        self.file = TemporaryOutput()

    def commit(self) -> None:
        """Send the complete file; it appears under its name when all of it is there.

        Raises:
            OutputError: the temporary folder is full, or the store does not take it.
        """
        from concertclean.files.remote import send

        n_bytes = self.file.seek(0, os.SEEK_END)
        self.file.seek(0)
        send(cast(BinaryIO, self.file), n_bytes, self._url, self._ready)
        self.file.close()

    def discard(self) -> None:
        """Discard what was written here."""
        self.file.close()

    def _ready(self) -> None:
        self.file.check()  # it has been read to its end
        self._refuse_existing()

    def _refuse_existing(self) -> None:
        if not self._overwrite:
            refuse_existing(self._url)
