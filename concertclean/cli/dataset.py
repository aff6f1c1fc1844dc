"""`concertclean dataset`: from recordings to what a network is trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from concertclean.cli import console
from concertclean.cli.bars import bars
from concertclean.cli.dataset_build import build
from concertclean.cli.times import METAVAR, time_parser
from concertclean.errors import ConcertCleanError, foreseen
from concertclean.files.places import local

if TYPE_CHECKING:
    from concertclean.corpora.fetch import PackageReport
    from concertclean.dataset.extract import Extract

app = typer.Typer(
    name="dataset",
    help="Fetch, build, check and listen to what a network is trained on.",
    no_args_is_help=True,
)

_Folder = Annotated[Path, typer.Argument(help="Folder of the dataset.")]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Errors only.")]
app.command()(build)


@app.command()
def check(folder: _Folder, *, quiet: _Quiet = False) -> None:
    """Name every item that is broken, silent, clipped, duplicated, or leaks from one side to another."""
    from concertclean.dataset.check import faults
    from concertclean.dataset.store import Store

    store = Store(folder)
    with bars(quiet=quiet) as progress:
        found = list(faults(store, lambda done, total: progress("items", done, total)))
    for fault in found:
        console.say(f"{fault.kind}\t{fault.name}\t{fault.reason}")
    if found:
        raise typer.Exit(console.SOME_FAILED)
    if not quiet:
        console.note(f"{len(store.entries)} items, nothing wrong")


@app.command()
def stats(folder: _Folder, *, as_json: Annotated[bool, typer.Option("--json", help="JSON.")] = False) -> None:
    """Show how much there is of what, on which side, under which licence."""
    import json
    from dataclasses import asdict

    from concertclean.dataset.check import stock
    from concertclean.dataset.store import Store

    stocks = stock(Store(folder))
    if as_json:
        console.say(json.dumps([asdict(one) for one in stocks], indent=2, ensure_ascii=False))
        return
    table = Table(box=None)
    for heading in ("role", "side", "items", "groups", "minutes", "licences", "kinds"):
        table.add_column(heading, no_wrap=heading not in ("licences", "kinds"))
    for one in stocks:
        facts = (one.role, one.split, str(one.n_items), str(one.n_groups), f"{one.seconds / 60:.1f}")
        table.add_row(*facts, _counts(one.licences), _counts(one.categories))
    console.show(table)


@app.command()
def listen(
    folder: _Folder,
    output: Annotated[Path, typer.Argument(help="Folder for the WAV files.")],
    *,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Training settings whose mixing law is used.")
    ] = None,
    items: Annotated[int, typer.Option("--items", "-n", min=1, help="How many.")] = 6,
    seconds: Annotated[float, typer.Option(parser=time_parser(0.1), metavar=METAVAR, help="Length of each.")] = 6.0,
    seed: Annotated[int, typer.Option(help="Of the items.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Write a handful of training mixtures, degraded and clean, as WAV files."""
    from concertclean.audio_io.whole import write_waveform
    from concertclean.config.mixing import MixingLaw
    from concertclean.config.training import read_training_settings
    from concertclean.dataset.mixing import Mixer
    from concertclean.dataset.store import Store

    store = Store(folder)
    if config is not None:
        law = read_training_settings(config, []).mixing
    else:
        law = MixingLaw.model_validate({"task": store.header.task, "snr_db": (-5.0, 15.0)})
    mixer = Mixer(store, law, "train", seed)
    rate = store.header.sample_rate
    for number in range(items):
        item = mixer.item(number, round(seconds * rate))
        for kind, waveform in (("degraded", item.degraded), ("clean", item.clean)):
            path = output / f"{number:02d}_{kind}.wav"
            write_waveform(path, waveform, rate, overwrite=overwrite)
        console.say(f"{output / f'{number:02d}'}\t{item.description}")


@app.command()
def fetch(
    corpus: Annotated[Path, typer.Argument(help="List of packages and files, as recipes/open-corpus.toml.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the audio.")],
    *,
    debs: Annotated[
        Path | None, typer.Option(help="Folder of .deb files fetched by hand, where there is no apt-get.")
    ] = None,
    quiet: _Quiet = False,
) -> None:
    """Fetch the freely licensed audio that the shipped weights are trained on; run again to go on."""
    from concertclean.corpora.fetch import fetch as fetch_corpus
    from concertclean.corpora.open_corpus import read_corpus

    listed = read_corpus(corpus)
    with console.ending_on_signals(), bars(quiet=quiet) as progress:
        report = fetch_corpus(listed, output, progress, debs=debs)
    for package in report.packages:
        _tell_package(package)
    if report.n_missing:
        raise typer.Exit(console.SOME_FAILED)


@app.command("extract-noise")
def extract_noise(
    recordings: Annotated[list[str], typer.Argument(help="Transfers of discs or tapes: files, folders, patterns.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the WAV files.")],
    *,
    model: Annotated[str, typer.Option(help="Classifier: a model or a weights file.")] = "noise-detector",
    least_seconds: Annotated[
        float, typer.Option(parser=time_parser(0.1), metavar=METAVAR, help="Shorter stretches do not count.")
    ] = 2.0,
    most: Annotated[int | None, typer.Option(min=1, help="Only so many of each recording, the longest.")] = None,
    guesses: Annotated[
        bool, typer.Option("--guesses", help="Where no noise is recognised, take the quietest parts.")
    ] = False,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Folders inside folders too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    quiet: _Quiet = False,
) -> None:
    """Cut out where recordings hold nothing but noise: run-in, run-out, pauses; as noise for `dataset build`.

    One line a file, the longest stretch of each recording first: file, start, end, probability. A recording that cannot
    be read is reported; the rest go on.
    """
    from concertclean.dataset.extract import extract_noise as extract
    from concertclean.restore.recordings import find_recordings
    from concertclean.weights.loading import load_noise_detector

    detector = load_noise_detector(model)
    extracts: list[tuple[Path, Extract]] = []
    failures: list[ConcertCleanError] = []
    found = find_recordings(recordings, recursive=recursive, unreadable=failures.append)
    with console.ending_on_signals(), bars(quiet=quiet) as progress:
        for number, (recording, root) in enumerate([(local(one), local(root)) for one, root in found], start=1):
            folder = output / recording.parent.relative_to(root)
            options = {"least_seconds": least_seconds, "most": most, "guesses": guesses, "overwrite": overwrite}
            try:
                with foreseen(recording):
                    written = extract(recording, folder, detector, **options)  # type: ignore[arg-type]
            except ConcertCleanError as error:
                failures.append(error)
            else:
                extracts += [(recording, one) for one in written]
                if not written and not quiet:
                    console.note(f"{recording}: no noise alone" + ("" if guesses else "; --guesses takes the quietest"))
            progress("recordings", number, len(found))
    _tell_extracts(extracts, as_json=as_json)
    for failure in failures:
        console.complain(failure)
    if failures:
        raise typer.Exit(console.SOME_FAILED)


def _tell_package(package: "PackageReport") -> None:
    """A line about a package that was fetched."""
    licences = ", ".join(package.licences)
    n_wanted = len(package.found) + len(package.missing)
    console.say(f"{package.name}\t{len(package.found)} of {n_wanted}\t{licences}")
    if package.missing:
        shown = ", ".join(package.missing[:3]) + (", ..." if len(package.missing) > 3 else "")
        console.note(f"{package.name}: missing {shown}; {package.reason}")


def _tell_extracts(extracts: "list[tuple[Path, Extract]]", *, as_json: bool) -> None:
    """A line, or a record, about each stretch of noise that was cut out of a recording."""
    import json

    records = [
        {
            "path": str(one.path),
            "recording": str(recording),
            "start_seconds": round(one.stretch.start_seconds, 3),
            "end_seconds": round(one.stretch.end_seconds, 3),
            "probability": round(one.stretch.probability, 3),
            "is_guess": one.stretch.is_guess,
        }
        for recording, one in extracts
    ]
    if as_json:
        console.say(json.dumps(records, indent=2, ensure_ascii=False))
        return
    for record in records:
        certainty = "guess" if record["is_guess"] else f"{record['probability']:.2f}"
        console.say(f"{record['path']}\t{record['start_seconds']}\t{record['end_seconds']}\t{certainty}")


def _counts(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items())
