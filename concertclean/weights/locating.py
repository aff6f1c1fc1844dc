"""From the name of a model to a checked weights file on this disk.

A model's file is looked for in this order: a path of the user's own; the package's weights folder; our
model folder; the hub's cache; the Hugging Face hub; a plain address. Whatever is found must have the
card's sha256, every time.
"""

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from concertclean.errors import ModelError, OfflineError, OutputError
from concertclean.files.atomic import write_text, written
from concertclean.files.download import Progress, fetch_from_url, file_sha256
from concertclean.weights.cards import FILE_SUFFIXES, ModelCard, find_card, load_cards
from concertclean.weights.file_format import read_header
from concertclean.weights.hub import fetch_from_hub

_log = logging.getLogger(__name__)
_SHIPPED = Path(__file__).parent.parent / "weights"
_OFFLINE_SWITCHES = ("CONCERTCLEAN_OFFLINE", "HF_HUB_OFFLINE")
_TRUE_WORDS = ("1", "on", "yes", "true")
_OTHER_FOLDER = "set CONCERTCLEAN_MODEL_DIR to another folder"
_PROVENANCE = {"license", "paper", "recipe", "training_data", "source_sha256"}  # by a converted file, of its card


@dataclass(frozen=True)
class LocatedWeights:
    """A checked weights file.

    Attributes:
        path: the file.
        card: its model's card; None for a file of the user's own.
        sha256: of the file as it lies there.
    """

    path: Path
    card: ModelCard | None
    sha256: str


def locate_weights(
    name_or_path: str | Path, *, offline: bool = False, progress: Progress | None = None
) -> LocatedWeights:
    """Return the checked weights file of a model, fetched first if it is not here.

    Args:
        name_or_path: a model's name or alias, or the path of a weights file. A bare word is always a model,
            even where a file has the same name.
        offline: never use the network; $CONCERTCLEAN_OFFLINE and $HF_HUB_OFFLINE say the same.
        progress: called with the bytes fetched so far and all bytes, or None where the server does not say.

    Returns:
        A file whose sha256 is the card's. A file of the user's own has no card, hence no check.

    Raises:
        ModelError: unknown name, missing file, wrong sha256, or a download that broke off.
        OfflineError: the weights are not here and the network is off or away.
    """
    path = _user_path(name_or_path)
    if path is not None:
        return _check_out_path(path)
    card = find_card(str(name_or_path))
    if card.deprecated_by:
        _log.warning("model %s is superseded by %s", card.name, card.deprecated_by)
    stored = stored_path(card)
    if stored is None:
        stored = _fetch(card, offline=offline or _is_offline(), progress=progress)
    return LocatedWeights(stored, card, check_file(card, stored, remove_bad=_is_ours_to_remove(card, stored)))


def known_card(name_or_path: str | Path) -> ModelCard | None:
    """Return the card of a model that is asked for by its name; None for a path.

    Raises:
        ModelError: unknown name.
    """
    return None if _user_path(name_or_path) is not None else find_card(str(name_or_path))


def stored_path(card: ModelCard) -> Path | None:
    """Return where a model's weights lie on this disk, unchecked, or None.

    Args:
        card: the model.

    Returns:
        The user's file, the package's, ours, or the hub cache's, whichever exists first.
    """
    candidates = [] if card.path is None else [card.path.expanduser()]
    if card.shipped:
        candidates.append(_SHIPPED / card.filename)
    candidates.append(model_folder() / card.filename)
    for candidate in candidates:
        if os.path.isfile(candidate):
            return candidate
    return _cached_path(card) if card.repo_id and not card.convert else None


def check_file(card: ModelCard, path: Path, *, remove_bad: bool = False) -> str:
    """Return the sha256 of a model's file after comparing it with what it must be.

    A converted file has no hash in its card, since it was made here: its header must name the archive of the
    card, and the `.sha256` written beside it must fit.

    Args:
        card: the model.
        path: its file.
        remove_bad: delete a file that fails, so that the next run fetches it anew.

    Returns:
        64 hexadecimal digits.

    Raises:
        ModelError: the file is not the card's; the message has file, expected and found hash, and the cure.
    """
    found = file_sha256(path)
    expected = _converted_sha256(card, path) if card.convert and not card.sha256 else card.sha256
    if found == expected:
        return found
    cure = "restore the file or correct its card"
    if card.shipped and path.parent == _SHIPPED:
        cure = "reinstall concertclean"
    if remove_bad:
        _remove(path)
        cure = f"it is removed; fetch it anew with `concertclean models download {card.name}`"
    named = expected or "the one noted at its conversion"
    raise ModelError(f"{path}: wrong sha256, expected {named}, found {found}; {cure}")


def import_checkpoint(card: ModelCard, source: Path) -> Path:
    """Convert a checkpoint to a model's weights file in our model folder.

    Args:
        card: a model with `convert`.
        source: the published archive; its sha256 must be the card's.

    Returns:
        The weights file.

    Raises:
        ModelError: another archive, or a damaged one.
    """
    found = file_sha256(source)
    if found != card.source_sha256:
        raise ModelError(
            f"{source}: wrong sha256, expected {card.source_sha256}, found {found}; "
            f"not the published archive of {card.name}: fetch it again from {card.url or card.repo_id}"
        )
    return _convert(card, source)


def model_folder() -> Path:
    """Return where fetched weights are kept: $CONCERTCLEAN_MODEL_DIR or the platform's cache folder."""
    folder = os.environ.get("CONCERTCLEAN_MODEL_DIR")
    return Path(folder).expanduser() if folder else platformdirs.user_cache_path("concertclean") / "models"


def _user_path(name_or_path: str | Path) -> Path | None:
    """The argument as a path, if it is a Path, has a folder in it, or ends like a weights file."""
    if isinstance(name_or_path, Path):
        return name_or_path.expanduser()
    looks_like_path = name_or_path.endswith(FILE_SUFFIXES) or "/" in name_or_path or os.sep in name_or_path
    return Path(name_or_path).expanduser() if looks_like_path else None


def _check_out_path(path: Path) -> LocatedWeights:
    """A file of the user's own; the stored file of a known model is checked as that model."""
    if not os.path.isfile(path):
        raise ModelError(f"{path}: no such weights file; for names see `concertclean models list`")
    for card in load_cards().values():
        stored = stored_path(card)
        if stored is not None and stored.samefile(path):
            return LocatedWeights(path, card, check_file(card, path))
    return LocatedWeights(path, None, file_sha256(path))


def _fetch(card: ModelCard, *, offline: bool, progress: Progress | None) -> Path:
    """Weights that are not on this disk: from the hub, then from the plain address."""
    absent = f"the weights of {card.name} are not here"
    if not (card.repo_id or card.url):
        place = card.path or _SHIPPED / card.filename
        raise ModelError(f"{place}: {absent}; reinstall concertclean or restore the file")
    if offline:
        raise OfflineError(f"{absent} and the network is off; {_offline_cure(card)}")
    missed: list[str] = []
    # Two places share the time that one would have, so that the answer comes within a second all the same.
    patience = 0.5 if card.repo_id and card.url else 1.0
    for fetch in [_fetch_hub] * bool(card.repo_id) + [_fetch_url] * bool(card.url):
        try:
            return fetch(card, progress, patience)
        except OfflineError as error:
            missed.append(str(error))
    raise OfflineError(f"{absent}; {'; '.join(missed)}; {_offline_cure(card)}")


def _fetch_hub(card: ModelCard, progress: Progress | None, patience: float) -> Path:
    place = (str(card.repo_id), card.repo_filename or card.filename, str(card.revision))
    path = fetch_from_hub(*place, size_bytes=card.size_bytes, progress=progress, patience=patience)
    if not card.convert:
        return path
    try:
        return import_checkpoint(card, path)
    except ModelError:
        _remove(path)
        raise


def _fetch_url(card: ModelCard, progress: Progress | None, patience: float) -> Path:
    target = model_folder() / (f"{card.filename}.zip" if card.convert else card.filename)
    expected = card.source_sha256 if card.convert else card.sha256
    options: dict[str, Any] = {"progress": progress, "patience": patience, "other_folder": _OTHER_FOLDER}
    fetch_from_url(str(card.url), target, str(expected), size_bytes=card.size_bytes, **options)
    if not card.convert:
        return target
    try:
        return _convert(card, target)
    finally:
        target.unlink(missing_ok=True)  # as large as the weights, and of no further use


def _convert(card: ModelCard, source: Path) -> Path:
    """The weights file made of a checked archive, with its own hash beside it."""
    from concertclean.weights.tf_checkpoint import write_two_stage

    target = model_folder() / card.filename
    cure = f"free some space or {_OTHER_FOLDER}"
    provenance = card.model_dump(include=_PROVENANCE, exclude_none=True)
    try:
        with written(target, make_folder=True, cure=cure) as file:
            write_two_stage(source, file, scratch=target.parent, provenance=provenance)
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            # The note first: weights without it count as damaged.
            write_text(_hash_path(target), f"{sha256}  {target.name}\n", cure=cure)
    except OutputError as error:
        raise ModelError(str(error)) from error
    return target


def _converted_sha256(card: ModelCard, path: Path) -> str | None:
    """The hash noted at conversion, if the header names the card's archive."""
    try:
        noted = _hash_path(path).read_text(encoding="utf-8").split()
        source = read_header(path).provenance.get("source_sha256")
    except (OSError, UnicodeDecodeError, ModelError):
        return None
    return noted[0] if noted and source == card.source_sha256 else None


def _hash_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _cached_path(card: ModelCard) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    filename = card.repo_filename or card.filename
    found = try_to_load_from_cache(str(card.repo_id), filename, revision=card.revision)
    return Path(found) if isinstance(found, str) else None


def _is_ours_to_remove(card: ModelCard, path: Path) -> bool:
    """Whether a file was fetched or converted here, so that it can be had again."""
    is_own = card.path is not None and path == card.path.expanduser()
    return not is_own and path.parent != _SHIPPED and bool(card.repo_id or card.url)


def _remove(path: Path) -> None:
    """A file with its note and, in the hub's cache, the blob it links to; never what a user linked."""
    blob = path.resolve()
    for each in (path, _hash_path(path), *([blob] if blob.parent.name == "blobs" else [])):
        each.unlink(missing_ok=True)


def _is_offline() -> bool:
    return any(os.environ.get(switch, "").lower() in _TRUE_WORDS for switch in _OFFLINE_SWITCHES)


def _offline_cure(card: ModelCard) -> str:
    """What someone without a network can do."""
    if card.convert:
        act = f"get {card.url or card.repo_id} and import it as {card.name} (`concertclean models import`)"
    else:
        act = f"copy {card.filename} into {model_folder()}"
    return f"run `concertclean models download {card.name}` when online, or {act}"
