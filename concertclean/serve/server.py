"""The server: a socket, a token, a working folder, and a thread for the jobs."""

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from concertclean.errors import ConfigError
from concertclean.serve.guard import LOOPBACK, Guard
from concertclean.serve.routes import Desk, make_app
from concertclean.serve.tasks import work
from concertclean.serve.worker import Work, Worker
from concertclean.serve.workplace import Workplace

_LEAST_TOKEN: Final = 12  # characters of one that somebody chose; a random one has 32
_WAIT_SECONDS: Final = 3  # for requests that are open when the server is to end


@dataclass(frozen=True)
class ServeOptions:
    """How a page is served.

    Attributes:
        work: working folder.
        folder: of recordings to pick from, or None.
        host: name or address to listen on.
        port: 0 for any that is free.
        token: secret; None: a random one.
    """

    work: Path
    folder: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None


class PageServer:
    """A server that is ready to run.

    Args:
        options: how.
        work: does a job.

    Raises:
        ConfigError: the address cannot be used, or is open to others without a token that somebody chose.
        OutputError: another server works in the working folder, or it cannot be written.
        NoInputError: there is no such folder of recordings.

    Attributes:
        address: of the page, with the token.
        place: the working folder.
    """

    def __init__(self, options: ServeOptions, work: Work = work) -> None:
        _require_safe(options)
        token = options.token or secrets.token_urlsafe(24)
        self._socket = _listening(options.host, options.port)
        try:
            self.place = Workplace(options.work, options.folder)
        except BaseException:
            self._socket.close()
            raise
        self._worker = Worker(self.place, work)
        port = self._socket.getsockname()[1]
        host = f"[{options.host}]" if ":" in options.host else options.host
        self.origin = f"http://{host}:{port}"
        self.address = f"{self.origin}/?token={token}"
        desk = Desk(self.place, self._worker, is_local=options.host in LOOPBACK)
        guard = Guard(
            make_app(desk),
            token=token,
            host=options.host,
            port=port,
        )
        config = uvicorn.Config(
            guard, log_level="warning", ws="none", http="h11", loop="asyncio", lifespan="off", access_log=False,
            server_header=False, proxy_headers=False, timeout_graceful_shutdown=_WAIT_SECONDS,
        )  # fmt: skip
        self._server = uvicorn.Server(config)

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serves until `stop`, Ctrl-C or a request of the system to end.

        Args:
            ready: called when the page can be opened.
        """
        self._worker.start()
        try:
            ready()
            self._server.run(sockets=[self._socket])
        finally:
            self._worker.stop()
            self._socket.close()
            self.place.close()

    def stop(self) -> None:
        """Ends `run`, from another thread."""
        self._server.should_exit = True


def _require_safe(options: ServeOptions) -> None:
    """ConfigError where strangers could find the page without a token that somebody chose for it."""
    if options.token is not None and not (len(options.token) >= _LEAST_TOKEN and options.token.isascii()):
        raise ConfigError(f"token: must have {_LEAST_TOKEN} characters or more, plain ASCII; choose a longer one")
    if options.host not in LOOPBACK and options.token is None:
        raise ConfigError(
            f"host {options.host}: everyone on that network who knows the token can listen to the recordings, add and "
            "delete some, and nothing is encrypted; choose a token to confirm that, or leave the host out"
        )


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=64)
    except (OSError, UnicodeError, OverflowError) as error:
        fact = getattr(error, "strerror", None) or error
        raise ConfigError(f"{host}, port {port}: cannot listen there ({fact}); choose another port") from error
