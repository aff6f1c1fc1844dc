"""Bytes from the network to a file, whole and checked, or not at all."""

import hashlib
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, TypeAlias
from urllib.parse import urlsplit

from concertclean import __version__
from concertclean.errors import ConfigError, ModelError, OfflineError, OutputError
from concertclean.files.atomic import written

Progress: TypeAlias = Callable[[int, int | None], None]

_CONNECT_SECONDS = 0.8  # name look-up and connection; "no network" must be reported within one second
_SLOW_NETWORK = "CONCERTCLEAN_CONNECT_SECONDS"
_READ_SECONDS = 60.0  # silence that a slow but living server may keep
_BLOCK_BYTES = 1 << 20
_MOST_BYTES = 4 << 30  # where nobody knows the size


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file as 64 hexadecimal digits.

    Args:
        path: any file.

    Returns:
        Lower-case digits.

    Raises:
        ModelError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error


def fetch_from_url(
    url: str,
    target: Path,
    sha256: str,
    *,
    size_bytes: int | None = None,
    progress: Progress | None = None,
    patience: float = 1.0,
    other_folder: str = "choose another folder",
) -> None:
    """Store what an address serves, if it is the expected file; otherwise nothing is stored.

    Args:
        url: http or https address.
        target: file to write; its folder is made.
        sha256: 64 hexadecimal digits.
        size_bytes: of the expected file; nothing beyond it is read. None: at most 4 GiB.
        progress: called with bytes so far and all bytes, or None where the server does not say.
        patience: share of `connect_seconds()` to wait for a connection.
        other_folder: advice for a disk that refuses the file: how to put it elsewhere; a verb and its object.

    Raises:
        OfflineError: nobody answers there.
        ModelError: the server refuses, the transfer breaks off, the file is another, or the disk refuses it.
    """
    probe(url, patience=patience)
    cure = f"free some space or {other_folder}"
    request = urllib.request.Request(url, headers={"User-Agent": f"concertclean/{__version__}"})
    try:
        with written(target, make_folder=True, cure=cure) as file:
            found = _stream(request, file, size_bytes or _MOST_BYTES, progress)
            if found != sha256:
                raise ModelError(
                    f"{url}: wrong sha256, expected {sha256}, found {found}; nothing is kept. Try again; "
                    "if it stays so, the file at this address was replaced"
                )
    except OutputError as error:
        raise ModelError(str(error)) from error


def probe(url: str, *, patience: float = 1.0) -> None:
    """Find out at once whether anybody answers at an address, or at the proxy on the way there.

    Args:
        url: http or https address.
        patience: share of `connect_seconds()` to wait.

    Raises:
        OfflineError: the name is unknown, the connection is refused, or nothing happens in time.
    """
    host, port = _first_hop(url)
    seconds = patience * connect_seconds()
    faults: list[str] = []
    done = threading.Event()

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=seconds).close()
        except OSError as error:
            faults.append(error.strerror or str(error))
        done.set()

    # A thread, because a name look-up takes no time limit; it is left behind if it hangs.
    threading.Thread(target=connect, name="probe", daemon=True).start()
    if not done.wait(seconds):
        faults.append(f"no answer in {seconds:.1f} s; a slow network may need a larger {_SLOW_NETWORK}")
    if faults:
        raise OfflineError(f"no network: {host} cannot be reached ({faults[0]})")


def connect_seconds() -> float:
    """Return how long a connection may take: $CONCERTCLEAN_CONNECT_SECONDS or 0.8 s.

    Returns:
        Seconds.

    Raises:
        ConfigError: the variable is not a positive number.
    """
    text = os.environ.get(_SLOW_NETWORK, str(_CONNECT_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 3600:
        raise ConfigError(f"{_SLOW_NETWORK} must be a number of seconds above 0, got {text!r}")
    return seconds


def _first_hop(url: str) -> tuple[str, int]:
    """Host and port that a connection to this address goes to first."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _stream(request: urllib.request.Request, file: BinaryIO, most: int, progress: Progress | None) -> str:
    """Copy a response of at most so many bytes into a file; its sha256."""
    digest, done = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(request, timeout=_READ_SECONDS) as response:
            declared = response.headers.get("Content-Length", "")
            total = int(declared) if declared.isascii() and declared.isdigit() else None
            if total is not None and total > most:
                raise too_large(request.full_url, most)
            while block := response.read(min(_BLOCK_BYTES, most + 1 - done)):
                if done + len(block) > most:
                    raise too_large(request.full_url, most)
                digest.update(block)
                done += file.write(block)
                if progress:
                    progress(done, total)
    except urllib.error.HTTPError as error:
        error.close()
        raise ModelError(
            f"{request.full_url}: the server answers {error.code} {error.reason}; try again later"
        ) from error
    except urllib.error.URLError as error:
        raise OfflineError(f"no network: {request.full_url} cannot be reached ({error.reason})") from error
    except (OSError, HTTPException) as error:
        raise ModelError(_broken(request.full_url, done, str(error))) from error
    if total is not None and done != total:
        raise ModelError(_broken(request.full_url, done, f"{total} were promised"))
    return digest.hexdigest()


def too_large(url: str, most: int) -> ModelError:
    """Return the error for an address that serves more than the expected file."""
    return ModelError(
        f"{url}: serves more than the {most} bytes expected; nothing is kept. Try again; "
        "if it stays so, the file at this address was replaced"
    )


def _broken(url: str, done: int, reason: str) -> str:
    return f"{url}: the transfer broke off after {done} bytes ({reason}); nothing is kept, try again"
