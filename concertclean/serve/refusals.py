"""Requests that are refused, and the status of every error that a request can meet."""

from http import HTTPStatus

from concertclean.errors import (
    AudioFileError,
    ConcertCleanError,
    ConfigError,
    ModelError,
    NoInputError,
    OutputError,
    OutputExistsError,
)


class RefusalError(ConcertCleanError):
    """A request that is refused.

    Args:
        status: of the response.
        message: the fact and the cure.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


# Most special first: the first match decides.
_STATUSES: tuple[tuple[type[ConcertCleanError], HTTPStatus], ...] = (
    (NoInputError, HTTPStatus.NOT_FOUND),
    (AudioFileError, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
    (OutputExistsError, HTTPStatus.CONFLICT),
    (OutputError, HTTPStatus.INSUFFICIENT_STORAGE),
    (ConfigError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ModelError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


def status_of(error: Exception) -> HTTPStatus:
    """Status of the response to an error."""
    if isinstance(error, RefusalError):
        return error.status
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
