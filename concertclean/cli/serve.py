"""`concertclean serve`: a page for people on this machine."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from concertclean.cli import console
from concertclean.errors import ConfigError


def serve(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 8734,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Recordings to pick from, besides what is dropped on the page.")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where jobs and results are kept.  \\[default: in the user's data]"),
    ] = None,
    host: Annotated[str, typer.Option(help="Another address than this machine's own needs --token.")] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(help="Secret of the address, 12 characters or more.  \\[default: random]")
    ] = None,
) -> None:
    """Serves a page: drop a recording, hear before and after, choose how much to remove, save.

    Only this machine can open it, and nothing is sent anywhere. Ctrl-C ends it; unfinished jobs go on the next time.
    """
    try:
        from concertclean.serve.server import PageServer, ServeOptions
    except ModuleNotFoundError as error:
        if error.name not in {"starlette", "uvicorn", "anyio"}:
            raise
        raise ConfigError("the page needs starlette and uvicorn; pip install 'concertclean[serve]'") from error
    import platformdirs

    kept = work or platformdirs.user_data_path("concertclean") / "serve"
    server = PageServer(ServeOptions(kept, folder, host, port, token))
    for name in server.place.damaged:
        console.note(f"{kept / 'jobs' / name}: is no job that can be read; it was left as it is")

    def ready() -> None:
        console.say(server.address)
        console.note(f"Open this address in a browser. Results go to {kept / 'results'}. Ctrl-C ends the server.")
        if open_page:
            typer.launch(server.address)

    with console.ending_on_signals(), suppress(KeyboardInterrupt):  # the usual way to end it
        server.run(ready)
