"""Weights from the Hugging Face hub, through its own client and into its own cache."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from concertclean import __version__
from concertclean.errors import ModelError, OfflineError
from concertclean.files.download import Progress, probe, too_large


def fetch_from_hub(
    repo_id: str,
    filename: str,
    revision: str,
    *,
    size_bytes: int | None = None,
    progress: Progress | None = None,
    patience: float = 1.0,
) -> Path:
    """Return a file of a Hugging Face repository, fetched into the hub's own cache.

    Args:
        repo_id: owner and name.
        filename: path inside the repository.
        revision: full commit.
        size_bytes: of the file; nothing beyond it is read. None: any.
        progress: called with bytes so far and all bytes, or None where the server does not say.
        patience: share of `connect_seconds()` to wait for a connection.

    Returns:
        The cached file, its hash not yet checked.

    Raises:
        OfflineError: nobody answers at $HF_ENDPOINT, by default huggingface.co.
        ModelError: the hub refuses, or the transfer breaks off.
    """
    probe(endpoint := hub_endpoint(), patience=patience)
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        path = hf_hub_download(
            repo_id,
            filename,
            revision=revision,
            endpoint=endpoint,
            tqdm_class=_progress_bar(progress, f"{endpoint}/{repo_id}/{filename}", size_bytes),
            library_name="concertclean",
            library_version=__version__,
        )
    except client_errors() as error:
        # The client reports "not found here" for refusals and for silence alike; the cause distinguishes them.
        cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else error
        if cause is not error and not isinstance(cause, HfHubHTTPError | FileMetadataError):
            raise OfflineError(f"no network: {endpoint} does not answer ({reason(cause or error)})") from error
        raise ModelError(
            f"{endpoint}/{repo_id}: {filename} could not be fetched ({reason(cause or error)}); "
            "nothing is kept, try again"
        ) from error
    return Path(path)


def hub_endpoint() -> str:
    """Return the hub's address: $HF_ENDPOINT, by default huggingface.co."""
    # Read here and not from the client, which looks at the variable once, when it is imported.
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def client_errors() -> tuple[type[Exception], ...]:
    """Return errors of the hub's client and of whichever HTTP library this version of it is built on."""
    found = [getattr(sys.modules.get(name), "HTTPError", None) for name in ("httpx2", "httpx")]
    # Errors of the client itself are OSErrors or ValueErrors.
    return (OSError, ValueError, *(error for error in found if error is not None))


def reason(error: BaseException) -> str:
    """Return the first line of what an error says, or its name."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _progress_bar(progress: Progress | None, url: str, size_bytes: int | None) -> type:
    """A class that replaces the progress bar of the client: it reports to a callback and ends an endless transfer."""

    class CallbackBar:
        def __init__(self, *_: object, total: int | None = None, initial: int = 0, **__: object) -> None:
            self.n, self.total = initial, total
            self._check(max(initial, total or 0))

        def _check(self, n: int) -> None:
            if size_bytes is not None and n > size_bytes:
                raise too_large(url, size_bytes)

        def update(self, n: float | None = 1) -> None:
            self.n += int(n or 0)
            self._check(self.n)
            if progress:
                progress(self.n, self.total)

        def close(self) -> None:
            pass

        def __enter__(self) -> Self:
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            self.close()

    return CallbackBar
