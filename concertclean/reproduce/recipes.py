"""Where the recipes of the papers lie: inside an installed package, and beside it in a checkout."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def paper_recipe(name: str) -> Path:
    """File of a paper recipe.

    Args:
        name: of the file, without its extension.
    """
    inside = _PACKAGE / "recipes" / "paper"
    folder = inside if os.path.isdir(inside) else _PACKAGE.parent / "recipes" / "paper"
    return folder / f"{name}.toml"
