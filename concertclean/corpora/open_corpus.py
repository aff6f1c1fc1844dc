"""The open corpus: the freely licensed audio behind the shipped weights, as a list in open-corpus.toml.

The list names files of Debian packages and of public repositories, with licence, role, split and group; `fetch`
downloads them. This module reads and checks the list, and turns the files present in a folder into sources.
"""

import os
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from concertclean.audio_io.reader import AudioReader
from concertclean.config.faults import fault_text
from concertclean.config.reading import read_toml
from concertclean.corpora.sources import Role, Source, Split, audio_files
from concertclean.errors import AudioFileError, ConfigError
from concertclean.files.names import plain_name

Task = Literal["concert", "gramophone", "reverb"]

OPEN_CORPUS: Final = "open-corpus.toml"

_Text = Annotated[str, Field(min_length=1)]
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_RelativePath = Annotated[str, AfterValidator(plain_name)]
_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Entry(BaseModel):
    """The fields common to packages and repositories.

    Attributes:
        licence: of these files.
        role: what they are used for.
        split: their split.
        group: never in two splits; entries may share one.
        category: kind of noise.
        tasks: that they are useful for.
        seconds: use at most this much of a file: its middle, or its beginning for claps and responses.
        spans: seconds to use, instead of `seconds`.
        max_files: use at most this many, evenly spaced in the order of their names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    licence: _Text
    role: Role
    split: Split
    group: _Text
    category: str = ""
    tasks: tuple[Task, ...] = get_args(Task)
    seconds: Annotated[float, Field(gt=0)] | None = None
    spans: tuple[tuple[_Seconds, _Seconds], ...] = ()
    max_files: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _check_spans(self) -> "_Entry":
        wrong = [span for span in self.spans if span[0] >= span[1]]
        if wrong:
            raise ValueError(f"spans must be (start, end) with start before end, got {wrong}")
        return self


class PackageEntry(_Entry):
    """Files of one Debian package.

    Attributes:
        name: of the package.
        version: from which the names were taken; others mostly have the same.
        kind: "debian".
        files: "FOLDER/NAME", the last folder inside the package or a zip in it, or "NAME" in any folder.
        patterns: of whole paths inside the package; `*` stands for "/" too, its first folders must be plain.
    """

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9.+-]+$")]
    version: _Text
    kind: Literal["debian"] = "debian"
    files: tuple[_RelativePath, ...] = ()
    patterns: tuple[
        Annotated[str, AfterValidator(plain_name), Field(pattern=r"^[^/*?\[]+/[^*?\[]*/.*[*?\[]")], ...
    ] = ()

    @property
    def folder(self) -> str:
        """Where `fetch` puts the files."""
        return self.name


class RepositoryEntry(_Entry):
    """Files of one public repository on GitHub.

    Attributes:
        name: owner and repository.
        commit: at which they were read.
        files: sha256 by path.
        song: title; the files are stems that are summed to one recording, of role "vocals" or "backing".
    """

    name: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$")]
    commit: Annotated[str, Field(pattern="^[0-9a-f]{7,40}$")]
    files: Annotated[dict[_RelativePath, _Sha256], Field(min_length=1)]
    song: str = ""

    @property
    def folder(self) -> str:
        """Where `fetch` puts the files."""
        return self.name.replace("/", "__")

    @model_validator(mode="after")
    def _check_song(self) -> "RepositoryEntry":
        if bool(self.song) != (self.role in ("vocals", "backing")):
            raise ValueError('stems need both a song and the role "vocals" or "backing"')
        return self


class OpenCorpus(BaseModel):
    """All of open-corpus.toml.

    Attributes:
        path: the file that was read.
        package: Debian packages; several entries may name one.
        repository: public repositories.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    package: tuple[PackageEntry, ...] = ()
    repository: tuple[RepositoryEntry, ...] = ()

    @property
    def entries(self) -> tuple[PackageEntry | RepositoryEntry, ...]:
        """Packages, then repositories."""
        return (*self.package, *self.repository)

    @model_validator(mode="after")
    def _check_sides(self) -> "OpenCorpus":
        """Reports groups in two splits, files in two entries and entries without files, all at once."""
        sides: dict[tuple[str, str], str] = {}
        owners: set[str] = set()
        faults = [f"{entry.name}: needs files or patterns" for entry in self.package if not _listed(entry)]
        for entry in self.entries:
            side = sides.setdefault((entry.role, entry.group), entry.split)
            if side != entry.split:
                faults.append(f"{entry.name}: group {entry.group!r} is in {side} and in {entry.split}")
            names = [f"{entry.folder}/{stored_name(listed)}" for listed in _listed(entry)]
            faults += [f"{name}: is listed twice" for name in names if name in owners or names.count(name) > 1]
            owners.update(names)
        if faults:
            raise ValueError("; ".join(dict.fromkeys(faults)))
        return self


def read_corpus(path: Path) -> OpenCorpus:
    """The packages and files of an open-corpus.toml.

    Args:
        path: the file.

    Returns:
        The validated record.

    Raises:
        ConfigError: the file cannot be read, or has invalid entries; all of them are named.
    """
    content = read_toml(path, f"name an {OPEN_CORPUS}")
    try:
        return OpenCorpus.model_validate({**content, "path": path})
    except ValidationError as error:
        faults = [_describe(fault, content) for fault in error.errors()]
        raise ConfigError(f"{path}: {len(faults)} invalid:\n  " + "\n  ".join(faults)) from error


def corpus_files(corpus: OpenCorpus, folder: Path, task: Task | None = None) -> tuple[list[Source], list[str]]:
    """The part of an open corpus that is present in a folder filled by `fetch`.

    Args:
        corpus: from `read_corpus`.
        folder: contains `PACKAGE/NAME`.
        task: only sources useful for it; None: everything.

    Returns:
        The sources in the order of the corpus, and the missing files: `PACKAGE/NAME` each, or `PACKAGE: PATTERN` if
        nothing matches a pattern.
    """
    sources: list[Source] = []
    missing: list[str] = []
    for entry in corpus.entries:
        if task is None or task in entry.tasks:
            names, absent = _present_names(entry, folder / entry.folder)
            missing += absent
            if isinstance(entry, RepositoryEntry) and entry.song:
                # A song without one of its stems is another song.
                sources += [] if absent else [_song_source(entry, folder, names)]
            else:
                sources += [_corpus_source(entry, folder, name) for name in names]
    return sources, missing


def stored_name(path: str) -> str:
    """Name under which `fetch` stores a listed path or pattern: one folder per package, so "/" becomes "__".

    Args:
        path: a listed file, or a pattern, of whose plain folders only the last is kept.

    Returns:
        A file name, or a pattern of file names.
    """
    return path.removeprefix(plain_parent(path)).replace("/", "__")


def plain_parent(pattern: str) -> str:
    """Folders of a pattern that need not be kept: all plain ones but the last.

    Args:
        pattern: such as "usr/share/voices/*.ogg".

    Returns:
        Such as "usr/share/"; empty for a path without a wildcard.
    """
    wildcard = min((pattern.find(sign) for sign in "*?[" if sign in pattern), default=0)
    parts = pattern[:wildcard].split("/")
    return "".join(f"{part}/" for part in parts[:-2])


def _listed(entry: PackageEntry | RepositoryEntry) -> list[str]:
    return [*entry.files, *(entry.patterns if isinstance(entry, PackageEntry) else ())]


def _present_names(entry: PackageEntry | RepositoryEntry, folder: Path) -> tuple[list[str], list[str]]:
    """Stored names of an entry that are present, thinned out if requested, and the missing ones."""
    patterns = entry.patterns if isinstance(entry, PackageEntry) else ()
    listed = [stored_name(name) for name in entry.files]
    present = [name for name in listed if os.path.isfile(folder / name)]
    missing = [f"{entry.folder}/{name}" for name in listed if name not in present]
    stored = [path.name for path in audio_files(folder)] if patterns else []
    for pattern in patterns:
        fitting = [name for name in stored if fnmatchcase(name, stored_name(pattern))]
        missing += [] if fitting else [f"{entry.folder}: {pattern}"]
        present = list(dict.fromkeys([*present, *fitting]))
    count = min(len(present), entry.max_files or len(present))
    return [present[index * len(present) // count] for index in range(count)], missing


def _corpus_source(entry: PackageEntry | RepositoryEntry, folder: Path, name: str) -> Source:
    path = folder / entry.folder / name
    return Source(
        path=path,
        name=f"{entry.folder}/{name}",
        role=entry.role,
        group=entry.group,
        split=entry.split,
        licence=entry.licence,
        title=path.stem,
        category=entry.category,
        spans=entry.spans or _limit(path, entry),
    )


def _song_source(entry: RepositoryEntry, folder: Path, names: list[str]) -> Source:
    """The stems of one role of a song as one source."""
    return replace(
        _corpus_source(entry, folder, names[0]),
        name=f"{entry.folder}/{entry.song} {entry.role}",
        title=entry.song,
        layers=tuple(folder / entry.folder / name for name in names[1:]),
    )


def _limit(path: Path, entry: _Entry) -> tuple[tuple[float, float], ...]:
    """The seconds of a file that an entry allows."""
    if entry.seconds is None:
        return ()
    try:
        with AudioReader(path) as reader:
            length = reader.info.duration_seconds
    except AudioFileError:
        return ()
    if length is not None and length <= entry.seconds:
        return ()
    # In a clap or a response the beginning matters; the rest is its decay.
    start = 0.0 if length is None or entry.role in ("clap", "response") else (length - entry.seconds) / 2
    return ((start, start + entry.seconds),)


def _describe(fault: Any, content: dict[str, Any]) -> str:
    """`NAME KEY: reason`."""
    place, name = list(fault["loc"]), ""
    if len(place) > 1 and isinstance(place[1], int):
        entry = content[place[0]][place[1]]
        name = f"{entry.get('name', '')} " if isinstance(entry, dict) else ""
        place = [f"{place[0]}[{place[1]}]", *place[2:]]
    return f"{name}{fault_text(fault, OpenCorpus, place)}"
