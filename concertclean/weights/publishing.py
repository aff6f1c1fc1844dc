"""From a weights file to a card, and both to the hub.

What is pushed is the safetensors file, the settings of the network under the names that PyTorchModelHubMixin uses, and
a README that says what the card says; what comes back is the card with the repository and the full commit, so that
whoever pastes it into models.toml gets these bytes and no others.
"""

import json
from pathlib import Path
from typing import Any, Final, cast

import tomli_w

from concertclean import __version__
from concertclean.config.reading import validated
from concertclean.errors import ConfigError, ModelError
from concertclean.files.download import file_sha256, probe
from concertclean.networks.architectures import ARCHITECTURES, Architecture, Task
from concertclean.networks.layers.pretrained import HUB_CONFIG, HUB_WEIGHTS
from concertclean.weights.building import build_model
from concertclean.weights.cards import ModelCard
from concertclean.weights.file_format import read_header
from concertclean.weights.hub import client_errors, hub_endpoint, reason

_NO_LICENCE = "not stated"
_LISTEN = (
    "What was masked does not come back, and what resembles noise is lowered with it: listen to what is removed, and "
    "use less of it where there is music in it."
)
_LIMITS: Final[dict[Task, str]] = {
    "restore": _LISTEN,
    "separate": "Stems hold some of each other, and together not always the whole song.",
    "unmix": "It estimates how a band was mixed; what it does not know stays in the tracks.",
    "debleed": _LISTEN,
    "detect": "It judges recordings and changes none; doubtful ones need ears.",
}


def card_of(path: Path, name: str, description: str) -> ModelCard:
    """Return the card of a weights file of one's own, as far as the file holds it.

    Args:
        path: weights file.
        name: the model's, and the word on the command line.
        description: one sentence for the list of models.

    Raises:
        ModelError: the file is missing, damaged, or of an unknown architecture, or no model can have this name.
    """
    header = read_header(path)
    model = build_model(header.architecture, header.config, path)
    known = header.provenance
    facts: dict[str, Any] = dict(
        name=name,
        description=description or f"{header.architecture}, trained with concertclean",
        architecture=header.architecture,
        filename=f"{name}.safetensors",
        size_bytes=path.stat().st_size,
        sha256=file_sha256(path),
        sample_rate=cast(int, model.sample_rate),
        channels=cast(int, model.channels),
        license=known.get("license", _NO_LICENCE),
        recipe=known.get("recipe"),
        training_data=known.get("training_data"),
        path=path.resolve(),
    )
    try:
        return validated(ModelCard, facts, str(path))
    except ConfigError as error:
        raise ModelError(f"{error}; give the model another name") from error


def card_toml(card: ModelCard) -> str:
    """Return a card as the table that models.toml holds."""
    values = card.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
    return tomli_w.dumps({card.name: values})


def publish(
    path: Path, card: ModelCard, repo_id: str, *, results: str = "", private: bool = False, token: str | None = None
) -> ModelCard:
    """Push weights and their description to a repository of the hub, made if it does not exist.

    Args:
        path: weights file.
        card: as of `card_of`.
        repo_id: owner and name.
        results: Markdown of what the model reaches.
        private: make a new repository private.
        token: of the hub; None takes the one of `hf auth login` or $HF_TOKEN.

    Returns:
        The card with `repo_id`, `revision` and `repo_filename` in place of the path.

    Raises:
        OfflineError: nobody answers at $HF_ENDPOINT, by default huggingface.co.
        ModelError: the hub refuses, or the name is none.
    """
    endpoint = hub_endpoint()
    probe(endpoint)
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(endpoint=endpoint, token=token, library_name="concertclean", library_version=__version__)
    refusals: tuple[type[Exception], ...] = (*client_errors(), RuntimeError)  # the last wraps what breaks an upload
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        with path.open("rb") as weights:  # an open file goes by plain HTTP, which every hub and mirror speaks
            commit = api.create_commit(
                repo_id,
                [
                    CommitOperationAdd(HUB_WEIGHTS, weights),
                    CommitOperationAdd(HUB_CONFIG, json.dumps(read_header(path).config, indent=2).encode()),
                    CommitOperationAdd("README.md", _readme(card, repo_id, results).encode()),
                ],
                commit_message=f"Add {card.name}",
            )
    except refusals as error:
        raise ModelError(
            f"{endpoint}/{repo_id}: could not be published ({reason(error)}); log in with `hf auth login`, and check "
            "that the name is owner/name and yours"
        ) from error
    there = {"repo_id": repo_id, "revision": commit.oid, "repo_filename": HUB_WEIGHTS, "path": None}
    return card.model_copy(update=there)


def _readme(card: ModelCard, repo_id: str, results: str) -> str:
    """The page of the repository: front matter the hub understands, and what the card says."""
    row = ARCHITECTURES[card.architecture]
    facts = {
        "architecture": f"`{card.architecture}`" + (f" ({card.paper})" if card.paper else ""),
        "sample rate and channels": f"{card.sample_rate} Hz, {card.channels}",
        "licence": card.license,
        "training data": card.training_data or "not stated",
        "recipe": card.recipe or "not stated",
        f"sha256 of `{HUB_WEIGHTS}`": f"`{card.sha256}`",
    }
    figures = "\n".join(f"* {name.replace('_', ' ')}: {value}" for name, value in card.metrics.items())
    return f"""---
license: {"other" if card.license in (_NO_LICENCE, "unknown") else card.license.lower()}
library_name: concertclean
pipeline_tag: audio-to-audio
tags: [audio, audio-to-audio, music, denoising, audio-restoration, {card.architecture}]
---

# {card.name}

{card.description}

{chr(10).join(f"* **{name}**: {value}" for name, value in facts.items())}

## How to use it

The model {row.purpose}.

```python
{_usage(row, repo_id)}
```

## What it reaches

{results.strip() or figures or "Not measured; `concertclean eval` measures it."}

## Limits

{_LIMITS[row.task]}
"""


def _usage(row: Architecture, repo_id: str) -> str:
    """Python that restores with the model, or makes its network."""
    if row.task == "restore":
        return f"""import concertclean
from huggingface_hub import hf_hub_download

weights = hf_hub_download("{repo_id}", "{HUB_WEIGHTS}")
concertclean.denoise("recording.m4a", "clean.wav", model=weights)

{_network(row, repo_id)}  # or the network alone, as a torch module"""
    return _network(row, repo_id)


def _network(row: Architecture, repo_id: str) -> str:
    name = row.build.__name__
    return f"""from {row.build.__module__} import {name}

network = {name}.from_pretrained("{repo_id}")"""
