import pytest
import torch

from concertclean.errors import OutputError
from concertclean.train.checkpoint import load_state, save_state


@pytest.mark.parametrize("n_samples", [1, 1_000_000])
def test_full_disk_leaves_the_state_before(tmp_path, full_disk, n_samples):
    """torch.save reports large tensors that do not fit as a fault of its own archive."""
    full_disk.clear()
    save_state(tmp_path, {"recipe": "r", "step": 1})
    full_disk.append(".part")
    with pytest.raises(OutputError, match=r"state\.pt: cannot be written \(No space left on device\)"):
        save_state(tmp_path, {"recipe": "r", "step": 2, "network": torch.zeros(n_samples)})
    assert load_state(tmp_path, "r") == {"recipe": "r", "step": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
