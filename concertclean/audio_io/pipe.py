"""Where the bytes of a recording go when its output is a pipe.

The encoder always works on a real, seekable file, because MP4, FLAC and WAV write their lengths at the end.
"""

import shutil
from typing import BinaryIO

from concertclean.audio_io.guarded import TemporaryOutput
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
