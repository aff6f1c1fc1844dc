"""`concertclean debleed`: the tracks of a band that was recorded at once, with less of each other in them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from concertclean.cli import console, options
from concertclean.cli.bars import bars

if TYPE_CHECKING:
    from concertclean.bleed.run import Debled, Track


def debleed(
    inputs: Annotated[
        list[str],
        Argument(help="Tracks of one recording: same length, rate and channels; files, a folder or a pattern."),
    ],
    *,
    output: Annotated[
        Path | None,
        Option("-o", "--output", help="Folder. \\[default: NAME_clean.wav beside]", rich_help_panel=options.OUTPUT),
    ] = None,
    model: Annotated[
        str,
        Option(
            help="auto, linear or tunet (bleed without delay), kamir, mira or fastmira (delays and rooms), cae (each "
            "track by its name), or a weights file.",
            rich_help_panel=options.RESTORING,
        ),
    ] = "auto",
    format: options.OutputFormat = None,
    bit_depth: options.BitDepth = None,
    clip: Annotated[
        str | None,
        Option(
            help="rescale (all tracks alike), limit or warn, where a result exceeds full scale. \\[default: rescale]",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    removed: options.Removed = False,
    device: options.Device = None,
    threads: options.Threads = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Reduces bleed: what each microphone picks up of the other instruments.

    One file a microphone goes in and comes out, NAME_clean.wav; stem k is what belongs to track k. Nothing is
    overwritten without --overwrite.
    """
    from concertclean.bleed.run import CLIP, plan_tracks
    from concertclean.bleed.run import debleed as reduce
    from concertclean.config.denoise import read_settings

    given = {
        "format": format, "bit_depth": bit_depth, "clip": clip or CLIP, "removed": removed or None, "device": device,
        "threads": threads,
    }  # fmt: skip
    settings = read_settings(None, given)
    tracks = plan_tracks(inputs, output, settings)
    with console.ending_on_signals(), bars(quiet=quiet or no_progress) as progress:
        done = reduce(tracks, model, settings, overwrite=overwrite, progress=progress)
    if as_json:
        console.say(json.dumps(_record(tracks, done), indent=2))
    if not quiet:
        _show(tracks, done)


def _show(tracks: "list[Track]", done: "Debled") -> None:
    """The result of each track."""
    for track, reduction in zip(tracks, done.reduction_db, strict=True):
        console.note(f"{track.source} -> {track.target}, {reduction:.1f} dB lower on average")
    speed = done.seconds / done.elapsed_seconds if done.elapsed_seconds else 0.0
    console.note(f"{done.method}: {done.seconds:.1f} s in {done.elapsed_seconds:.1f} s ({speed:.1f}x real time)")
    for remark in done.remarks:
        console.note(f"  {remark}")


def _record(tracks: "list[Track]", done: "Debled") -> dict[str, object]:
    """The result as JSON."""
    return {
        "method": done.method,
        "duration_seconds": done.seconds,
        "elapsed_seconds": done.elapsed_seconds,
        "remarks": list(done.remarks),
        "tracks": [
            {
                "input": str(track.source),
                "output": str(track.target),
                "removed": None if track.removed is None else str(track.removed),
                "reduction_db": reduction,
            }
            for track, reduction in zip(tracks, done.reduction_db, strict=True)
        ],
    }
