"""Networks of ONNX files run by OpenVINO, which compiles them for one length.

Its converter of models, which has telemetry, is never loaded.
"""

import sys
from threading import Lock, local
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from concertclean.dsp.array_stft import Waveform
from concertclean.runtime.parallel import usable_cores
from concertclean.weights.locating import model_folder
from concertclean.weights.onnx_file import OnnxRecord

if TYPE_CHECKING:
    from openvino import CompiledModel, InferRequest

_PRECISIONS: Final = {"fp32": "f32", "bf16": "bf16"}  # ours, and theirs
_USUAL_SECONDS: Final = 6.0
_CORES_TOGETHER: Final = 4  # on one window: a window of its own for each core would take 100 MB a core


class OpenVino:
    """See `onnx_engine.Core`.

    Args:
        content: of an ONNX file, with its weights.
        record: what goes around the network.
        precision: "auto", "fp32" or "bf16".
        threads: CPU cores to use; 0: all.
        segment_seconds: of the windows it will mostly get; None: of those it was made for.
    """

    def __init__(
        self,
        content: bytes,
        record: OnnxRecord,
        *,
        precision: str = "auto",
        threads: int = 0,
        segment_seconds: float | None = None,
    ) -> None:
        library = _library()
        self.name = f"OpenVINO {library.get_version().partition('-')[0]}"
        self._core, self._grid_frames = library.Core(), record.grid_frames
        self._model = self._core.read_model(content)
        seconds = segment_seconds or record.segment_seconds or _USUAL_SECONDS
        n_samples = seconds * record.sample_rate + 2 * record.context
        self._usual = -(-round(n_samples / record.hop_length + 1) // self._grid_frames) * self._grid_frames
        n_cores = threads or usable_cores()
        self._settings: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": n_cores,
            "NUM_STREAMS": -(-n_cores // _CORES_TOGETHER),
            "ENABLE_CPU_PINNING": False,
        }
        if precision in _PRECISIONS:
            self._settings["INFERENCE_PRECISION_HINT"] = _PRECISIONS[precision]
        self._compiled: dict[int, CompiledModel] = {}
        self._compiling, self._requests = Lock(), local()
        found = self._for(self._usual).get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.precision = next((ours for ours, theirs in _PRECISIONS.items() if theirs == found), found)

    def frames(self, n_frames: int) -> int:
        """See `Core`; one length serves all windows but those of odd settings."""
        return max(self._usual, -(-n_frames // self._grid_frames) * self._grid_frames)

    def __call__(self, planes: Waveform) -> Waveform:
        """See `Core`."""
        request = self._request(planes.shape[2])
        (gains,) = request.infer([planes[None]]).values()
        return np.array(gains[0], np.float32)

    def _request(self, n_frames: int) -> "InferRequest":
        """That of this thread."""
        known: dict[int, InferRequest] = self._requests.__dict__.setdefault("of_frames", {})
        if n_frames not in known:
            known[n_frames] = self._for(n_frames).create_infer_request()
        return known[n_frames]

    def _for(self, n_frames: int) -> "CompiledModel":
        with self._compiling:
            if n_frames not in self._compiled:
                self._compiled[n_frames] = self._compile(n_frames)
            return self._compiled[n_frames]

    def _compile(self, n_frames: int) -> "CompiledModel":
        """The network for one length; from the disk if it was compiled before."""
        shape = self._model.inputs[0].partial_shape
        shape[3] = n_frames
        self._model.reshape(shape)
        kept = {"CACHE_DIR": str(model_folder() / "openvino")}
        try:
            return self._core.compile_model(self._model, "CPU", self._settings | kept)
        except RuntimeError:  # where nothing can be written
            return self._core.compile_model(self._model, "CPU", self._settings)


def _library() -> Any:
    modules: dict[str, Any] = sys.modules
    modules.setdefault("openvino.tools.ovc", None)  # importing it fails, which openvino foresees
    import openvino

    return openvino
