"""What a recipe asks for and its dataset does not have."""

from typing import TYPE_CHECKING, Final

from concertclean.cli import console

if TYPE_CHECKING:
    from concertclean.config.mixing import MixingLaw
    from concertclean.dataset.store import Store

_MOST_NAMES: Final = 5  # of a list in a message
_ROLES_OF_SHARES: Final = {"song_share": "vocals", "sung_share": "voice"}


def note_what_is_missing(mixing: "MixingLaw", store: "Store") -> None:
    """What the law asks for and the dataset does not have: training would go on without it, unnoticed."""
    entries = [entry for entry in store.entries if entry.split == "train"]
    held = {entry.group for entry in entries}
    missing = [name for name in mixing.favourites if name not in held]
    if missing:
        what = f"{len(missing)} of {len(mixing.favourites)} mixing.favourites match no group it trains on"
        shown = (
            missing if len(missing) <= _MOST_NAMES else [*missing[:_MOST_NAMES], f"{len(missing) - _MOST_NAMES} more"]
        )
        console.note(f"{store.folder}: {what}: {', '.join(shown)}")
        console.note("  the rest is drawn as usual; build the dataset from what the recipe names, or correct the names")
    roles = {entry.role for entry in entries}
    for name, role in _ROLES_OF_SHARES.items():
        share = getattr(mixing, name)
        if share and role not in roles:
            console.note(
                f"{store.folder}: mixing.{name} is {share:g}, but no recording to train on has the role {role}"
            )
            console.note("  no item will have any; add some, or set it to 0")
