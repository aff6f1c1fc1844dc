"""Corpora on disk, as sources.

Each reader knows one layout: the role, the artist and the split of each file. A table lists the readers, and a folder
is recognised by the files that only its layout has.
"""

import ast
import csv
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final, cast, get_args

from concertclean.audio_io.formats import AUDIO_EXTENSIONS
from concertclean.corpora.open_corpus import OPEN_CORPUS, Task, corpus_files, read_corpus
from concertclean.corpora.sources import Source, Split, audio_files
from concertclean.errors import ConfigError
from concertclean.files.names import inside

_AUDIENCE: Final = frozenset(
    {"clapping", "laughing", "coughing", "sneezing", "crying_baby", "footsteps", "can_opening", "fireworks"}
)
_ESC_CATEGORIES: Final[dict[str, frozenset[str]]] = {
    "concert": _AUDIENCE,
    "reverb": _AUDIENCE,
    # Crackle, ticks, hiss and motors: what a worn disc on an old machine sounds like.
    "gramophone": frozenset(
        {"rain", "crackling_fire", "clock_tick", "vacuum_cleaner", "washing_machine", "wind", "sea_waves"}
    ),
}
_ESC_SPLITS: Final[dict[str, Split]] = {"4": "validation", "5": "test"}
_SPLIT_WORDS: Final[dict[str, Split]] = {
    "train": "train", "val": "validation", "valid": "validation", "validation": "validation", "test": "test",
}  # fmt: skip


def corpus_sources(kind: str, folder: Path, task: str) -> list[Source]:
    """The sources of a corpus with a known layout.

    Args:
        kind: "musdb18hq", "musicnet", "gramophone-noise", "esc50", "esc10" or "open-corpus".
        folder: where it was unpacked.
        task: "concert", "gramophone" or "reverb"; decides which noises are used.

    Returns:
        Sources in the order of their names, with splits if the corpus has them.

    Raises:
        ConfigError: the kind or task is unknown, or the folder contains something else.
    """
    if kind not in _READERS:
        raise ConfigError(f"unknown corpus {kind!r}; choose from {', '.join(_READERS)}")
    if task not in get_args(Task):
        raise ConfigError(f"unknown task {task!r}; choose from {', '.join(get_args(Task))}")
    return _READERS[kind](folder, cast(Task, task))


def detect_corpus(folder: Path) -> str | None:
    """Kind of corpus in a folder, recognised by the files that only this kind has.

    Args:
        folder: any.

    Returns:
        A kind that `corpus_sources` takes, or None.
    """
    marks = {
        OPEN_CORPUS: "open-corpus",
        "meta/esc50.csv": "esc50",
        "musicnet_metadata.csv": "musicnet",
        "train/*/mixture.wav": "musdb18hq",
        "test/*/mixture.wav": "musdb18hq",
        "train/*.stem.mp4": "musdb18hq",
        "test/*.stem.mp4": "musdb18hq",
    }
    for mark, kind in marks.items():
        if any(folder.glob(mark)):
            return kind
    try:
        with (folder / "info.csv").open(encoding="utf-8-sig") as file:
            return "gramophone-noise" if "largest_segment" in file.readline() else None
    except (OSError, UnicodeDecodeError):
        return None


def _table(path: Path, columns: tuple[str, ...], cure: str) -> list[dict[str, str]]:
    """Rows of a CSV file that has the given columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            absent = [column for column in columns if column not in (reader.fieldnames or ())]
            rows = [{key: value or "" for key, value in row.items() if key} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: missing, or cannot be read ({error}); {cure}") from error
    if absent:
        raise ConfigError(f"{path}: has no column {', '.join(absent)}; {cure}")
    return rows


def _musdb(folder: Path, task: Task) -> list[Source]:
    """MUSDB18-HQ: train/ARTIST - TITLE/mixture.wav and test/..., or MUSDB18: train/ARTIST - TITLE.stem.mp4.

    The mixtures, the first stream of a stem file, are the clean music. A part of train becomes validation later;
    artists that are also in test (there are some) move there completely.

    References:
        Rafii, Liutkus, Stöter, Mimilakis, Bittner, MUSDB18-HQ, 2019, doi:10.5281/zenodo.3338373; sigsep.github.io.
    """
    kinds = ("*/mixture.wav", "*.stem.mp4")
    songs = sorted(path for side in ("test", "train") for kind in kinds for path in folder.glob(f"{side}/{kind}"))
    if not songs:
        raise ConfigError(
            f"{folder}: no train/SONG/mixture.wav or train/SONG.stem.mp4, and none in test; unpack musdb18hq.zip or "
            "musdb18.zip there"
        )
    return [
        Source(
            path=path,
            name=f"musdb18hq/{path.relative_to(folder).as_posix()}",
            role="clean",
            group=title.partition(" - ")[0].strip().casefold(),
            split="test" if path.relative_to(folder).parts[0] == "test" else None,
            licence="MUSDB18: research only, mostly CC-BY-NC-SA-4.0",
            title=title,
        )
        for path, title in ((path, path.relative_to(folder).parts[1].removesuffix(".stem.mp4")) for path in songs)
    ]


def _musicnet(folder: Path, task: Task) -> list[Source]:
    """MusicNet: musicnet_metadata.csv; train_data/ID.wav and test_data/ID.wav beside it or in the folder musicnet.

    Movements of one composition stay together, whoever performs them.

    References:
        Thickstun, Harchaoui, Kakade, Learning features of music from scratch, ICLR 2017, doi:10.5281/zenodo.5120004.
    """
    cure = "unpack musicnet.tar.gz there and put musicnet_metadata.csv beside it"
    table = folder / "musicnet_metadata.csv"
    rows = _table(table, ("id", "composer", "composition"), cure)
    pieces = {row["id"].strip(): f"{row['composer']}: {row['composition']}" for row in rows}
    root = folder / "musicnet" if os.path.isdir(folder / "musicnet") else folder
    paths = [path for side in ("test", "train") for path in sorted(root.glob(f"{side}_data/*.wav"))]
    if not paths:
        raise ConfigError(f"{root}: no train_data/*.wav and no test_data/*.wav in it; {cure}")
    return [
        Source(
            path=path,
            name=f"musicnet/{path.relative_to(root).as_posix()}",
            role="clean",
            group=pieces.get(path.stem, f"musicnet {path.stem}"),
            split="test" if path.parent.name == "test_data" else None,
            licence="CC-BY-4.0",
            title=pieces.get(path.stem, path.stem),
        )
        for path in paths
    ]


def _gramophone_noise(folder: Path, task: Task) -> list[Source]:
    """Gramophone Record Noise Dataset: info.csv with the segments of each recording, and wav files.

    A segment is named with or without ".wav" and found in any folder; one with the recording's own name has priority.

    References:
        Moliner, Välimäki, A two-stage U-Net for high-fidelity denoising of historical recordings, ICASSP 2022.
    """
    cure = "unpack Gramophone_Record_Noise_Dataset.zip there, as it is"
    rows = _table(folder / "info.csv", ("recording", "segments", "split"), cure)
    files = _by_last_parts(folder)
    sources = []
    for row in rows:
        recording = row["recording"].strip()
        for segment in _segments(row["segments"], folder / "info.csv", recording):
            near, anywhere = files.get(f"{_stem(recording)}/{segment}", []), files.get(segment, [])
            for path in near[:1] or (anywhere if len(anywhere) == 1 else []):
                sources.append(
                    Source(
                        path=path,
                        name=f"gramophone-noise/{path.relative_to(folder).as_posix()}",
                        role="noise",
                        group=recording,
                        split=_SPLIT_WORDS.get(row["split"].strip().lower()),
                        title=f"{recording} {segment}",
                        category="gramophone",
                    )
                )
    if not sources:
        raise ConfigError(f"{folder}: none of the segments in info.csv was found; {cure}")
    return list({source.name: source for source in sources}.values())


def _by_last_parts(folder: Path) -> dict[str, list[Path]]:
    """Audio files by their name and by each longer ending of their path, all without extension."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in audio_files(folder):
        parts = PurePosixPath(_stem(path.relative_to(folder).as_posix())).parts
        for first in range(len(parts)):
            found["/".join(parts[first:])].append(path)
    return found


def _segments(text: str, table: Path, recording: str) -> Iterator[str]:
    """Names in a list in Python syntax."""
    try:
        names = ast.literal_eval(text.strip() or "[]")
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ConfigError(
            f"{table}: segments of {recording} are not a list ({error}); unpack the archive again"
        ) from error
    yield from (_stem(str(name)) for name in (names if isinstance(names, list | tuple) else [names]))


def _stem(name: str) -> str:
    """A name without an audio extension; other dots stay."""
    head, dot, extension = name.strip().replace("\\", "/").rpartition(".")
    return head if dot and f".{extension.lower()}" in AUDIO_EXTENSIONS else name.strip().replace("\\", "/")


def _esc50(folder: Path, task: Task, *, only_esc10: bool = False) -> list[Source]:
    """ESC-50: meta/esc50.csv and audio/FOLD-CLIP-TAKE-TARGET.wav; folds 4 and 5 validate and test.

    Takes of one clip stay together; so do the folds.

    References:
        Piczak, ESC: dataset for environmental sound classification, ACM MM 2015; github.com/karolpiczak/ESC-50.
    """
    cure = "unpack ESC-50-master.zip and name the folder that has audio and meta in it"
    columns = ("filename", "fold", "category", *(("esc10",) if only_esc10 else ()))
    table = folder / "meta" / "esc50.csv"
    rows = _table(table, columns, cure)
    chosen = [row for row in rows if row["category"] in _ESC_CATEGORIES[task]]
    if only_esc10:
        chosen = [row for row in chosen if row["esc10"].strip().lower() == "true"]
    present = [row for row in chosen if os.path.isfile(inside(folder, f"audio/{row['filename']}", table))]
    if not present:
        raise ConfigError(f"{folder}: no noise for {task} in its audio folder; {cure}")
    return [
        Source(
            path=folder / "audio" / row["filename"],
            name=f"esc50/{row['filename']}",
            role="noise",
            group=f"freesound {row['filename'].split('-')[1] if '-' in row['filename'] else row['filename']}",
            split=_ESC_SPLITS.get(row["fold"].strip(), "train"),
            licence="CC-BY-3.0" if row.get("esc10", "").strip().lower() == "true" else "CC-BY-NC-3.0",
            title=row["filename"],
            category=row["category"],
        )
        for row in sorted(present, key=lambda row: row["filename"])
    ]


def _esc10(folder: Path, task: Task) -> list[Source]:
    """ESC-10: the part of ESC-50 with a free licence, in the same layout."""
    return _esc50(folder, task, only_esc10=True)


def _open_corpus(folder: Path, task: Task) -> list[Source]:
    """What `fetch` has put into a folder, by the open-corpus.toml it copied there."""
    sources, missing = corpus_files(read_corpus(folder / OPEN_CORPUS), folder, task)
    if not sources:
        raise ConfigError(f"{folder}: no file of its {OPEN_CORPUS} was found ({len(missing)} missing); fetch it again")
    return sources


_READERS: Final[dict[str, Callable[[Path, Task], list[Source]]]] = {
    "musdb18hq": _musdb,
    "musicnet": _musicnet,
    "gramophone-noise": _gramophone_noise,
    "esc50": _esc50,
    "esc10": _esc10,
    "open-corpus": _open_corpus,
}
