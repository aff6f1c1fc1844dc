"""Networks as ONNX files: the same gains as torch, for any number of frames; and files that are none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from concertclean.errors import ModelError
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.networks.layers.band_gains import with_band_gains
from concertclean.weights.file_format import save_weights
from concertclean.weights.loading import load_model
from concertclean.weights.onnx_file import open_onnx, open_with_weights, shipped_graph

onnx = pytest.importorskip("onnx", reason="exporting needs onnx")

from concertclean.weights.export import export_onnx  # noqa: E402

TINY = {"n_fft": 256, "hop_length": 64, "bands": 40}
NETWORKS: dict[str, dict[str, Any]] = {
    "kanunet_eca": {**TINY, "base": 2, "channels": 2, "eca_frames": 3, "plain_levels": 1, "recurrent_layers": 1,
                    "recurrent_units": 4, "align_corners": False, "first_grid": [-1.0, 3.0]},
    "two_stage_unet": {**TINY, "depth": 2, "widths": [4, 4, 4], "padding": "zeros"},
    "band_split_lstm": {**TINY, "groups": 8, "features": 4, "hidden": 4, "layers": 1},
}  # fmt: skip
Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def write(architecture: str, config: dict[str, Any]) -> Path:
        torch.manual_seed(0)
        model = ARCHITECTURES[architecture].build(**config)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.03 * torch.randn_like(parameter))
        path = tmp_path / f"{architecture}.safetensors"
        save_weights(path, model.state_dict(), architecture=architecture, config=config, provenance={"license": "MIT"})
        return path

    return write


@pytest.mark.parametrize("architecture", NETWORKS)
def test_gains_are_those_of_torch_for_any_number_of_frames(tmp_path: Path, save: Save, architecture: str) -> None:
    weights = save(architecture, NETWORKS[architecture])
    target = tmp_path / "network.onnx"
    assert export_onnx(load_model(weights), target) < 1e-5
    session, record = open_onnx(target)
    network = with_band_gains(load_model(weights).model)
    spread = []
    for n_units in (2, 5, 16, 33):
        shape = (1, network.front.n_planes, 40, n_units * record.grid_frames)
        planes = 2 * torch.rand(shape, generator=torch.Generator().manual_seed(n_units))
        with torch.no_grad():
            expected = network.core(planes).numpy()
        (found,) = session.run(["gains"], {"planes": planes.numpy()})
        assert np.abs(found - expected).max() < 1e-5
        spread.append(float(expected.std()))
    assert min(spread) > 1e-4  # ten times what may differ: not a constant, which every network would agree on


def test_the_file_says_what_it_is(tmp_path: Path, save: Save) -> None:
    loaded = load_model(save("two_stage_unet", NETWORKS["two_stage_unet"]))
    export_onnx(loaded, tmp_path / "a.onnx")
    _, record = open_onnx(tmp_path / "a.onnx")
    assert (record.architecture, record.config) == ("two_stage_unet", loaded.header.config)
    assert (record.sample_rate, record.channels, record.window) == (44_100, 1, "hamming")
    assert (record.alignment, record.context) == (loaded.model.alignment, loaded.model.context)
    assert (record.weights_sha256, record.card) == (loaded.sha256, {"license": "MIT"})


@pytest.mark.parametrize("name", ["concert", "gramophone"])
def test_the_graphs_of_the_package_are_what_export_writes_now(tmp_path: Path, name: str) -> None:
    loaded = load_model(name)
    export_onnx(loaded, tmp_path / "now.onnx", with_weights=False)
    shipped, now = (
        onnx.load(shipped_graph(name), load_external_data=False),
        onnx.load(tmp_path / "now.onnx", load_external_data=False),
    )
    assert shipped.graph == now.graph
    assert shipped.metadata_props == now.metadata_props
    assert shipped_graph(name).stat().st_size < 500_000
    _, record = open_with_weights(shipped_graph(name), loaded.path)
    assert record.weights_sha256 == loaded.sha256


def test_a_network_without_gains_of_bands_is_refused(tmp_path: Path, save: Save) -> None:
    loaded = load_model(save("kanunet_eca", {"n_fft": 256, "hop_length": 64, "base": 2}))
    with pytest.raises(ModelError, match="kanunet_eca cannot be exported; only networks with gains of bands"):
        export_onnx(loaded, tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()


def test_other_results_than_torch_are_not_written(tmp_path: Path, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("concertclean.weights.export.LARGEST_DIFFERENCE", -1.0)
    with pytest.raises(ModelError, match="differs from torch"):
        export_onnx(load_model(save("two_stage_unet", NETWORKS["two_stage_unet"])), tmp_path / "a.onnx")
    assert not (tmp_path / "a.onnx").exists()


def test_files_that_are_none_of_ours_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    with pytest.raises(ModelError, match=r"a\.onnx: cannot be read"):
        open_onnx(path)
    path.write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"a\.onnx: no ONNX file that can be run"):
        open_onnx(path)
    number = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["a"], ["b"])], "foreign", [number("a", 1, [1])], [number("b", 1, [1])]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    with pytest.raises(ModelError, match=r"a\.onnx: not an ONNX file of concertclean; make one with"):
        open_onnx(path)
    model.metadata_props.add(key="concertclean", value="{]")
    onnx.save(model, path)
    with pytest.raises(ModelError, match="its record cannot be understood"):
        open_onnx(path)
    model.metadata_props[0].value = '{"sample_rate": 5}'
    onnx.save(model, path)
    with pytest.raises(ModelError, match="sample_rate"):
        open_onnx(path)


def test_a_record_that_does_not_fit_is_refused(tmp_path: Path, save: Save) -> None:
    path = tmp_path / "a.onnx"
    export_onnx(load_model(save("two_stage_unet", NETWORKS["two_stage_unet"])), path)
    model = onnx.load(path)
    model.metadata_props[0].value = model.metadata_props[0].value.replace('"bands": 40, "card"', '"bands": 400, "card"')
    onnx.save(model, path)
    with pytest.raises(ModelError, match="its record does not fit its network"):
        open_onnx(path)
