"""The state of a run, so that it can go on as if it had never stopped; and the weights that come out of it."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from concertclean.config.training import Recipe
from concertclean.errors import ConfigError
from concertclean.files.atomic import written
from concertclean.weights.file_format import save_weights

STATE_NAME = "state.pt"
# What may change between the parts of a run: where it runs, and how often it logs and saves.
_FREE = {"device", "compile", "save_every", "validate_every", "validation_items", "log_every", "threads"}


def recipe_hash(settings: Recipe) -> str:
    """Sixteen hexadecimal digits of everything that decides about the weights."""
    values = settings.model_dump(mode="json")
    values["run"] = {key: value for key, value in values["run"].items() if key not in _FREE}
    values["data"].pop("workers")
    return hashlib.sha256(repr(sorted(_flat(values))).encode()).hexdigest()[:16]


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Write the state; the folder holds the old one or the whole new one.

    Args:
        folder: of the run.
        state: what `torch.load` reads without pickles: tensors, numbers and texts in dictionaries.

    Raises:
        OutputError: the folder cannot be written.
    """
    with written(folder / STATE_NAME, cure="free some space and resume the run") as file:
        torch.save(state, file)


def load_state(folder: Path, recipe: str) -> dict[str, Any]:
    """Return the state of a run.

    Args:
        folder: of the run.
        recipe: hash of the settings it continues with.

    Raises:
        ConfigError: there is none, it cannot be read, or it is of other settings.
    """
    try:
        state: Any = torch.load(folder / STATE_NAME, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ConfigError(f"{folder}: holds no run to resume; start a new one") from error
    except Exception as error:  # torch raises whatever the damaged bytes lead it to
        raise damaged(folder) from error
    if not isinstance(state, dict) or "recipe" not in state:
        raise damaged(folder)
    if state["recipe"] != recipe:
        raise ConfigError(f"{folder}: holds a run of other settings; undo the change, or name another folder")
    return dict(state)


def damaged(folder: Path) -> ConfigError:
    """The error for a state that a run cannot go on with; what torch reports of it fills a screen."""
    fact = "cannot be read, it is damaged or of another program"
    return ConfigError(f"{folder / STATE_NAME}: {fact}; begin anew in another folder")


def export_weights(path: Path, settings: Recipe, state: dict[str, Tensor], facts: dict[str, str]) -> None:
    """Write weights as the registry loads them: matrices as float16, vectors and statistics as float32.

    Args:
        path: safetensors file.
        settings: of the run.
        state: tensors by name.
        facts: topics of the header beside licence and recipe, such as the training data.
    """
    provenance = {"license": settings.license, "recipe": f"{settings.name} {recipe_hash(settings)}", **facts}
    save_weights(
        path,
        halved(state),
        architecture=settings.network.architecture,
        config=settings.network.config,
        provenance=provenance,
    )


def halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as weights files hold them: matrices as float16, vectors, statistics and counts as they are."""
    return {
        name: tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor
        for name, tensor in state.items()
    }


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Dotted names and values of nested tables."""
    pairs: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", repr(value)))
    return pairs
