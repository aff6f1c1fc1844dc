"""`concertclean analyse`: what is wrong with recordings, and which stages would mend it."""

from typing import TYPE_CHECKING, Annotated

import typer

from concertclean.cli import console
from concertclean.errors import ConcertCleanError, foreseen
from concertclean.files.places import Place

if TYPE_CHECKING:
    from concertclean.restore.analyse import Diagnosis


def analyse(
    inputs: Annotated[list[str], typer.Argument(help="Recordings, folders or patterns.", show_default=False)],
    *,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders inside folders too.")] = False,
    detector: Annotated[str, typer.Option(help="Classifier: a model or a weights file.")] = "scenes",
    as_json: Annotated[bool, typer.Option("--json", help="JSON.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Shows what is wrong with recordings: crowd, disc, clicks, hum, hiss, bandwidth; and what would mend it."""
    import json

    from concertclean.cli.bars import bars
    from concertclean.restore.analyse import analyse as diagnose
    from concertclean.restore.recordings import find_recordings
    from concertclean.restore.scenes import load_scenes

    classifier = load_scenes(detector)
    results: list[tuple[Place, Diagnosis]] = []
    failures: list[ConcertCleanError] = []
    found = find_recordings(inputs, recursive=recursive, unreadable=failures.append)
    n_wanted = len(found) + len(failures)
    with console.ending_on_signals(), bars(quiet=quiet) as progress:
        progress("recordings", 0, len(found))
        for number, (path, _) in enumerate(found, start=1):
            try:
                with foreseen(path):
                    results.append((path, diagnose(path, classifier)))
            except ConcertCleanError as error:
                failures.append(error)
            progress("recordings", number, len(found))
    if as_json:
        console.say(json.dumps([diagnosis.record(str(path)) for path, diagnosis in results], indent=2))
    else:
        for path, diagnosis in results:
            _print(str(path), diagnosis)
    for failure in failures:
        console.complain(failure)
    if failures:
        raise typer.Exit(console.SOME_FAILED if n_wanted > 1 else console.exit_code(failures[0]))


def in_words(diagnosis: "Diagnosis") -> str:
    """The scene and how sure it is, in a few words."""
    if not diagnosis.probabilities:
        return diagnosis.scene
    share = f"{100 * diagnosis.probabilities[diagnosis.scene]:.0f} %"
    return f"{diagnosis.scene} ({share}{', doubtful' if diagnosis.is_doubtful else ''})"


def _print(path: str, diagnosis: "Diagnosis") -> None:
    """A recording as a person reads it."""
    measured = diagnosis.measured
    hum = "none" if diagnosis.hum_hz is None else f"{diagnosis.hum_hz:.1f} Hz, {diagnosis.hum_partials} partials"
    lines = {
        "scene": in_words(diagnosis),
        "clicks": f"{diagnosis.clicks_per_second:.1f} a second",
        "hum": hum,
        "hiss": f"{measured.hiss_db:.0f} dB in the quietest tenth, 4 to 12 kHz, below the loud parts",
        "rumble": f"{measured.rumble_db:.0f} dB there, 4 to 40 Hz",
        "bandwidth": f"{measured.bandwidth_hz / 1000:.1f} kHz",
        "clipped": f"{100 * measured.clipped_share:.3f} % of the samples",
        "channels": measured.channels,
        "proposed": f"--model {diagnosis.model}" if diagnosis.model else "leave it alone",
        "because": diagnosis.reason,
    }
    console.say(path)
    for name, value in lines.items():
        console.say(f"  {name:<10} {value}")
