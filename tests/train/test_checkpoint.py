"""The state of a run on disk, and the settings that a resumed run may not change."""

from collections import OrderedDict

import pytest
import torch

from concertclean.errors import ConfigError, OutputError
from concertclean.train.checkpoint import load_state, recipe_hash, save_state


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


@pytest.mark.parametrize("state", [[1, 2], {"step": 1}, {"recipe": OrderedDict}], ids=["list", "no recipe", "class"])
def test_a_state_of_another_program_is_refused_in_one_line(tmp_path, state):
    """torch's own words about it are twenty lines, with advice to switch its safety off."""
    torch.save(state, tmp_path / "state.pt")
    data = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(data.replace(b"OrderedDict", b"Order\x1bdDict"))
    with pytest.raises(ConfigError) as caught:
        load_state(tmp_path, "r")
    fact = "cannot be read, it is damaged or of another program; begin anew in another folder"
    assert str(caught.value) == f"{tmp_path / 'state.pt'}: {fact}"


@pytest.mark.parametrize(
    "change",
    [
        {"run": {"seed": 1}},
        {"run": {"steps": 9}},
        {"run": {"precision": "bf16"}},
        {"run": {"ema_decay": 0.9}},
        {"data": {"batch": 2}},
        {"mixing": {"snr_db": (0, 6)}},
        {"loss": {"caution": 0.1}},
        {"optimizer": {"accumulate": 2}},
    ],
    ids=str,
)
def test_a_setting_that_decides_about_the_weights_may_not_change(tmp_path, make_settings, change):
    save_state(tmp_path, {"recipe": recipe_hash(make_settings()), "step": 1})
    with pytest.raises(ConfigError, match="other settings"):
        load_state(tmp_path, recipe_hash(make_settings(**change)))


@pytest.mark.parametrize(
    "change",
    [
        {"run": {"device": "cpu"}},
        {"run": {"compile": "network"}},
        {"run": {"save_every": 7}},
        {"run": {"validate_every": 7}},
        {"run": {"validation_items": 7}},
        {"run": {"log_every": 7}},
        {"run": {"threads": 7}},
        {"data": {"workers": 7}},
    ],
    ids=str,
)
def test_a_setting_that_leaves_the_weights_alone_may_change(make_settings, change):
    assert recipe_hash(make_settings(**change)) == recipe_hash(make_settings())
