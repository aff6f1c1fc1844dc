"""Downloads the files of an open corpus from Debian packages and public repositories.

A package is read as a stream and only the listed audio is written, also from the zip-like archives in which games store
their sounds. Existing files are not downloaded again, so an interrupted run can simply be repeated.
"""

import contextlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

from concertclean.corpora.deb import DebError, open_deb
from concertclean.corpora.open_corpus import OPEN_CORPUS, OpenCorpus, PackageEntry, RepositoryEntry, stored_name
from concertclean.corpora.wanted import Wanted, spelling_key
from concertclean.errors import ConfigError, ModelError, OfflineError
from concertclean.files.atomic import disk_errors, write_text, written
from concertclean.files.download import fetch_from_url, file_sha256
from concertclean.files.names import inside, name_fault
from concertclean.files.unpacking import DAMAGED, Allowance

_ARCHIVES: Final = (".zip", ".pk3", ".wz", ".love")
_HOST: Final = "https://raw.githubusercontent.com"
_MARK: Final = ".fetched"
_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class PackageReport:
    """The result for one package or repository.

    Attributes:
        name: of the package, or owner and repository.
        licences: as listed in the corpus.
        found: names of the files present now.
        missing: names and patterns that are not.
        reason: why something is missing, and what to do; "" if nothing is missing, or if the version has other files.
        version: of the package that was read; "" if none was.
    """

    name: str
    licences: tuple[str, ...]
    found: tuple[str, ...]
    missing: tuple[str, ...]
    reason: str = ""
    version: str = ""


@dataclass(frozen=True)
class FetchReport:
    """The result for a corpus.

    Attributes:
        packages: one report each, in the order of the corpus, repositories last.
    """

    packages: tuple[PackageReport, ...]

    @property
    def n_missing(self) -> int:
        """Files and patterns that are not."""
        return sum(len(package.missing) for package in self.packages)


class _NotFetchedError(Exception):
    """A package is unavailable; the others may be available."""


def fetch(
    corpus: OpenCorpus,
    out: Path,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    debs: Path | None = None,
    only: Collection[str] = (),
) -> FetchReport:
    """Fill a folder with the files of a corpus, as `OUT/PACKAGE/NAME` and `OUT/OWNER__REPOSITORY/NAME`.

    Finished packages are skipped. An unavailable one is reported; the rest go on.

    Args:
        corpus: from `read_corpus`.
        out: made if it does not exist; gets a copy of the corpus' TOML too.
        progress: receives the name of the next package, the number done, and the total.
        debs: folder with manual downloads, searched first: `PACKAGE_*.deb`, and files of repositories as
            `OWNER__REPOSITORY__PATH`.
        only: names of packages and repositories; empty: all.

    Returns:
        The files found and missing.

    Raises:
        ConfigError: `only` contains an unknown name, or packages are needed and neither apt-get nor `debs` is
            available.
        OutputError: `out` cannot be written.
    """
    jobs: dict[str, list[Any]] = defaultdict(list)
    for entry in corpus.entries:
        jobs[entry.name].append(entry)
    if unknown := [name for name in only if name not in jobs]:
        raise ConfigError(f"{corpus.path}: does not list {', '.join(unknown)}; choose from {', '.join(jobs)}")
    chosen = {name: entries for name, entries in jobs.items() if not only or name in only}
    _check_tools(corpus, chosen, debs)
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    if corpus.path.resolve() != (out / OPEN_CORPUS).resolve():
        with corpus.path.open("rb") as stream:
            _write(stream, out / OPEN_CORPUS)
    reports = []
    for number, (name, entries) in enumerate(chosen.items()):
        if progress:
            progress(name, number, len(chosen))
        one = _fetch_package if isinstance(entries[0], PackageEntry) else _fetch_repository
        reports.append(one(entries, out, debs))
    if progress:
        progress("", len(chosen), len(chosen))
    return FetchReport(tuple(reports))


def _check_tools(corpus: OpenCorpus, chosen: dict[str, list[Any]], debs: Path | None) -> None:
    """Check what every package needs before the first one."""
    if debs is not None and not os.path.isdir(debs):
        raise ConfigError(f"{debs}: not a folder; put the downloaded .deb files into a folder and name it")
    if debs is None and not shutil.which("apt-get"):
        packages = [name for name, entries in chosen.items() if isinstance(entries[0], PackageEntry)]
        if packages:
            raise ConfigError(
                f"{corpus.path}: its packages need apt-get, which was not found; download the .deb files "
                f"of {', '.join(packages)} from https://packages.debian.org/NAME into a folder and name that folder"
            )


def _fetch_package(entries: list[PackageEntry], out: Path, debs: Path | None) -> PackageReport:
    """Get one package, unless an earlier run did."""
    name, wanted = entries[0].name, Wanted(entries)
    folder = inside(out, entries[0].folder, out)
    licences = tuple(dict.fromkeys(entry.licence for entry in entries))
    done = _finished(folder, wanted)
    if done:
        return PackageReport(name, licences, tuple(done[1:]), wanted.missing(done[1:]), version=done[0])
    kept: dict[str, bool] = {}
    with disk_errors(out):
        temporary = tempfile.TemporaryDirectory(prefix=".download-", dir=out)
    try:
        with temporary as folder_name:
            deb = _find_deb(name, debs) or _download(name, Path(folder_name))
            with open_deb(deb) as tar:
                for member in tar:
                    _keep_member(tar, member, wanted, folder, kept)
    except (_NotFetchedError, DebError, ConfigError, ModelError) as error:
        return PackageReport(name, licences, tuple(sorted(kept)), wanted.missing(kept), str(error))
    version = deb.stem.split("_")[1].replace("%3a", ":")
    write_text(folder / _MARK, "\n".join([wanted.digest(), version, *sorted(kept)]), make_folder=True)
    return PackageReport(name, licences, tuple(sorted(kept)), wanted.missing(kept), version=version)


def _finished(folder: Path, wanted: Wanted) -> list[str]:
    """Version and file names of an earlier run, if it was for the same files and they are still there."""
    try:
        digest, *rest = (folder / _MARK).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        return []
    is_here = all(name_fault(name) is None and os.path.isfile(folder / name) for name in rest[1:])
    return rest if digest == wanted.digest() and is_here else []


def _find_deb(name: str, debs: Path | None) -> Path | None:
    """The package among the manual downloads."""
    found = sorted(debs.rglob(f"{name}_*.deb")) if debs else []
    return found[-1] if found else None


def _download(name: str, folder: Path) -> Path:
    """The package, from the package sources of this system."""
    if not shutil.which("apt-get"):
        raise _NotFetchedError(f"no {name}_*.deb in the folder, and apt-get was not found; download it by hand")
    done = subprocess.run(["apt-get", "download", name], cwd=folder, capture_output=True, text=True, check=False)
    found = list(folder.glob("*.deb"))
    if done.returncode or not found:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise _NotFetchedError(f"apt-get download {name}: {said}; run apt-get update, or download it by hand")
    return found[0]


def _keep_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, wanted: Wanted, folder: Path, kept: dict[str, bool]
) -> None:
    """Write a member of a package if it is listed; search it if it is an archive."""
    path = member.name.removeprefix("./")
    stream = tar.extractfile(member) if member.isfile() else None
    if stream is None:
        return
    if not path.lower().endswith(_ARCHIVES):
        _keep(path, stream, wanted, folder, kept)
        return
    with disk_errors(folder):
        archive = tempfile.TemporaryFile(dir=folder.parent)  # noqa: SIM115  (closed below)
    with archive:
        _copy(stream, archive, folder)
        allowance = Allowance(path, archive.tell())
        # Anything else, or a damaged zip, has nothing to keep; its files are reported as missing.
        with contextlib.suppress(*DAMAGED), zipfile.ZipFile(archive) as inner:
            for name in inner.namelist():
                if wanted.target(name):
                    with inner.open(name) as sound:
                        _keep(name, allowance.watch(sound), wanted, folder, kept)


def _keep(path: str, stream: IO[bytes], wanted: Wanted, folder: Path, kept: dict[str, bool]) -> None:
    """Write one file under its name: the first whose folder matches, else the first with that name."""
    target = wanted.target(path)
    if target is None:
        return
    name, is_sure = target
    if name in kept and (kept[name] or not is_sure):
        return
    _write(stream, inside(folder.parent, f"{folder.name}/{name}", path))
    kept[name] = is_sure


def _write(stream: IO[bytes], target: Path) -> None:
    """Store a stream as a file, whole or not at all."""
    with written(target, make_folder=True) as file:
        _copy(stream, file, target)


def _copy(stream: IO[bytes], file: IO[bytes], target: Path) -> None:
    """Copy; only errors of the disk become errors of the output."""
    while block := stream.read(_BLOCK_BYTES):
        with disk_errors(target):
            file.write(block)


def _fetch_repository(entries: list[RepositoryEntry], out: Path, debs: Path | None) -> PackageReport:
    """Get the missing files of one repository, from the folder or the network."""
    name = entries[0].name
    copies = {spelling_key(path.name): path for path in sorted(debs.rglob("*")) if os.path.isfile(path)} if debs else {}
    found: list[str] = []
    missing: list[str] = []
    reason, is_offline = "", False
    for entry, path, sha256 in ((one, *listed) for one in entries for listed in one.files.items()):
        target = inside(out, f"{entry.folder}/{stored_name(path)}", name)
        copy = copies.get(spelling_key(f"{entry.folder}__{path}"))
        try:
            if copy and not os.path.isfile(target) and file_sha256(copy) == sha256:
                with copy.open("rb") as stream:
                    _write(stream, target)
            if not os.path.isfile(target) and not is_offline:
                fetch_from_url(f"{_HOST}/{name}/{entry.commit}/{quote(path)}", target, sha256)
        except ModelError as error:
            is_offline = is_offline or isinstance(error, OfflineError)
            reason = reason or f"{error}; or copy it by hand into {target.parent}, as {target.name}"
        (found if os.path.isfile(target) else missing).append(target.name)
    licences = tuple(dict.fromkeys(entry.licence for entry in entries))
    return PackageReport(name, licences, tuple(found), tuple(missing), reason)
