"""The working folder: jobs, their sounds, and results; and the folder of recordings to pick from.

::

    working folder
    ├── jobs/ID.json       one job each
    ├── files/ID/          its recording, if it was uploaded, what was found in it, what the page plays
    └── results/           what was saved
"""

import os
import re
import secrets
import shutil
import threading
import time
import unicodedata
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from concertclean.audio_io.formats import AUDIO_EXTENSIONS
from concertclean.errors import NoInputError, OutputError
from concertclean.files.atomic import disk_errors, write_text
from concertclean.files.lock import FolderLock
from concertclean.files.names import inside
from concertclean.files.walk import find_files, is_hidden
from concertclean.serve.jobs import Job, State, Wish
from concertclean.serve.refusals import RefusalError

_ID: Final = re.compile(r"[0-9a-f]{16}")
_EXTENSION: Final = re.compile(r"\.[a-z0-9]{1,8}", re.ASCII)
_UNFIT: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')  # in names of files, on one system or another
_LONGEST_NAME: Final = 120  # characters


class Workplace:
    """Jobs on disk; safe to use from several threads.

    Args:
        root: working folder, made if it is missing.
        folder: of recordings to pick from, or None.

    Raises:
        OutputError: another server works in `root`, or it cannot be written.
        NoInputError: there is no such `folder`.

    Attributes:
        damaged: names of job files that cannot be read; they stay where they are.
    """

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        if folder is not None and not os.path.isdir(folder):
            raise NoInputError(f"{folder}: no such folder; check the spelling")
        self.root, self.folder = root.absolute(), folder
        self._lock = FolderLock(root)
        self._change = threading.RLock()
        self._uploads: dict[str, Job] = {}
        self.damaged: list[str] = []
        with disk_errors(root):
            for name in ("jobs", "files", "results"):
                (root / name).mkdir(exist_ok=True)
        self._jobs = {job.id: job for job in sorted(self._stored_jobs(), key=lambda job: job.created)}
        for job in self.jobs():
            if job.state == "running":  # when the server ended
                self.change(job.id, state="waiting")
        self._clear_strangers()

    def close(self) -> None:
        """Lets another server work here."""
        self._lock.release()

    def jobs(self) -> list[Job]:
        """All jobs, the oldest first."""
        with self._change:
            return list(self._jobs.values())

    def job(self, name: str) -> Job:
        """A job by its id.

        Raises:
            RefusalError: there is none.
        """
        with self._change:
            if name not in self._jobs:
                raise RefusalError(HTTPStatus.NOT_FOUND, f"job {name[:20]}: there is none; reload the page")
            return self._jobs[name]

    def change(self, name: str, states: Iterable[State] | None = None, **values: Any) -> Job:
        """Changes a job, here and on the disk.

        Args:
            name: id of the job.
            states: it must be in one of these; None: any.
            values: fields of `Job`.

        Raises:
            RefusalError: there is no such job, or it is in another state.
            OutputError: the disk is full.
        """
        with self._change:
            job = self.job(name)
            if states is not None and job.state not in set(states):
                raise RefusalError(HTTPStatus.CONFLICT, f"{job.name}: is {job.state}; this is not possible now")
            return self._put(job.model_copy(update=values))

    def note(self, name: str, **values: Any) -> Job:
        """Changes a job as `change` does; where the disk refuses that, only until the server ends."""
        with self._change:
            try:
                return self.change(name, **values)
            except OutputError as error:
                kept = {"state": "failed", "error": str(error)}
                self._jobs[name] = self.job(name).model_copy(update=kept)
                return self._jobs[name]

    def add_saved(self, name: str, file: str) -> None:
        """Notes that a result was saved."""
        with self._change:
            self.change(name, saved=(*self.job(name).saved, file))

    def reserve(self, name: str) -> Job:
        """A place for an upload; it becomes a job when somebody asks for one.

        Args:
            name: of the file, as the browser gives it; not trusted.

        Raises:
            OutputError: the disk is full.
        """
        shown = plain(name)
        extension = os.path.splitext(shown)[1].lower()
        stored = "recording" + (extension if _EXTENSION.fullmatch(extension) else "")
        job = Job(id=secrets.token_hex(8), created=time.time(), name=shown, stored=stored)
        with disk_errors(self.files(job)):
            self.files(job).mkdir()
        return job

    def keep(self, upload: Job) -> None:
        """Keeps an upload that is complete."""
        with self._change:
            self._uploads[upload.id] = upload

    def add_upload(self, upload: str, wish: Wish) -> Job:
        """A new job about an upload.

        Raises:
            RefusalError: there is no such upload, or it has a job already.
        """
        with self._change:
            if upload not in self._uploads:
                raise RefusalError(HTTPStatus.NOT_FOUND, f"upload {upload[:20]}: there is none; send the file again")
            job = self._put(self._uploads[upload].model_copy(update={"wish": wish}))
            del self._uploads[upload]
            return job

    def add_file(self, file: str, wish: Wish) -> Job:
        """A new job about a recording in the folder.

        Raises:
            RefusalError: there is no folder.
            ConfigError: the name leads out of it.
            NoInputError: there is no such recording.
        """
        job = Job(id=secrets.token_hex(8), created=time.time(), name=plain(file), file=file, wish=wish)
        self.recording(job)
        with self._change:
            with disk_errors(self.files(job)):
                self.files(job).mkdir()
            return self._put(job)

    def remove(self, name: str) -> None:
        """Deletes a job and its sounds; results and recordings in the folder stay.

        Raises:
            RefusalError: there is no such job, or it is at work.
        """
        with self._change:
            job = self.job(name)
            if job.state == "running":
                raise RefusalError(HTTPStatus.CONFLICT, f"{job.name}: is at work; cancel it first")
            self._job_file(job).unlink(missing_ok=True)
            del self._jobs[name]
            shutil.rmtree(self.files(job), ignore_errors=True)

    def files(self, job: Job) -> Path:
        """Folder of the files of a job."""
        return self.root / "files" / job.id

    def recording(self, job: Job) -> Path:
        """The recording of a job.

        Raises:
            RefusalError, ConfigError, NoInputError: see `add_file`.
        """
        if job.file is None:
            return self.files(job) / str(job.stored)
        if self.folder is None:
            raise RefusalError(
                HTTPStatus.NOT_FOUND, f"{job.name}: lies in a folder that is not served now; serve it again"
            )
        path = inside(self.folder, job.file, "the request")
        is_listed = path.suffix.lower() in AUDIO_EXTENSIONS and not any(map(is_hidden, job.file.split("/")))
        if not is_listed or not os.path.isfile(path):
            raise NoInputError(f"{job.file}: no such recording in the folder; reload the page")
        return path

    def picks(self) -> list[str]:
        """Recordings in the folder, relative to it, with "/"; without links out of it, and names that are not UTF-8."""
        if self.folder is None:
            return []
        real = Path(os.path.realpath(self.folder))
        found = find_files(self.folder, AUDIO_EXTENSIONS, unreadable=lambda error: None)
        inner = [path for path in found if Path(os.path.realpath(path)).is_relative_to(real)]
        names = [path.relative_to(self.folder).as_posix() for path in inner]
        return [name for name in names if name.isascii() or name.encode("utf-8", "ignore").decode() == name]

    def result(self, name: str) -> Path:
        """A saved file.

        Raises:
            RefusalError: there is none.
        """
        path = self.root / "results" / plain(name)
        if plain(name) != name or os.path.islink(path) or not os.path.isfile(path):
            raise RefusalError(HTTPStatus.NOT_FOUND, f"{plain(name)}: no such result; save it again")
        return path

    def free_result(self, job: Job, extension: str) -> Path:
        """A name for a result that nothing has yet."""
        stem = os.path.splitext(job.name)[0] + "_clean"
        names = (f"{stem}{number}{extension}" for number in ("", *(f"_{n}" for n in range(2, 10_000))))
        return next(path for path in (self.root / "results" / name for name in names) if not os.path.lexists(path))

    def _put(self, job: Job) -> Job:
        write_text(self._job_file(job), job.model_dump_json(indent=1))
        self._jobs[job.id] = job
        return job

    def _job_file(self, job: Job) -> Path:
        return self.root / "jobs" / f"{job.id}.json"

    def _stored_jobs(self) -> Iterable[Job]:
        for path in sorted((self.root / "jobs").glob("*.json")):
            try:
                job = Job.model_validate_json(path.read_bytes())
            except (OSError, ValidationError):
                self.damaged.append(path.name)
                continue
            if path.stem == job.id:
                yield job

    def _clear_strangers(self) -> None:
        """Deletes uploads that no job came of."""
        known = {*self._jobs, *(Path(name).stem for name in self.damaged)}
        for path in (self.root / "files").iterdir():
            if _ID.fullmatch(path.name) and path.name not in known and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)


def plain(name: str) -> str:
    """A name that any file system takes and that leads nowhere; of a path the last part."""
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    clean = _UNFIT.sub("_", last).encode("utf-8", "replace").decode().strip().lstrip(".").rstrip(". ")
    stem, extension = os.path.splitext(clean)
    return (stem[: _LONGEST_NAME - len(extension)] + extension)[:_LONGEST_NAME] or "recording"
