"""Who takes part in the benchmark: yardsticks, tools, methods without weights, models, and estimates of others."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Final, Literal, get_args

from concertclean import __version__
from concertclean.audio_io.formats import AUDIO_EXTENSIONS
from concertclean.classical.catalogue import METHODS
from concertclean.corpora.open_corpus import Task
from concertclean.dataset.fixed import read_waveform
from concertclean.errors import ConfigError, NoInputError
from concertclean.evaluate import methods
from concertclean.evaluate.benchmark.mixtures import Mixture, samples_sha256
from concertclean.files.walk import find_files
from concertclean.restore.chain import stages_of
from concertclean.weights.locating import locate_weights

Kind = Literal["yardstick", "tool", "method", "model", "estimates"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
YARDSTICKS: Final = (methods.UNPROCESSED, methods.ONE_GAIN, methods.IDEAL_GAINS)

_METHODS: Final[dict[str, tuple[str, ...]]] = {
    "concert": ("declick", "lsa", "logmmse", "steady", "concert"),
    "gramophone": ("declick", "decrackle", "lsa", "steady", "lsa-c", "gramophone"),
}
_SUFFIX: Final = "_clean"  # that `denoise` adds to a name
_SHOWN: Final = 5


@dataclass(frozen=True)
class Entrant:
    """A row of the benchmark.

    Attributes:
        name: of the row.
        kind: what it is.
        source: a model or weights file, or the folder of the estimates.
        version: of what the scores depend on; a row of another version is scored again.
    """

    name: str
    kind: Kind
    source: str
    version: str


def default_names(task: Task) -> tuple[str, ...]:
    """The rows of a task: yardsticks, installed tools, the methods that suit it, and the model that ships."""
    tools = tuple(name for name in methods.baseline_names() if methods.is_installed(name))
    return (*YARDSTICKS, *tools, *_METHODS[task])


def entrant(name: str, *, offline: bool = False) -> Entrant:
    """A row by its name.

    Args:
        name: a yardstick, a tool, a method, a model, a weights file, or a chain.
        offline: never use the network for weights.

    Raises:
        ConfigError: the tool is not installed, or the chain has an empty name.
        ModelError: the name is unknown, or its weights cannot be had.
    """
    own = f"concertclean {__version__}"
    if name in YARDSTICKS:
        return Entrant(name, "yardstick", "", own)
    if name in methods.baseline_names():
        methods.baseline(name)  # installed, or an error
        package = "noisereduce" if name in methods.NOISEREDUCE else "av"
        return Entrant(name, "tool", "", f"{package} {version_of(package)}")
    networks = [stage for stage in stages_of(name) if stage not in METHODS]
    hashes = [locate_weights(stage, offline=offline).sha256 for stage in networks]
    version = ", ".join([own, *(f"sha256 {one[:12]}" for one in hashes)])
    return Entrant(methods.short_name(name), "model" if networks else "method", name, version)


def estimates_entrant(name: str, folder: Path, mixtures: Sequence[Mixture]) -> Entrant:
    """A row of estimates on disk, all of them checked.

    Args:
        name: of the row; not that of a row of the program.
        folder: of files named as the mixtures, in any format.
        mixtures: each needs its estimate.

    Raises:
        ConfigError: the name is taken, a file is missing, or one has another rate, length or number of channels.
        AudioFileError: a file cannot be read.
    """
    taken = {*YARDSTICKS, *methods.baseline_names(), *(method for names in _METHODS.values() for method in names)}
    if name in taken:
        raise ConfigError(f"{name}: is a row of the program; choose another name for the estimates in {folder}")
    found = estimate_files(folder, mixtures)
    digest = hashlib.sha256()
    for one in mixtures:
        truth, rate = read_waveform(one.files.degraded)
        estimate, own_rate = read_waveform(found[one.name])
        facts = {"Hz": (own_rate, rate), "channels": (len(estimate), len(truth))}
        facts["samples"] = (estimate.shape[1], truth.shape[1])
        wrong = [f"{got} {what}, not {wanted}" for what, (got, wanted) in facts.items() if got != wanted]
        if wrong:
            raise ConfigError(f"{found[one.name]}: has {'; '.join(wrong)}; write it like the mixture {one.name}")
        digest.update(samples_sha256([estimate], rate).encode())
    return Entrant(name, "estimates", str(folder), f"sha256 {digest.hexdigest()[:12]}")


def estimate_files(folder: Path, mixtures: Sequence[Mixture]) -> dict[str, Path]:
    """The estimate of every mixture, by the mixture's name.

    Raises:
        NoInputError: the folder does not exist.
        ConfigError: files are missing, or a mixture has two.
    """
    if not os.path.isdir(folder):
        raise NoInputError(f"{folder}: not a folder; check the name")
    by_name: dict[str, list[Path]] = {}
    for path in find_files(folder, AUDIO_EXTENSIONS):
        by_name.setdefault(path.stem, []).append(path)
    found: dict[str, Path] = {}
    missing = []
    for one in mixtures:
        paths = by_name.get(one.name) or by_name.get(one.name + _SUFFIX) or []
        if len(paths) > 1:
            names = " and ".join(str(path) for path in sorted(paths))
            raise ConfigError(f"{one.name}: its estimate could be {names}; keep one of them")
        if paths:
            found[one.name] = paths[0]
        else:
            missing.append(one.name)
    if missing:
        shown = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
        fact = f"{len(missing)} of {len(mixtures)} estimates are missing: {shown}"
        raise ConfigError(f"{folder}: {fact}; export the mixtures and restore all of them")
    return found
