"""What stores raise, in words that name the file, without the credentials that may be in its address."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import unquote

from concertclean.errors import AudioFileError, ConcertCleanError, NoInputError
from concertclean.files.places import Url


@contextmanager
def reported(url: Url, kind: type[ConcertCleanError], what: str, cure: str) -> Iterator[None]:
    """Turns whatever a store raises inside the block into one of our errors.

    Args:
        url: of the file or folder.
        kind: of the error; a missing file is a `NoInputError` where this is `AudioFileError`.
        what: could not be done, such as "cannot be read".
        cure: ends the message.
    """
    try:
        yield
    except ConcertCleanError:
        raise
    except Exception as error:  # every store has errors of its own
        if kind is AudioFileError and is_missing(url, error):
            raise NoInputError(f"{url}: does not exist; check the name") from error
        raise kind(f"{url}: {what} ({fact_of(url, error)}); {cure}") from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes: that of a library below is the telling one."""
    yield error
    if error.__cause__ is not None:
        yield from _chain(error.__cause__)


def _status(error: BaseException) -> int | None:
    """What a web server answered."""
    found = (getattr(one, "status", None) for one in _chain(error))
    return next((status for status in found if isinstance(status, int)), None)


def is_missing(url: Url, error: BaseException) -> bool:
    """Whether there is nothing of this name; fsspec says so of web servers, too, that do not answer."""
    if url.is_web:
        return _status(error) in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
    return isinstance(error, FileNotFoundError)


def fact_of(url: Url, error: BaseException) -> str:
    """What went wrong, in a line without addresses and passwords."""
    status = _status(error)
    if status is not None and url.is_web:
        known = status in {one.value for one in HTTPStatus}
        return f"the server answers {status} {HTTPStatus(status).phrase if known else ''}".rstrip()
    *_, last = _chain(error)
    text = " ".join((str(last) or type(last).__name__).splitlines()[:1])
    secrets_of = (url.query, *url.host.rpartition("@")[0].split(":", 1))
    for secret in filter(None, secrets_of):
        text = text.replace(secret, "…").replace(unquote(secret), "…")
    return re.sub(r"[a-z][a-z0-9+.-]+://\S+", "…", text)
