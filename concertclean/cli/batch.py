"""`concertclean batch`: what manifests of batches say, and joining those of shards."""

import json
from pathlib import Path
from typing import Annotated

import typer

from concertclean.cli import console
from concertclean.config.times import in_words

app = typer.Typer(no_args_is_help=True, help="Looks at the manifests of batches, and joins those of shards.")


@app.command()
def status(
    manifest: Annotated[Path, typer.Argument(help="From denoise --manifest.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prints how far a batch is, and what failed."""
    from concertclean.restore.manifest import summary

    found = summary(manifest)
    if as_json:
        failed = [{"input": name, "error": error} for name, error in found.failed]
        facts = {"seconds": found.seconds, "elapsed_seconds": found.elapsed_seconds}
        console.say(json.dumps({"counts": found.counts, **facts, "failed": failed}, indent=2))
        return
    counts = found.counts
    parts = [f"{counts.get('done', 0)} restored", f"{counts.get('failed', 0)} failed"]
    if counts.get("started"):
        parts.append(f"{counts['started']} at work or interrupted")
    console.say(f"{', '.join(parts)}; {in_words(found.seconds)} of audio in {in_words(found.elapsed_seconds)} of work")
    for name, error in found.failed:
        console.say(error if name in error else f"{name}: {error}")


@app.command()
def merge(
    manifests: Annotated[list[Path], typer.Argument(help="Manifests of shards.", show_default=False)],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The joined manifest; replaced if it exists.")],
) -> None:
    """Joins manifests; a recording that is done in one of them is done."""
    from concertclean.restore.manifest import merge as join

    console.note(f"{join(manifests, output)} recordings in {output}")
