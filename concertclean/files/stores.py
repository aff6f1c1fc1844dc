"""Which program talks to which store, and how: through fsspec, which no other module loads."""

from typing import Any, Final

from concertclean.errors import ConfigError
from concertclean.files.places import Url

_INSTALL: Final = "pip install 'concertclean[cloud]'"
_CONNECT_SECONDS: Final = 30.0
_SILENCE_SECONDS: Final = 60.0
_SSH: Final = frozenset({"sftp", "ssh"})


def store_of(url: Url) -> tuple[Any, str]:
    """The store of a file, as fsspec's file system, and the name of the file in it.

    Raises:
        ConfigError: such a store is unknown, or what talks to it is not installed.
    """
    try:
        from fsspec.core import url_to_fs
        from fsspec.registry import get_filesystem_class

        get_filesystem_class(url.scheme)  # imports what it needs
    except ImportError as error:
        raise ConfigError(f"{url}: cannot be opened here ({error}); {_INSTALL}") from error
    except ValueError as error:
        raise ConfigError(f"{url}: {url.scheme}:// is not known; use s3://, gs://, sftp:// or https://") from error
    store, path = url_to_fs(url.address, **_options(url))
    return store, str(path)


def _options(url: Url) -> dict[str, Any]:
    """What fsspec leaves out by itself."""
    if url.is_web:
        from aiohttp import ClientTimeout

        # Proxies and .netrc count; a long recording may take its time, as long as it moves.
        waiting = ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS)
        return {"client_kwargs": {"trust_env": True, "timeout": waiting}}
    if url.scheme in _SSH:
        from concertclean.files.known_hosts import KnownHosts

        return {"host_key_policy": KnownHosts}
    return {}
