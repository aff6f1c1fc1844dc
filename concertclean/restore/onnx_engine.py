"""Networks of ONNX files on the CPU: what goes around them, from arrays, and onnxruntime, without torch."""

import math
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import onnxruntime

from concertclean.dsp import array_stft
from concertclean.dsp.array_downmix import GRID_SAMPLES, HOP_LENGTH, N_FFT, REACH_SAMPLES, downmix_locally
from concertclean.dsp.array_stft import Run, Spectra, Waveform
from concertclean.dsp.bands import EXPONENT, LEAST_POWER, BandPlanes
from concertclean.restore.engine import Network, Waveforms
from concertclean.runtime.memory import tame_allocator
from concertclean.runtime.parallel import usable_cores
from concertclean.weights.onnx_file import INPUT, OUTPUT, OnnxRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnxruntime import InferenceSession

_MASK_BOUND: Final = 1.2
_LEAST_MAGNITUDE: Final = LEAST_POWER ** (EXPONENT / 2)  # of a silent band


class Core(Protocol):
    """The network between features and gains.

    Attributes:
        name: program that runs it, with its version.
        precision: of its inner layers.
    """

    name: str
    precision: str

    def frames(self, n_frames: int) -> int:
        """How many frames it has to be given where there are so many."""

    def __call__(self, planes: Waveform) -> Waveform:
        """Gains `(channel, band, frame)` of features `(plane, band, frame)`."""


class OnnxRuntime:
    """See `Core`.

    Args:
        session: the network.
        record: what goes around it.
    """

    precision = "fp32"

    def __init__(self, session: "InferenceSession", record: OnnxRecord) -> None:
        self._session, self._grid_frames = session, record.grid_frames
        self._returning, self._keeping = onnxruntime.RunOptions(), onnxruntime.RunOptions()
        self._returning.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self._known_frames, self._beginning = set[int](), Lock()
        self.name = f"onnxruntime {onnxruntime.__version__}"

    def frames(self, n_frames: int) -> int:
        """See `Core`."""
        return max(-(-n_frames // self._grid_frames), 2) * self._grid_frames

    def __call__(self, planes: Waveform) -> Waveform:
        """See `Core`."""
        with self._memory(planes.shape[2]) as options:
            (gains,) = self._session.run([OUTPUT], {INPUT: planes[None]}, options)
        return np.asarray(gains[0], np.float32)

    @contextmanager
    def _memory(self, n_frames: int) -> "Iterator[onnxruntime.RunOptions]":
        """How a run leaves its memory.

        The first run of a length allocates piece by piece, and returns it all. From then on onnxruntime knows how much
        that length takes, takes it at once, and keeps it for the next run: activations are not mapped anew, which took
        half of the time. The very first run is alone, because the pieces of two take more than their memory ever will.
        """
        with self._beginning:
            if not self._known_frames:
                yield self._returning
                self._known_frames.add(n_frames)
                return
        yield self._keeping if n_frames in self._known_frames else self._returning
        self._known_frames.add(n_frames)


class OnnxEngine:
    """See `engine.Engine`.

    Args:
        core: the network.
        record: what goes around it.
        floor: least gain, 0 (none) to 1.
    """

    def __init__(self, core: Core, record: OnnxRecord, *, floor: float = 0.0) -> None:
        tame_allocator("arrays")
        self.name, self.device, self.precision = core.name, "cpu", core.precision
        self.sample_rate, self.n_cores = record.sample_rate, usable_cores()
        own = _OnnxNetwork(core, record, floor)
        self.mono: Network = own
        self.stereo: Network = own if own.channels == 2 else _SharedGain(own)

    def alone(self) -> AbstractContextManager[None]:
        """See `Engine`."""
        return nullcontext()

    def begin_worker(self) -> None:
        """See `Engine`."""

    def is_out_of_memory(self, error: BaseException) -> bool:
        """See `Engine`."""
        return isinstance(error, MemoryError) or "alloc" in str(error).lower()

    def move_to_cpu(self) -> None:
        """See `Engine`; it is there already."""


class _OnnxNetwork:
    """A network with band gains between a waveform and its estimate; see `engine.Network`."""

    def __init__(self, core: Core, record: OnnxRecord, floor: float) -> None:
        self._core, self._floor = core, floor
        self.channels, self.alignment, self.context = record.channels, record.alignment, record.context
        self._hop_length = record.hop_length
        self._window = array_stft.window(record.window, record.n_fft)
        self._bands = BandPlanes(record.n_fft // 2 + 1, record.bands, record.channels, record.margin)

    def estimate(self, waveforms: Waveforms) -> Waveforms:
        """See `Network`."""
        return _inner([self.restored(waveform) for waveform in waveforms], self.context)

    def restored(self, waveform: Waveform) -> Waveform:
        """Estimate of `(channel, time)`, as long as that, with its context."""
        gains = self._gains(waveform)

        def filtered() -> "Iterator[Run]":
            # transformed once more, which takes less than holding the spectrogram while the network works
            for run, spectra in array_stft.spectra(waveform, self._window, self._hop_length):
                yield run, spectra * self._bands.per_bin(gains[:, :, run])

        shape = (len(waveform), waveform.shape[1])
        return array_stft.waveform(filtered(), self._window, self._hop_length, shape)

    def _gains(self, waveform: Waveform) -> Waveform:
        """Gains `(channel, band, frame)` of a waveform."""
        n_frames = array_stft.n_frames_of(waveform.shape[1], self._hop_length)
        planes = self._planes(waveform, self._core.frames(n_frames) - n_frames)
        return np.maximum(self._core(planes)[:, :, :n_frames], np.float32(self._floor))

    def _planes(self, waveform: Waveform, n_missing: int) -> Waveform:
        """Features `(plane, band, frame)` of a waveform, and of silence where the network needs more frames.

        That is within the context that is thrown away. What the features are made from is not held while it works.
        """
        runs = array_stft.spectra(waveform, self._window, self._hop_length)
        magnitudes = np.concatenate([self._bands.magnitudes(spectra) for _, spectra in runs], axis=2)
        silence = np.float32(_LEAST_MAGNITUDE)
        return self._bands.planes(np.pad(magnitudes, ((0, 0), (0, 0), (0, n_missing)), constant_values=silence))


class _SharedGain:
    """A mono network as a stereo one, as `networks.layers.shared_gain` has it; see `engine.Network`."""

    def __init__(self, mono: _OnnxNetwork) -> None:
        self._mono, self.channels = mono, 2
        self.alignment = math.lcm(mono.alignment, GRID_SAMPLES)
        self.context = mono.context + -(-REACH_SAMPLES // self.alignment) * self.alignment
        self._window = array_stft.window("hann", N_FFT)

    def estimate(self, waveforms: Waveforms) -> Waveforms:
        """See `Network`."""
        return _inner([self._restored(waveform) for waveform in waveforms], self.context)

    def _restored(self, waveform: Waveform) -> Waveform:
        """Both channels times the quotient of the restored downmix and the downmix."""
        mixed = downmix_locally(waveform)
        restored = self._mono.restored(mixed)

        def masked() -> "Iterator[Run]":
            parts = [array_stft.spectra(one, self._window, HOP_LENGTH) for one in (waveform, mixed, restored)]
            for (run, both), (_, degraded), (_, clean) in zip(*parts, strict=True):
                yield run, both * _mask(degraded, clean)

        return array_stft.waveform(masked(), self._window, HOP_LENGTH, (2, waveform.shape[1]))


def _mask(degraded: Spectra, clean: Spectra) -> Spectra:
    """The quotient of two spectra, its modulus limited."""
    mask = clean * degraded.conj() / (np.square(degraded.real) + np.square(degraded.imag) + np.float32(1e-12))
    return np.asarray(mask * (_MASK_BOUND / np.maximum(np.abs(mask), _MASK_BOUND)), np.complex64)


def _inner(estimates: list[Waveform], context: int) -> Waveforms:
    """Estimates without the context on both sides."""
    return np.stack([estimate[:, context : estimate.shape[1] - context] for estimate in estimates])
