import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from concertclean.errors import ModelError
from concertclean.weights.file_format import load_state, read_header, save_weights

STATE = {
    "layer.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "layer.bias": torch.tensor([0.5, -0.25], dtype=torch.float16),
    "gain": torch.tensor(3.0, dtype=torch.bfloat16),
    "steps": torch.tensor(7),
}
CONFIG = {"depth": 2, "widths": [1, 2, 3], "basis": "rbf", "eca": False}


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "weights.safetensors"
    save_weights(target, STATE, architecture="kanunet_eca", config=CONFIG, provenance={"license": "MIT"})
    return target


def test_header_comes_back(path):
    header = read_header(path)
    assert header.architecture == "kanunet_eca"
    assert header.config == CONFIG
    assert header.provenance == {"license": "MIT"}
    assert header.n_parameters == 10


def test_state_comes_back_with_halves_as_float32(path):
    state = load_state(path)
    assert state.keys() == STATE.keys()
    for name, tensor in STATE.items():
        assert torch.equal(state[name], tensor.float() if tensor.is_floating_point() else tensor)
    assert {str(tensor.dtype) for tensor in state.values()} == {"torch.float32", "torch.int64"}


def test_safetensors_library_reads_the_file_as_stored(path):
    state = load_file(path)
    assert all(torch.equal(state[name], tensor) and state[name].dtype == tensor.dtype for name, tensor in STATE.items())


def test_transposed_tensor_is_stored_as_seen(tmp_path):
    target = tmp_path / "weights.safetensors"
    save_weights(target, {"w": STATE["layer.weight"].T}, architecture="a", config={}, provenance={})
    assert torch.equal(load_state(target)["w"], STATE["layer.weight"].T)


def test_equal_weights_give_equal_bytes(tmp_path, path):
    again = tmp_path / "again.safetensors"
    reversed_state = dict(reversed(STATE.items()))
    save_weights(again, reversed_state, architecture="kanunet_eca", config=CONFIG, provenance={"license": "MIT"})
    assert again.read_bytes() == path.read_bytes()


def test_bytes_do_not_depend_on_the_process(path):
    """Rust seeds its hash tables anew in each process; with one key of metadata there is nothing to reorder."""
    lines = [
        "import hashlib, sys",
        "from pathlib import Path",
        "from concertclean.weights.file_format import load_state, read_header, save_weights",
        "source, target = map(Path, sys.argv[1:])",
        "header = read_header(source)",
        "told = dict(zip('xyz', 'abc'))",
        "save_weights(target, load_state(source), architecture='a', config=header.config, provenance=told)",
        "print(hashlib.sha256(target.read_bytes()).hexdigest())",
    ]
    command = [sys.executable, "-c", "\n".join(lines), str(path), str(path.with_name("again.safetensors"))]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2)]
    assert runs[0] == runs[1]


def test_tensors_that_share_memory_are_stored(tmp_path):
    target = tmp_path / "weights.safetensors"
    save_weights(
        target, {"a": STATE["layer.weight"], "b": STATE["layer.weight"][1]}, architecture="a", config={}, provenance={}
    )
    assert load_state(target)["b"].tolist() == [3, 4, 5]


def test_the_layout_of_before_is_read(tmp_path):
    """All files written before, those in the package among them, have one key a topic."""
    target = tmp_path / "weights.safetensors"
    save_file(STATE, target, {"architecture": "kanunet_eca", "config": json.dumps(CONFIG), "license": "MIT"})
    header = read_header(target)
    assert (header.architecture, header.config, header.provenance) == ("kanunet_eca", CONFIG, {"license": "MIT"})
    assert load_state(target).keys() == STATE.keys()


def test_header_needs_no_torch(path):
    code = (
        "import sys; from concertclean.weights.file_format import read_header; "
        f"read_header({str(path)!r}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_failed_save_leaves_the_old_file(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="complex128"):
        save_weights(path, {"w": torch.zeros(1, dtype=torch.complex128)}, architecture="a", config={}, provenance={})
    with pytest.raises(TypeError):
        save_weights(path, STATE, architecture="a", config={"bad": object()}, provenance={})
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("keep", [0, 4, 8, 60, -1])
def test_cut_file_is_damaged(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    for read in (read_header, load_state):
        with pytest.raises(ModelError, match="damaged") as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "concertclean models download" in str(caught.value)


def test_longer_file_is_damaged(path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="declares"):
        read_header(path)


def header_file(path, header):
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


@pytest.mark.parametrize("header", [b"{nonsense}", b"[]", b"\xff\xfe{}", b'{"w": 3}', b'{"w": {"shape": [1]}}'])
def test_nonsense_header_is_damaged(tmp_path, header):
    with pytest.raises(ModelError, match="cannot be understood"):
        read_header(header_file(tmp_path / "w.safetensors", header))


@pytest.mark.parametrize(
    "metadata",
    [
        {"architecture": "a", "config": "{half"},
        {"architecture": "a", "config": "[1]"},
        {"concertclean": "{half"},
        {"concertclean": "[1]"},
        {"concertclean": "{}"},
        {"concertclean": '{"architecture": "a", "config": [1], "provenance": {}}'},
    ],
)
def test_nonsense_config_is_damaged(tmp_path, metadata):
    metadata = {"__metadata__": metadata}
    with pytest.raises(ModelError, match="settings"):
        read_header(header_file(tmp_path / "w.safetensors", json.dumps(metadata).encode()))


def test_foreign_safetensors_file_is_told_apart(tmp_path):
    target = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(2)}, target)
    with pytest.raises(ModelError, match="lacks architecture and config"):
        read_header(target)


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        read_header(tmp_path / "absent.safetensors")
