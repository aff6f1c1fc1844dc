"""Networks run by torch, on whatever device there is."""

from contextlib import AbstractContextManager

import torch

from concertclean.errors import ModelError
from concertclean.networks.layers.shared_gain import SharedGain
from concertclean.networks.layers.waveform_model import WaveformModel
from concertclean.restore.engine import Waveforms
from concertclean.runtime.devices import choose_device, choose_precision, cpu_threads
from concertclean.runtime.memory import tame_allocator


class TorchEngine:
    """See `engine.Engine`.

    Args:
        model: network of one stem, for one channel or two; on stereo, a mono one is wrapped in `SharedGain`.
        device: name as for `choose_device`.
        precision: name as for `choose_precision`.

    Raises:
        ModelError: the network has several stems, or more than two channels.
        ConfigError: there is no such device here.
    """

    def __init__(self, model: WaveformModel, *, device: str = "auto", precision: str = "auto") -> None:
        if model.stems != 1 or model.channels not in (1, 2):
            raise ModelError(
                f"the network separates {model.stems} stems of {model.channels} channels; "
                "restoring needs one with one stem, for one channel or two"
            )
        self.name = f"torch {torch.__version__}"
        self.place = choose_device(device)
        self.device = "cpu" if self.place.type == "cpu" else str(self.place)
        self.precision: str = choose_precision(precision, self.place)
        if self.place.type == "cpu":
            tame_allocator()
        self.model, self.sample_rate, self.n_cores = model, model.sample_rate, torch.get_num_threads()
        self.mono = _TorchNetwork(self, model.eval().to(self.place))
        self.stereo = self.mono
        if model.channels == 1:
            self.stereo = _TorchNetwork(self, SharedGain(model).eval().to(self.place))

    def alone(self) -> AbstractContextManager[None]:
        """See `Engine`."""
        return cpu_threads(1)

    def begin_worker(self) -> None:
        """See `Engine`."""
        torch.set_num_threads(1)

    def is_out_of_memory(self, error: BaseException) -> bool:
        """See `Engine`."""
        return (
            isinstance(error, MemoryError | torch.OutOfMemoryError)
            or "out of memory" in str(error).lower()
            or ("can't allocate memory" in str(error).lower())
        )

    def move_to_cpu(self) -> None:
        """See `Engine`."""
        self.place, self.device, self.precision = torch.device("cpu"), "cpu", "fp32"
        for network in (self.mono, self.stereo):
            network.model.to(self.place)


class _TorchNetwork:
    """See `engine.Network`."""

    def __init__(self, engine: TorchEngine, model: WaveformModel) -> None:
        self._engine, self.model = engine, model
        self.channels, self.alignment, self.context = model.channels, model.alignment, model.context

    def estimate(self, waveforms: Waveforms) -> Waveforms:
        """See `Network`."""
        place = self._engine.place
        low = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self._engine.precision)
        with torch.inference_mode(), torch.autocast(place.type, low, enabled=low is not None):
            estimate = self.model(torch.from_numpy(waveforms).to(place, non_blocking=True))[:, 0]
            found = estimate[..., self.context : estimate.shape[-1] - self.context].float()
            result: Waveforms = found.cpu().numpy()  # waits until the device is done
        return result
