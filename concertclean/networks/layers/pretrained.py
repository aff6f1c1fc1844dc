"""Networks from the Hugging Face hub, under the names that its `PyTorchModelHubMixin` uses.

The mixin itself would load the hub's client, most of a second, with every network.
"""

import json
import os
from pathlib import Path
from typing import Final, Self

from torch import nn

HUB_CONFIG: Final = "config.json"
HUB_WEIGHTS: Final = "model.safetensors"


class Pretrained(nn.Module):
    """A network that can be had with its weights; abstract."""

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, revision: str | None = None, token: str | None = None, local_files_only: bool = False
    ) -> Self:
        """Builds the network with the weights of a repository, as `concertclean models publish` makes them.

        Args:
            name: OWNER/NAME on the hub, or a folder with `config.json` and `model.safetensors`.
            revision: branch, tag or commit; None: the newest.
            token: of the hub; None: that of `hf auth login` or HF_TOKEN.
            local_files_only: do not ask the hub for newer ones.

        Returns:
            The network on the CPU, float32, ready for inference.

        Raises:
            OSError: there is no such repository, or no way to it; with errors of the hub's client, which are such.
            TypeError: its settings are not those of this network.
            RuntimeError: nor are its weights.
        """
        from safetensors.torch import load_file

        if os.path.isdir(name):
            config, weights = Path(name) / HUB_CONFIG, Path(name) / HUB_WEIGHTS
        else:
            from huggingface_hub import hf_hub_download

            asked = {"revision": revision, "token": token, "local_files_only": local_files_only}
            asked["endpoint"] = os.environ.get("HF_ENDPOINT")
            found = [hf_hub_download(str(name), file, **asked) for file in (HUB_CONFIG, HUB_WEIGHTS)]
            config, weights = map(Path, found)
        network = cls(**json.loads(config.read_text(encoding="utf-8")))
        network.load_state_dict(load_file(weights))
        return network.eval()
