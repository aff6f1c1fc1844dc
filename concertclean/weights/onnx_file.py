"""Networks as ONNX files: the real-valued part between features and gains, and a record of what goes around it.

The record is JSON under one key of the file's metadata. The files that ship, in `graphs/`, hold no weights: these come
from the weights file, by name, so that nothing is stored twice. Reading needs onnxruntime, and neither torch nor onnx.

References:
    ONNX IR specification, sections "Model", "Metadata" and "External tensor data".
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from concertclean.config.reading import validated
from concertclean.config.text import parse_json
from concertclean.errors import ConfigError, ModelError
from concertclean.weights.file_format import load_arrays

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

KEY: Final = "concertclean"
"""Of the record among the metadata."""
SUFFIX: Final = ".onnx"
INPUT: Final = "planes"
OUTPUT: Final = "gains"
WEIGHTS: Final = "weights"
"""What a graph without weights names as the file that they are in."""

_GRAPHS: Final = Path(__file__).parent / "graphs"
_Count = Field(gt=0, le=2**24)


class OnnxRecord(BaseModel):
    """What is known about the network of an ONNX file, and how to run it.

    Attributes:
        architecture: key of the registry's table of networks.
        config: keyword arguments of the network's constructor.
        weights_sha256: of the weights file that it was made from.
        sample_rate: Hz.
        channels: that go through it together, 1 or 2.
        n_fft: samples of a frame.
        hop_length: samples between frames.
        window: of the frames.
        bands: that share a gain.
        margin: frames on each side used for level and average of the features.
        alignment: samples; segments start on multiples of it.
        context: samples on each side of a segment that its estimate depends on.
        segment_seconds: length of waveform the network was made for, when it matters.
        card: name, licence, paper and the like, by topic.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: str
    config: dict[str, Any]
    weights_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    sample_rate: int = Field(ge=1000, le=768_000)
    channels: int = Field(ge=1, le=2)
    n_fft: int = Field(ge=16, le=2**15)
    hop_length: int = Field(ge=1, le=2**15)
    window: Literal["hann", "hamming"]
    bands: int = Field(ge=1, le=2**14)
    margin: int = Field(ge=0, le=2**12)
    alignment: int = _Count
    context: int = Field(ge=0, le=2**28)
    segment_seconds: float | None = Field(default=None, gt=0)
    card: dict[str, str] = Field(default_factory=dict)

    @property
    def grid_frames(self) -> int:
        """The network takes multiples of so many frames, and at least two of them."""
        return self.alignment // self.hop_length


def open_onnx(path: Path) -> "tuple[InferenceSession, OnnxRecord]":
    """Returns the network of a file with weights, ready to run, and its record.

    Raises:
        ModelError: the file is missing, damaged, or not one of ours.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    session = _session(path, content, {})
    return session, _record(path, session)


def open_bytes(path: Path, content: bytes) -> "InferenceSession":
    """Returns the network of the bytes of a file, ready to run; errors as of `open_onnx`, with the path."""
    return _session(path, content, {})


def open_with_weights(graph: Path, weights: Path) -> "tuple[InferenceSession, OnnxRecord]":
    """Returns the network of a graph without weights, with those of a weights file; as `open_onnx`."""
    session = _session(graph, graph.read_bytes(), load_arrays(weights))
    return session, _record(graph, session)


def whole_model(graph: Path, weights: Path) -> tuple[bytes, OnnxRecord]:
    """Returns a graph without weights together with those of a weights file, and the record; as `open_onnx`."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "whole.onnx"
        session = _session(graph, graph.read_bytes(), load_arrays(weights), saved=path)
        return path.read_bytes(), _record(graph, session)


def shipped_graph(name: str) -> Path | None:
    """Returns where the graph of a model of the package lies; None where there is none."""
    path = _GRAPHS / f"{name}{SUFFIX}"
    return path if os.path.isfile(path) else None


def _session(
    path: Path, content: bytes, weights: Mapping[str, NDArray[np.float32]], saved: Path | None = None
) -> "InferenceSession":
    """One core for each call: several calls run side by side. With `saved`, as it is, for another program."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # Windows builds have some
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is raised
    _grow_memory_by_what_is_asked()
    options.add_session_config_entry("session.use_env_allocators", "1")
    if saved is not None:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.optimized_model_filepath = str(saved)
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in weights.values()]
    options.add_external_initializers(list(weights), values)
    try:
        session: InferenceSession = onnxruntime.InferenceSession(
            content, sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        fact = str(error).partition("\n")[0]
        raise ModelError(f"{path}: no ONNX file that can be run ({fact}); export it again") from error
    return session


@cache
def _grow_memory_by_what_is_asked() -> None:
    """Lets the memory that the sessions of this process share grow by no more than a run asks for.

    By default it grows to powers of two. What that leaves is larger than a run needs, and a small buffer is taken from
    the smallest free part: from the memory of the run that just ended, so that the next run has to take new memory.
    """
    import onnxruntime

    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    place = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    as_asked = onnxruntime.OrtArenaCfg({"arena_extend_strategy": 1})
    with suppress(RuntimeError):  # older onnxruntime, if this process has registered one itself
        onnxruntime.create_and_register_allocator(place, as_asked)


def _record(path: Path, session: "InferenceSession") -> OnnxRecord:
    """What the metadata says, compared with the network."""
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        raise ModelError(f"{path}: not an ONNX file of concertclean; make one with `concertclean models export`")
    try:
        record = validated(OnnxRecord, parse_json(text), str(path), cure="export it again")
    except ConfigError as error:
        raise ModelError(str(error)) from error
    except ValueError as error:
        raise ModelError(f"{path}: its record cannot be understood; export it again") from error
    names = [one.name for one in (*session.get_inputs(), *session.get_outputs())]
    n_bins = record.n_fft // 2 + 1
    if names != [INPUT, OUTPUT] or record.hop_length > record.n_fft or record.bands > n_bins or not record.grid_frames:
        raise ModelError(f"{path}: its record does not fit its network; export it again")
    return record
