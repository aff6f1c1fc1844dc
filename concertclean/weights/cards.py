"""What is known about each model, before any of its weights are here: one card per model, from models.toml.

The package brings its own models.toml; the user's, in the configuration folder, adds cards or replaces
those of the same name. Nothing here needs torch, so that listing the models is quick.
"""

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from concertclean.config.faults import fault_text
from concertclean.config.reading import read_toml
from concertclean.errors import ConfigError, ModelError
from concertclean.files.names import plain_name

FILE_SUFFIXES = (".safetensors", ".onnx")
"""Of the files that hold networks."""

_PACKAGE = Path(__file__).parent.parent

_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors$")]
_Name = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
_RelativePath = Annotated[str, AfterValidator(plain_name)]
_HTTP_URL = TypeAdapter(HttpUrl)


class ModelCard(BaseModel):
    """One entry of models.toml.

    Attributes:
        name: key of the entry, and the word on the command line.
        aliases: other words for it.
        description: one sentence for the list of models.
        architecture: key of the registry's table of networks.
        filename: name of the weights file, wherever it is stored.
        size_bytes: size of what is fetched: the weights file, or the archive it is converted from.
        sha256: of the weights file, 64 hexadecimal digits; required unless `convert` is given.
        sample_rate: Hz.
        channels: channels that the network takes at once.
        segment_seconds: length of waveform the network was made for, when it matters.
        license: of the weights.
        paper: where the network is described.
        recipe: training recipe, file or address.
        training_data: what it learnt from.
        metrics: numbers by name, or tables of numbers by data set.
        shipped: the file is part of the package.
        path: local file of a user's own model; `~` is understood.
        repo_id: repository on the Hugging Face hub.
        revision: full commit of that repository; a branch could change under the hash.
        repo_filename: path inside that repository, when it is not `filename`.
        url: plain address, http or https.
        convert: the fetched file is an archive of this kind, converted on first use.
        source_sha256: of that archive.
        before: methods without weights that a recording goes through first, when the model is asked for alone.
        deprecated_by: name of the better model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name
    aliases: tuple[_Name, ...] = ()
    description: str
    architecture: str
    filename: _FileName
    size_bytes: int | None = Field(default=None, gt=0)
    sha256: _Sha256 | None = None
    sample_rate: int = Field(gt=0)
    channels: int = Field(gt=0)
    segment_seconds: float | None = Field(default=None, gt=0)
    license: str
    paper: str | None = None
    recipe: str | None = None
    training_data: str | None = None
    metrics: dict[str, float | dict[str, float]] = Field(default_factory=dict)
    shipped: bool = False
    path: Path | None = None
    repo_id: str | None = Field(default=None, pattern="^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$")
    revision: _Commit | None = None
    repo_filename: _RelativePath | None = None
    url: str | None = None
    convert: Literal["tf_two_stage_zip"] | None = None
    source_sha256: _Sha256 | None = None
    before: tuple[_Name, ...] = ()
    deprecated_by: str | None = None

    @model_validator(mode="after")
    def _check_source(self) -> "ModelCard":
        """All contradictions about where the weights come from, in one message."""
        facts = []
        if not (self.shipped or self.path or self.repo_id or self.url):
            facts.append("one of shipped, path, repo_id, url must say where the weights are")
        if self.repo_id and not self.revision:
            facts.append("repo_id needs revision, the full 40-digit commit")
        if self.convert and not (self.source_sha256 and (self.url or self.repo_id)):
            facts.append("convert needs source_sha256 and a url or repo_id")
        if not self.convert and not self.sha256:
            facts.append("sha256 is required")
        if self.url and not _is_web_address(self.url):
            facts.append(f"url must be an http or https address, got {self.url}")
        if facts:
            raise ValueError("; ".join(facts))
        return self


def load_cards() -> dict[str, ModelCard]:
    """Return all models by name: the package's, with the user's added or in their place.

    Returns:
        Cards by name, in the order of the files.

    Raises:
        ConfigError: a models.toml cannot be read, is no TOML, or has wrong entries; all of them are named.
    """
    cards = _read_cards(_bundled_path())
    user_path = user_cards_path()
    if os.path.exists(user_path):
        cards |= _read_cards(user_path)
    _check_words(cards, user_path)
    return cards


def find_card(name: str) -> ModelCard:
    """Return the card of a model by its name or one of its aliases.

    Args:
        name: as written on the command line.

    Returns:
        The model's card.

    Raises:
        ModelError: no model has this name; the message lists those that exist.
        ConfigError: a models.toml is wrong.
    """
    cards = load_cards()
    found = cards_by_word(cards).get(name)
    if found is None:
        near = did_you_mean(name, cards_by_word(cards))
        raise ModelError(f"unknown model {name!r}; {near}choose from {', '.join(cards)}, or give a weights file")
    return found


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Question "did you mean NAME? " for a word that is nearly a known one, else nothing.

    Args:
        word: as somebody wrote it.
        known: words that it could be.
    """
    near = get_close_matches(word.lower(), known, n=1)
    return f"did you mean {near[0]}? " if near else ""


def cards_by_word(cards: Mapping[str, ModelCard]) -> dict[str, ModelCard]:
    """Cards by every word for their models: names and aliases.

    Args:
        cards: by name, as of `load_cards`.
    """
    return {word: card for card in cards.values() for word in (card.name, *card.aliases)}


def user_cards_path() -> Path:
    """Return the user's models.toml, in $CONCERTCLEAN_CONFIG_DIR or the platform's configuration folder."""
    folder = os.environ.get("CONCERTCLEAN_CONFIG_DIR")
    if folder:
        return Path(folder).expanduser() / "models.toml"
    return platformdirs.user_config_path("concertclean") / "models.toml"


def _bundled_path() -> Path:
    """models.toml lies inside an installed package, and at the top of a checkout."""
    inside = _PACKAGE / "models.toml"
    return inside if os.path.exists(inside) else _PACKAGE.parent / "models.toml"


def _read_cards(path: Path) -> dict[str, ModelCard]:
    """All cards of one file; every wrong entry is reported, not only the first."""
    entries = read_toml(path, "reinstall, or correct its text and its permissions")
    cards, faults = {}, []
    for name, entry in entries.items():
        try:
            cards[name] = _parse_card(name, entry)
        except ValidationError as error:
            faults += [f"[{name}] {fault_text(fault, ModelCard)}" for fault in error.errors()]
    if faults:
        raise ConfigError(f"{path}: {len(faults)} wrong:\n  " + "\n  ".join(faults))
    return cards


def _parse_card(name: str, entry: Any) -> ModelCard:
    """One card; the key is its name."""
    return ModelCard.model_validate({**entry, "name": name} if isinstance(entry, dict) else entry)


def _check_words(cards: dict[str, ModelCard], user_path: Path) -> None:
    """A word must mean one model, and a file name one file, since all share a folder."""
    words: dict[str, str] = {}
    faults = []
    for card in cards.values():
        for word in (card.name, *card.aliases, card.filename):
            if words.setdefault(word, card.name) != card.name:
                faults.append(f"{word} belongs to both {words[word]} and {card.name}")
    if faults:
        raise ConfigError(f"{user_path}: names must differ: {'; '.join(faults)}")


def _is_web_address(url: str) -> bool:
    try:
        _HTTP_URL.validate_python(url)
    except ValidationError:
        return False
    return True
