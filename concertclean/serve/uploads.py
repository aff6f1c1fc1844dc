"""Uploads: streamed to the disk under a name of ours, kept only if they are complete and can be read."""

import shutil
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool

from concertclean.audio_io.reader import AudioReader
from concertclean.errors import AudioFileError
from concertclean.files.atomic import PartFile
from concertclean.serve.jobs import Job
from concertclean.serve.refusals import RefusalError
from concertclean.serve.workplace import Workplace

_KEPT_FREE_BYTES: Final = 256 * 2**20  # for everything else on this disk
_LOOK_EVERY_BYTES: Final = 16 * 2**20


async def receive(place: Workplace, name: str, chunks: AsyncIterator[bytes], declared_bytes: int) -> Job:
    """Takes an upload.

    Args:
        place: where it goes.
        name: of the file, as the browser gives it.
        chunks: of the body; an exception out of them means that the sender has stopped.
        declared_bytes: size that the request declares, 0 if none.

    Returns:
        The upload, which can become a job.

    Raises:
        RefusalError: the disk has no room for it.
        AudioFileError: it cannot be read as audio; nothing is left of it.
    """
    _require_room(place.root, declared_bytes)
    upload = await run_in_threadpool(place.reserve, name)
    target = place.files(upload) / str(upload.stored)
    try:
        await _write(target, chunks)
        await run_in_threadpool(_require_audio, target, upload.name)
    except BaseException:  # also a request that was broken off, which is no Exception
        shutil.rmtree(place.files(upload), ignore_errors=True)
        raise
    place.keep(upload)
    return upload


async def _write(target: Path, chunks: AsyncIterator[bytes]) -> None:
    part = PartFile(target, overwrite=False, cure="free some space, or send less")
    n_written = 0
    try:
        async for chunk in chunks:
            if n_written // _LOOK_EVERY_BYTES != (n_written + len(chunk)) // _LOOK_EVERY_BYTES:
                _require_room(target.parent, len(chunk))
            await run_in_threadpool(part.file.write, chunk)
            n_written += len(chunk)
        await run_in_threadpool(part.commit)
    finally:
        part.discard()


def _require_room(folder: Path, n_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if n_bytes + _KEPT_FREE_BYTES > free:
        size = f"{n_bytes / 1e6:.0f} MB and {_KEPT_FREE_BYTES / 1e6:.0f} MB to spare"
        message = (
            f"the disk of the server has {free / 1e6:.0f} MB, not {size}; free some space, or delete old recordings"
        )
        raise RefusalError(HTTPStatus.INSUFFICIENT_STORAGE, message)


def _require_audio(path: Path, name: str) -> None:
    """Opens the file as a job will; the message has the name that people know."""
    try:
        with AudioReader(path) as reader:
            reader.read(1)
    except AudioFileError as error:
        raise AudioFileError(str(error).replace(str(path), name)) from error
