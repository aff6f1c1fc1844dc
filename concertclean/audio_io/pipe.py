"""Where the bytes of a recording go when its output is a pipe.

The encoder always works on a real, seekable file, because MP4, FLAC and WAV write their lengths at the end.
"""

import shutil
import tempfile
from contextlib import suppress
from typing import BinaryIO

from concertclean.errors import OutputError


class PipeTarget:
    """A temporary file that is sent to a stream once it is complete.

    Args:
        stream: binary, need not be seekable; stays open.

    Attributes:
        file: open for writing and reading.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  (closed by commit or discard)

    def commit(self) -> None:
        """Send the complete file.

        Raises:
            OutputError: the reader of the pipe has quit.
        """
        try:
            self.file.seek(0)
            shutil.copyfileobj(self.file, self._stream)
            self._stream.flush()
        except OSError as error:
            raise OutputError(f"standard output: cannot be written ({error}); keep its reader running") from error
        self.file.close()

    def discard(self) -> None:
        """Discard what was written."""
        with suppress(OSError):
            self.file.close()
