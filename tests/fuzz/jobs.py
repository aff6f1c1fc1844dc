"""What the commands do with each kind of file, and what must be true afterwards, whatever is in the file."""

import io
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from concertclean.audio_io.reader import AudioReader
from concertclean.config.denoise import DenoiseSettings, read_settings
from concertclean.config.listening import read_listening_settings
from concertclean.config.training import read_recipe
from concertclean.corpora.open_corpus import corpus_files, read_corpus
from concertclean.dataset import check
from concertclean.dataset.fixed import has_fixed, read_fixed
from concertclean.dataset.store import Store, StoreWriter
from concertclean.errors import AudioFileError, ConcertCleanError, DeviceMemoryError, ModelError, UnexpectedError
from concertclean.report.comparison import Comparison, write_comparison
from concertclean.report.listening import write_listening_test
from concertclean.report.pairs import Pair
from concertclean.report.records import audio_stream_of, read_records, record_of, start_of
from concertclean.report.scores import read_results, screen, summarise
from concertclean.restore import execution
from concertclean.restore.analyse import analyse
from concertclean.restore.denoise import build_denoiser, plan
from concertclean.restore.denoise import check as check_recording
from concertclean.restore.scenes import Classifier, load_scenes
from concertclean.train.checkpoint import load_state
from concertclean.weights.cards import load_cards
from concertclean.weights.loading import load_model
from concertclean.weights.locating import locate_weights
from concertclean.weights.tf_checkpoint import convert_two_stage
from tests.fuzz.cases import Case

_BLOCK_SAMPLES: Final = 65_536
_ALSO_OF_LIBSNDFILE: Final = (".wav", ".flac", ".ogg", ".opus", ".mp3")
_ALWAYS: Final = {"device": "cpu", "threads": 1, "offline": True}


class WrongResultError(AssertionError):
    """Something that must never be."""


def run_case(case: Case, folder: Path) -> str:
    """Runs a case in an empty folder.

    Returns:
        Why the files are refused; "" if they are not.

    Raises:
        WrongResultError: a result is wrong, or something is left over.
        Exception: any that is not a `ConcertCleanError`.
    """
    out = folder / "out"
    out.mkdir()
    path, refusal = case.write(folder / "in"), ""
    try:
        expected = _JOBS[case.kind](case, path, out)
    except (UnexpectedError, DeviceMemoryError):
        raise
    except ConcertCleanError as error:
        expected, refusal = set(), str(error)
    _require_only(out, expected)
    _require_inputs(case, folder / "in")
    return refusal


def _require_only(out: Path, expected: set[Path]) -> None:
    """Complete files and nothing else."""
    found = {path for path in out.rglob("*") if path.is_file()}
    if found != expected:
        raise WrongResultError(
            f"in the folder of outputs: {sorted(map(str, found))}, expected {sorted(map(str, expected))}"
        )


def _require_inputs(case: Case, folder: Path) -> None:
    """Inputs are only read, but datasets that are continued."""
    for name, data in case.files.items():
        if case.kind != "dataset" and (folder / name).read_bytes() != data:
            raise WrongResultError(f"{name} was changed")


def _restore_recording(case: Case, path: Path, out: Path) -> set[Path]:
    """By one of the ways; see `Case`."""
    if case.way == "analysis":
        if not 0 <= max(analyse(path, _scenes()).probabilities.values(), default=1) <= 1:  # false for NaN
            raise WrongResultError("probabilities are not from 0 to 1")
        return set()
    if case.way == "stream":
        return _restored_stream(case, path, out)
    rate, n_samples = _delivered(path, case.settings.get("audio_stream"))
    outputs = _restored(case.settings, path, rate, n_samples, out=out)
    if (
        case.way == "page"
        and n_samples
        and not {"start_seconds", "duration_seconds", "audio_stream"} & case.settings.keys()
    ):
        try:
            _compare(path, out / f"{path.stem}_clean{min(outputs).suffix}", out, None)
        except AudioFileError as error:
            raise WrongResultError("no page of a recording and its own result") from error
        outputs.add(out / "page.html")
    return outputs


@cache
def _scenes() -> Classifier:
    return load_scenes(offline=True)


def _restored_stream(case: Case, path: Path, out: Path) -> set[Path]:
    """What `concertclean denoise - -o -` runs; the result is kept in a file to be looked at."""
    settings = read_settings(None, {**case.settings, **_ALWAYS, "removed": False, "format": "wav"})
    stream, result = io.BytesIO(path.read_bytes()), io.BytesIO()
    build_denoiser(settings).run(stream, result)
    (out / "result.wav").write_bytes(result.getvalue())
    rate, n_samples = _delivered(path, settings.audio_stream)
    _require_length(out / "result.wav", rate, _part(settings, rate, n_samples))
    return {out / "result.wav"}


def _compare(before: Path, after: Path, out: Path, record: dict[str, Any] | None) -> None:
    """Writes the page that compares two files."""
    failures = write_comparison(out / "page.html", [Comparison(Pair(before, after), record)])
    for _, error in failures:
        raise error


def _delivered(path: Path, audio_stream: int | None = None) -> tuple[int, int]:
    """Hz, and samples that the reader finds, every one of them finite."""
    with AudioReader(path, audio_stream=audio_stream) as reader:
        n_samples = 0
        for block in reader.blocks(_BLOCK_SAMPLES):
            if block.shape[0] != reader.info.channels or not np.isfinite(block).all():
                raise WrongResultError(
                    f"{path}: a block of shape {block.shape}, {reader.info.channels} channels, or not finite"
                )
            n_samples += block.shape[1]
        return reader.info.sample_rate, n_samples


def _restored(chosen: dict[str, Any], path: Path, rate: int, n_samples: int, out: Path) -> set[Path]:
    """Runs what `concertclean denoise` runs; checks and returns the outputs."""
    settings = read_settings(None, {**chosen, **_ALWAYS})
    jobs = plan([str(path)], out, settings, recursive=False)
    work = execution.Work(
        lambda: build_denoiser(settings),
        overwrite=False,
        skip_existing=False,
        check=lambda source: check_recording(source, settings),
    )
    (outcome,) = execution.run(jobs, work, execution.Serial())
    if outcome.error is not None:
        raise outcome.error
    outputs = {each for each in (outcome.job.target, outcome.job.removed) if each is not None}
    for output in outputs:
        _require_length(output, rate, _part(settings, rate, n_samples))
    return outputs


def _part(settings: DenoiseSettings, rate: int, n_samples: int) -> int:
    """Samples of the part that is restored."""
    left = n_samples - round(settings.start_seconds * rate)
    return left if settings.duration_seconds is None else min(left, round(settings.duration_seconds * rate))


def _require_length(output: Path, rate: int, n_samples: int) -> None:
    """An output can be read again and is exactly as long; after resampling, as near as rounding allows."""
    try:
        found_rate, found = _delivered(output)
    except ConcertCleanError as error:
        if n_samples == 0:
            return  # some formats cannot hold nothing, which their reader then reports
        raise WrongResultError(f"{output}: cannot be read back ({error})") from error
    # libsndfile takes no samples in FLAC for an unknown number of them.
    if n_samples and output.suffix in _ALSO_OF_LIBSNDFILE and (other := soundfile.info(output).frames) != found:
        raise WrongResultError(f"{output}: {found} samples, {other} for libsndfile")
    tolerance = 0 if found_rate == rate else 1
    if abs(found - n_samples * found_rate / rate) > tolerance:
        raise WrongResultError(
            f"{output}: {found} samples at {found_rate} Hz, the recording has {n_samples} at {rate} Hz"
        )


def _restore_with_noise(case: Case, path: Path, out: Path) -> set[Path]:
    chosen = {**case.settings, "model": "lsa", "format": "wav", "noise_profile": str(path)}
    return _restored(chosen, *_good_recording(path), out=out)


def _restore_with_weights(case: Case, path: Path, out: Path) -> set[Path]:
    load_model(path)
    return _restored({**case.settings, "model": str(path), "format": "wav"}, *_good_recording(path), out=out)


def _good_recording(path: Path) -> tuple[Path, int, int]:
    """A recording beside an input: path, Hz, samples."""
    recording = path.parent / "recording.wav"
    samples = np.random.default_rng(0).uniform(-0.2, 0.2, (4000, 2))
    soundfile.write(recording, samples, 8000)
    return recording, 8000, len(samples)


def _import_checkpoint(_: Case, path: Path, out: Path) -> set[Path]:
    convert_two_stage(path if path.suffix == ".zip" else path.parent, out / "imported.safetensors")
    load_model(out / "imported.safetensors")
    return {out / "imported.safetensors"}


def _resume(_: Case, path: Path, __: Path) -> set[Path]:
    load_state(path.parent, "none")
    return set()


def _use_dataset(_: Case, path: Path, __: Path) -> set[Path]:
    """Checks a dataset, reads its mixtures and adds to it."""
    folder = next(parent for parent in path.parents if parent.name == "data")
    store = Store(folder)
    check.stock(store)
    list(check.faults(store))
    if has_fixed(store, "validation"):
        list(read_fixed(store, "validation"))
    facts = {"role": "clean", "split": "validation", "group": "g", "licence": "CC0", "title": "t", "category": ""}
    with StoreWriter(folder, store.header) as writer:
        samples = np.ones((100, store.header.channels), np.int16)
        zeros = {"gain_db": 0.0, "silent_seconds": 0.0, "clipped_seconds": 0.0}
        added = writer.append(samples, name="added", pieces=(100,), sha256="b", **facts, **zeros)
    if not (Store(folder).samples(added) == samples).all():
        raise WrongResultError("what was added to a dataset cannot be read back")
    return set()


def _read_settings_file(_: Case, path: Path, __: Path) -> set[Path]:
    read_settings(path, {})
    return set()


def _read_cards(_: Case, path: Path, __: Path) -> set[Path]:
    os.environ["CONCERTCLEAN_CONFIG_DIR"] = str(path.parent)
    try:
        for name in load_cards():
            with suppress(ModelError):  # most are not here
                locate_weights(name, offline=True)
    finally:
        os.environ["CONCERTCLEAN_CONFIG_DIR"] = str(path.parent / "none")
    return set()


def _build_listening_test(_: Case, path: Path, out: Path) -> set[Path]:
    write_listening_test(out / "page.html", read_listening_settings(path))
    return {out / "page.html"}


def _score_listening_test(_: Case, path: Path, __: Path) -> set[Path]:
    ratings, _screened = screen(read_results([path]))
    summarise(ratings)
    return set()


def _read_log(_: Case, path: Path, out: Path) -> set[Path]:
    records = read_records(path)
    record = record_of(Path("x_clean.wav"), records)
    start_of(record)
    audio_stream_of(record)
    _compare(path.parent / "reference.wav", path.parent / "condition.wav", out, record)
    return {out / "page.html"}


def _read_corpus(_: Case, path: Path, __: Path) -> set[Path]:
    corpus_files(read_corpus(path), path.parent)
    return set()


def _read_recipe(_: Case, path: Path, __: Path) -> set[Path]:
    read_recipe(path, [])
    return set()


_JOBS: Final[dict[str, Callable[[Case, Path, Path], set[Path]]]] = {
    "recording": _restore_recording,
    "noise": _restore_with_noise,
    "weights": _restore_with_weights,
    "checkpoint": _import_checkpoint,
    "state": _resume,
    "dataset": _use_dataset,
    "settings": _read_settings_file,
    "cards": _read_cards,
    "listening": _build_listening_test,
    "results": _score_listening_test,
    "log": _read_log,
    "corpus": _read_corpus,
    "recipe": _read_recipe,
}
