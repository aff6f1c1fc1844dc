"""From a network to an ONNX file: the real-valued part between features and gains, for any number of frames.

The STFT, the features and the filtering stay outside: they are short programs on arrays (`restore.onnx_engine`), and
complex numbers are not known to most programs that run ONNX files.
"""

import json
import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from torch import Tensor, nn

from concertclean.errors import ConfigError, ModelError
from concertclean.files.atomic import written
from concertclean.networks.layers.band_gains import WithBandGains, with_band_gains
from concertclean.networks.layers.kan_conv import fix_strips
from concertclean.networks.layers.waveform_model import WaveformModel
from concertclean.weights.loading import LoadedModel
from concertclean.weights.onnx_file import INPUT, KEY, OUTPUT, WEIGHTS, OnnxRecord, open_bytes

LARGEST_DIFFERENCE: Final = 1e-5
"""Of gains between torch and onnxruntime."""

_OPSET = 17  # the first with LayerNormalization
_CARD = {"name", "description", "license", "paper", "recipe", "training_data"}
_STRIP_ROWS = 20  # of an expansion, which is the most that the network holds; of fewer the graph grows
_CHECKED_GRIDS = (2, 3, 7)  # units of frames at which both are compared


class _Core(nn.Module):
    """The part of a network that is exported."""

    def __init__(self, network: nn.Module, found: WithBandGains) -> None:
        super().__init__()
        self.network, self._found = network, [found]  # in a list: registered once

    def forward(self, planes: Tensor) -> Tensor:
        """Maps `(batch, plane, band, frame)` to `(batch, channel, band, frame)`."""
        return self._found[0].core(planes)


def export_onnx(loaded: LoadedModel[WaveformModel], path: Path, *, with_weights: bool = True) -> float:
    """Write a network as an ONNX file, after comparing its results with torch's.

    Args:
        loaded: a network with band gains, on the CPU.
        path: file to write.
        with_weights: as opposed to a graph alone, which needs the weights file beside it.

    Returns:
        The largest difference of a gain between torch and onnxruntime.

    Raises:
        ConfigError: onnx is not installed.
        ModelError: the network has no band gains, or the exported one gives other results.
        OutputError: the file cannot be written.
    """
    found = with_band_gains(loaded.model)
    if found is None:
        raise ModelError(
            f"{loaded.path}: {loaded.header.architecture} cannot be exported; only networks with gains of bands can"
        )
    core = _Core(loaded.model, found).eval()
    content = _exported(core, found, _record(loaded, found))
    difference = _difference(core, found, content, path)
    with written(path) as file:
        file.write(content if with_weights else _without_weights(content))
    return difference


def _exported(core: _Core, found: WithBandGains, record: OnnxRecord) -> bytes:
    """The whole model. Names of weights are those of the weights file, and nothing is computed from them beforehand."""
    onnx = _onnx()
    fix_strips(core, _STRIP_ROWS)
    with TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        # Sizes that depend on the frames are traced as such; `_difference` would show where they are not.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            core,
            (_planes(found, 2),),
            os.path.join(folder, "network.onnx"),
            dynamo=False,  # a second instead of twenty, and no packages but onnx
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {3: "frame"}, OUTPUT: {3: "frame"}},
            opset_version=_OPSET,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
        )
        model = onnx.load(os.path.join(folder, "network.onnx"))
    _rename(model.graph)
    model.metadata_props.add(key=KEY, value=json.dumps(record.model_dump(mode="json"), sort_keys=True))
    return bytes(model.SerializeToString())


def _rename(graph: Any) -> None:
    """Weights by their names in the weights file, all else by numbers: names would be most of a graph."""
    new = {one.name: one.name.removeprefix("network.") for one in graph.initializer}
    new |= {name: name for name in ("", INPUT, OUTPUT)}  # "": left out
    for one in graph.initializer:
        one.name = new[one.name]
    for node in graph.node:
        node.ClearField("name")
        for names in (node.input, node.output):
            names[:] = [new.setdefault(name, str(len(new))) for name in names]


def _without_weights(content: bytes) -> bytes:
    """The model with every weight named, and none in it."""
    onnx = _onnx()
    model = onnx.load_from_string(content)
    for one in model.graph.initializer:
        one.ClearField("raw_data")
        one.ClearField("float_data")
        one.data_location = onnx.TensorProto.EXTERNAL
        one.external_data.add(key="location", value=WEIGHTS)
    return bytes(model.SerializeToString())


def _difference(core: _Core, found: WithBandGains, content: bytes, path: Path) -> float:
    """Largest difference of a gain at several lengths."""
    session = open_bytes(path, content)
    largest = 0.0
    for n_units in _CHECKED_GRIDS:
        planes = _planes(found, n_units)
        with torch.no_grad():
            expected = core(planes).numpy()
        (result,) = session.run([OUTPUT], {INPUT: planes.numpy()})
        largest = max(largest, float(abs(result - expected).max()))
    if not largest <= LARGEST_DIFFERENCE:
        raise ModelError(
            f"{path}: the exported network differs from torch by {largest:.2g}, more than {LARGEST_DIFFERENCE:g}; "
            "update onnxruntime"
        )
    return largest


def _planes(found: WithBandGains, n_units: int) -> Tensor:
    """Features like those of music, of a number of frames that the network takes."""
    shape = (1, found.front.n_planes, len(found.front.place), n_units * found.alignment // found.hop_length)
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def _record(loaded: LoadedModel[WaveformModel], found: WithBandGains) -> OnnxRecord:
    """What goes around the network, and what is known about it."""
    n_fft = found.window.numel()
    is_hann = bool(torch.equal(found.window, torch.hann_window(n_fft)))
    card = loaded.card
    facts = loaded.header.provenance if card is None else card.model_dump(include=_CARD, exclude_none=True)
    return OnnxRecord(
        architecture=loaded.header.architecture,
        config=loaded.header.config,
        weights_sha256=loaded.sha256,
        sample_rate=found.sample_rate,
        channels=found.channels,
        n_fft=n_fft,
        hop_length=found.hop_length,
        window="hann" if is_hann else "hamming",
        bands=len(found.front.place),
        margin=found.front.margin,
        alignment=found.alignment,
        context=found.context,
        segment_seconds=None if card is None else card.segment_seconds,
        card=facts,
    )


def _onnx() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ConfigError("exporting needs onnx; pip install 'concertclean[export]'") from error
    return onnx
