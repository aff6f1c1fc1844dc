"""A file that appears complete or not at all: the one place of concertclean that renames files.

Everything is written to a hidden part file beside the target, forced to the disk, and renamed. An interruption, an
error or a full disk leaves the old file, or none.
"""

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from concertclean.errors import OutputError, OutputExistsError
from concertclean.files.parts import new_part, sweep

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_CURE = "free some space or choose another folder"


class PartFile:
    """A hidden file beside the target, renamed to it when everything is written.

    For a writer that lives longer than one block of code; `written` is simpler.

    Args:
        path: target; its folder must exist.
        overwrite: replace a target that already exists.
        cure: advice that ends the message of an `OutputError`; a verb and its object.

    Raises:
        OutputError: the target already exists, or its folder is missing or cannot be written.

    Attributes:
        file: open for writing and reading. Where the disk refuses a write, it raises `OutputError`, not `OSError`;
            so a caller can tell a full disk from a source that cannot be read.
    """

    def __init__(self, path: Path, *, overwrite: bool, cure: str = _CURE) -> None:
        self._path, self._overwrite, self._cure = path, overwrite, cure
        if _is_folder(path):
            raise OutputError(f"{path}: is a directory; name a file in it")
        if not overwrite:
            refuse_existing(path)
        try:
            sweep(path.parent)
            self._part, descriptor = new_part(path.parent)
        except (OSError, ValueError) as error:  # ValueError: the path holds a null character
            raise _unwritable(path, error, cure) from error
        self._lock: int | None = os.dup(descriptor)  # holds the lock until the part has its name
        self._raw = _Raw(descriptor, path, cure)
        self.file = io.BufferedRandom(self._raw)

    @property
    def refusal(self) -> OutputError | None:
        """The write that the disk refused, if any, even where a library kept the error to itself."""
        return self._raw.refusal

    def commit(self) -> None:
        """Force the complete file to the disk and give it its name.

        Raises:
            OutputError: the disk is or was full, or another program made the target in the meantime.
        """
        if self.refusal:
            raise self.refusal
        with disk_errors(self._path, cure=self._cure):
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            if os.name == "nt":  # which renames no open file
                self._unlock()
            if self._overwrite:
                os.replace(self._part, self._path)
            else:
                self._rename_if_free()
            self._unlock()

    def discard(self) -> None:
        """Delete what was written; a second call, or one after `commit`, does nothing."""
        with suppress(OSError, OutputError):  # closing writes what is left in the buffer
            self.file.close()
        self._unlock()
        with suppress(FileNotFoundError):
            self._part.unlink()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _rename_if_free(self) -> None:
        """Rename without a race between looking and doing: a hard link is refused if the name is taken."""
        try:
            os.link(self._part, self._path)
        except FileExistsError as error:
            raise already_exists(self._path) from error
        except OSError as error:  # a file system without hard links, such as FAT
            if os.path.lexists(self._path):
                raise already_exists(self._path) from error
            self._part.rename(self._path)
        else:
            self._part.unlink()


@contextmanager
def written(
    path: Path, *, overwrite: bool = True, make_folder: bool = False, cure: str = _CURE
) -> Iterator[io.BufferedRandom]:
    """A file to write to, which appears under its name when the block ends without an error.

    Args:
        path: target.
        overwrite: replace a target that already exists.
        make_folder: make the target's folder, and those above it, if they are missing.
        cure: as for `PartFile`.

    Yields:
        The file, open for writing and reading.

    Raises:
        OutputError: the target already exists or cannot be written.
    """
    if make_folder:
        with disk_errors(path, cure=cure):
            path.parent.mkdir(parents=True, exist_ok=True)
    part = PartFile(path, overwrite=overwrite, cure=cure)
    try:
        yield part.file
        part.commit()
    except Exception as error:
        if part.refusal and error is not part.refusal:  # torch.save, for one, raises an error of its own instead
            raise OutputError(str(part.refusal)) from error
        raise
    finally:
        part.discard()


def write_text(path: Path, text: str, *, make_folder: bool = False, cure: str = _CURE) -> None:
    r"""Write a text file as UTF-8 with `\n` as its line ends; one that already exists is replaced.

    Args:
        path: target.
        text: the whole of it.
        make_folder: as for `written`.
        cure: as for `PartFile`.

    Raises:
        OutputError: the target cannot be written.
    """
    with written(path, make_folder=make_folder, cure=cure) as file:
        file.write(text.encode("utf-8"))


@contextmanager
def disk_errors(path: Path, *, cure: str = _CURE) -> Iterator[None]:
    """Report what the disk refuses inside the block as an error of the output; for temporary files and folders.

    Args:
        path: file or folder that the message names.
        cure: as for `PartFile`.

    Raises:
        OutputError: in place of an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise _unwritable(path, error, cure) from error


class _Raw(io.FileIO):
    """A file without a buffer that reports what the disk refuses as an error of the output, and remembers it."""

    def __init__(self, descriptor: int, target: Path, cure: str) -> None:
        super().__init__(descriptor, "r+b")
        self._target, self._cure = target, cure
        self.refusal: OutputError | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.refusal = _unwritable(self._target, error, self._cure)
            raise self.refusal from error


def _unwritable(path: Path, error: OSError | ValueError, cure: str) -> OutputError:
    fact = error.strerror if isinstance(error, OSError) and error.strerror else error
    return OutputError(f"{path}: cannot be written ({fact}); {cure}")


def _is_folder(path: Path) -> bool:
    """Whether a target is a folder; OutputError for a name that the file system refuses, before anything is written."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise _unwritable(path, error, "choose another name") from error


def refuse_existing(path: Path) -> None:
    """Raises an `OutputExistsError` if there is something of this name already."""
    if os.path.lexists(path):
        raise already_exists(path)


def already_exists(place: object) -> OutputExistsError:
    """Returns the error for an output of a name that is taken."""
    return OutputExistsError(f"{place}: already exists; allow overwriting, or choose another name")
