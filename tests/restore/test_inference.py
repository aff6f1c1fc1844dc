"""Segmenting: any length, any segment, the same result; and what happens when memory runs out."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from concertclean.errors import ConfigError, DeviceMemoryError, ModelError
from concertclean.networks.kanunet_eca import KANUNetECA
from concertclean.restore.inference import Enhancer
from concertclean.restore.torch_engine import TorchEngine
from concertclean.runtime.devices import choose_device, choose_precision, cpu_threads

RATE = 1000


class Pointwise(nn.Module):
    """Scales, and counts its calls; the "network" of most tests."""

    sample_rate, stems, alignment, context = RATE, 1, 8, 16

    def __init__(self, channels: int = 2, fits: int | None = None) -> None:
        super().__init__()
        self.channels, self.fits = channels, fits
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, waveform: Tensor) -> Tensor:
        self.shapes.append(tuple(waveform.shape))
        if self.fits is not None and waveform.shape[0] * waveform.shape[-1] > self.fits:
            raise torch.OutOfMemoryError("out of memory")
        return 0.5 * waveform.unsqueeze(1)


def blocks(waveform: np.ndarray, size: int = 333) -> Iterator[np.ndarray]:
    return (waveform[:, i : i + size] for i in range(0, waveform.shape[1], size))


def enhance(enhancer: Enhancer, waveform: np.ndarray) -> np.ndarray:
    parts = list(enhancer.stream(blocks(waveform), len(waveform)))
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(waveform), 0))


@pytest.mark.parametrize("n_samples", [0, 1, 7, 159, 160, 161, 319, 320, 321, 1000, 4321])
@pytest.mark.parametrize("overlap_ratio", [0.0, 0.1, 0.5])
def test_a_pointwise_model_is_applied_exactly(
    n_samples: int, overlap_ratio: float, noise: Callable[..., np.ndarray]
) -> None:
    enhancer = Enhancer(
        TorchEngine(Pointwise(), device="cpu", precision="fp32"),
        segment_seconds=0.16,
        overlap_ratio=overlap_ratio,
        threads=2,
    )
    waveform = noise(n_samples)
    result = enhance(enhancer, waveform)
    assert result.shape == waveform.shape
    assert np.allclose(result, 0.5 * waveform, atol=1e-7)  # float32 inside


@pytest.mark.parametrize(("channels", "model_channels"), [(1, 1), (1, 2), (2, 2), (3, 2), (6, 2)])
def test_channels_keep_their_places(channels: int, model_channels: int, noise: Callable[..., np.ndarray]) -> None:
    enhancer = Enhancer(TorchEngine(Pointwise(model_channels), device="cpu", precision="fp32"), segment_seconds=0.16)
    waveform = noise(500, channels=channels)
    assert np.allclose(enhance(enhancer, waveform), 0.5 * waveform, atol=1e-7)


def test_many_channels_go_through_the_network_a_pair_at_a_time(noise: Callable[..., np.ndarray]) -> None:
    """So memory does not grow with their number."""
    model = Pointwise()
    waveform = noise(500, channels=17)
    enhancer = Enhancer(TorchEngine(model, device="cpu", precision="fp32"), segment_seconds=0.16, threads=1)
    assert np.allclose(enhance(enhancer, waveform), 0.5 * waveform, atol=1e-7)
    assert {shape[0] for shape in model.shapes} == {1}


class Shifted(Pointwise):
    """A "network" that delays by up to its context; negative values advance."""

    def __init__(self, shift: int) -> None:
        super().__init__()
        self.shift = shift

    def forward(self, waveform: Tensor) -> Tensor:
        return torch.roll(waveform, self.shift, dims=-1).unsqueeze(1)


@pytest.mark.parametrize("n_samples", [17, 160, 1000])
@pytest.mark.parametrize("shift", [16, -16])
def test_outside_the_recording_lies_its_mirror_image(shift: int, n_samples: int) -> None:
    """On a ramp, sample -16 equals sample 16; the end mirrors likewise. Float32 holds every value exactly."""
    place = np.arange(n_samples)
    expected = np.abs(place - shift)
    expected = np.where(expected < n_samples, expected, 2 * (n_samples - 1) - expected)
    enhancer = Enhancer(
        TorchEngine(Shifted(shift), device="cpu", precision="fp32"), segment_seconds=0.16, overlap_ratio=0.0
    )
    result = enhance(enhancer, np.tile(place / 1024, (2, 1)))
    assert np.array_equal(result, np.tile(expected / 1024, (2, 1)))


def network(*, global_view: bool = False) -> nn.Module:
    """A network that reacts to its environment; its mask is made far from constant."""
    torch.manual_seed(0)
    model = KANUNetECA(
        sample_rate=8000, channels=2, n_fft=256, hop_length=64, base=4, bands=40,
        eca_frames=0 if global_view else 3, align_corners=global_view,
    )  # fmt: skip
    nn.init.normal_(model.head.weight, std=1.0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    model.train()(0.3 * torch.randn(1, 2, 16_000))  # gives the normalisation statistics, so that the bottom counts
    return model.eval()


def error_db(reference: np.ndarray, estimate: np.ndarray) -> float:
    return 10 * float(np.log10(np.square(reference - estimate).mean() / np.square(reference).mean() + 1e-30))


def swelling(waveform: np.ndarray) -> np.ndarray:
    return waveform * np.linspace(0.01, 1, waveform.shape[1])


@pytest.mark.parametrize("segment_seconds", [0.3, 0.7, 2.0])
def test_segments_give_the_whole_to_60_db(segment_seconds: float, noise: Callable[..., np.ndarray]) -> None:
    waveform = swelling(noise(48_000, level=0.3))
    whole = enhance(Enhancer(TorchEngine(network(), device="cpu", precision="fp32"), segment_seconds=100.0), waveform)
    pieces = enhance(
        Enhancer(TorchEngine(network(), device="cpu", precision="fp32"), segment_seconds=segment_seconds), waveform
    )
    assert error_db(whole, pieces) < -100
    assert error_db(waveform, whole) > -30  # it does do something


def test_a_network_that_sees_everything_shows_its_seams(noise: Callable[..., np.ndarray]) -> None:
    """The check above can fail: global attention and stretched upsampling leave -60 dB far behind."""
    waveform = swelling(noise(48_000, level=0.3))
    whole, pieces = (
        enhance(
            Enhancer(TorchEngine(network(global_view=True), device="cpu", precision="fp32"), segment_seconds=seconds),
            waveform,
        )
        for seconds in (100.0, 0.3)
    )
    assert error_db(whole, pieces) > -60


def test_same_result_twice_whatever_the_threads(noise: Callable[..., np.ndarray]) -> None:
    waveform = noise(20_000)
    first, again, one_thread = (
        enhance(Enhancer(TorchEngine(network(), device="cpu"), segment_seconds=0.5, threads=n), waveform)
        for n in (2, 2, 1)
    )
    assert np.array_equal(first, again)
    assert np.array_equal(first, one_thread)


def test_mono_on_two_channels_stays_mono(noise: Callable[..., np.ndarray]) -> None:
    waveform = np.repeat(noise(10_000, channels=1), 2, axis=0)
    left, right = enhance(Enhancer(TorchEngine(network(), device="cpu"), segment_seconds=0.5), waveform)
    assert np.array_equal(left, right)


def test_silence_is_not_computed() -> None:
    model = Pointwise()
    result = enhance(Enhancer(TorchEngine(model, device="cpu"), segment_seconds=0.16), np.zeros((2, 1000)))
    assert result.shape == (2, 1000)
    assert not result.any()
    assert not model.shapes


def test_what_lies_beyond_the_end_is_not_computed(noise: Callable[..., np.ndarray]) -> None:
    model = Pointwise()
    enhance(
        Enhancer(TorchEngine(model, device="cpu"), segment_seconds=0.16, overlap_ratio=0.0, threads=1), noise(160 + 21)
    )
    assert [shape[-1] - 2 * model.context for shape in model.shapes] == [160, 24]


def test_out_of_memory_shortens_the_segment_and_is_told_once(noise: Callable[..., np.ndarray]) -> None:
    told: list[str] = []
    model = Pointwise(fits=150)
    enhancer = Enhancer(
        TorchEngine(model, device="cpu", precision="fp32"), segment_seconds=0.32, threads=1, notify=told.append
    )
    waveform = noise(2000)
    assert np.allclose(enhance(enhancer, waveform), 0.5 * waveform, atol=1e-7)
    assert told == ["out of memory: shorter segments from here on"]


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Enhancer]:
    """Makes enhancers that take the path of an accelerator without having one, and note their batches."""

    def make(**settings: Any) -> Enhancer:
        enhancer = Enhancer(TorchEngine(Pointwise(), device="cpu", precision="fp32"), segment_seconds=0.16, **settings)
        compute = enhancer._compute
        enhancer.batches = []  # type: ignore[attr-defined]

        def on_cpu(batch: list, model: nn.Module) -> list:
            enhancer.batches.append([window.audio[0, 20] for window in batch])  # type: ignore[attr-defined]
            time.sleep(0.01)
            enhancer.engine.device = "cpu"
            result = compute(batch, model)
            enhancer.engine.device = "accelerator"
            return result

        monkeypatch.setattr(enhancer, "_compute", on_cpu)
        enhancer.engine.device = "accelerator"
        return enhancer

    return make


def test_recordings_share_the_batches_of_a_device(accelerator: Callable[..., Enhancer]) -> None:
    enhancer = accelerator(overlap_ratio=0, batch_size=4)
    waveforms = [np.full((2, 100), 0.01 * number) for number in range(1, 13)]  # shorter than a segment
    with ThreadPoolExecutor(6) as executor:
        results = list(executor.map(lambda waveform: enhance(enhancer, waveform), waveforms))
    for waveform, result in zip(waveforms, results, strict=True):
        assert np.allclose(result, 0.5 * waveform, atol=1e-7)
    sizes = [len(batch) for batch in enhancer.batches]  # type: ignore[attr-defined]
    assert sum(sizes) == 12
    assert 1 < max(sizes) <= 4
    assert any(len(set(batch)) > 1 for batch in enhancer.batches)  # type: ignore[attr-defined]


def test_a_long_recording_alone_fills_its_batches(
    accelerator: Callable[..., Enhancer], noise: Callable[..., np.ndarray]
) -> None:
    enhancer = accelerator(overlap_ratio=0, batch_size=4)
    waveform = noise(160 * 20)
    assert np.allclose(enhance(enhancer, waveform), 0.5 * waveform, atol=1e-7)
    sizes = [len(batch) for batch in enhancer.batches]  # type: ignore[attr-defined]
    assert sizes.count(4) >= 4


def test_what_breaks_one_recording_leaves_the_others_of_its_batch_alone(accelerator: Callable[..., Enhancer]) -> None:
    enhancer = accelerator(overlap_ratio=0, batch_size=4)
    waveforms = [np.full((2, 100), value) for value in (0.1, np.nan, 0.2, 0.3)]

    def attempt(waveform: np.ndarray) -> np.ndarray | ModelError:
        try:
            return enhance(enhancer, waveform)
        except ModelError as error:
            return error

    with ThreadPoolExecutor(4) as executor:
        results = list(executor.map(attempt, waveforms))
    assert isinstance(results[1], ModelError)
    for number in (0, 2, 3):
        assert np.allclose(results[number], 0.5 * waveforms[number], atol=1e-7)


def test_out_of_memory_halves_a_batch_first(noise: Callable[..., np.ndarray]) -> None:
    told: list[str] = []
    enhancer = Enhancer(
        TorchEngine(Pointwise(), device="cpu", precision="fp32"),
        segment_seconds=0.16,
        overlap_ratio=0,
        batch_size=8,
        notify=told.append,
    )
    compute, largest, sizes = enhancer._compute, 2, list[int]()

    def small_device(batch: list, model: nn.Module) -> list:
        while not sizes and len(enhancer._shared._waiting) < 8:  # type: ignore[union-attr]
            time.sleep(0.001)  # in the first window, until a batch of 8 waits behind it
        sizes.append(len(batch))
        if len(batch) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        enhancer.engine.device = "cpu"
        result = compute(batch, model)
        enhancer.engine.device = "accelerator"
        return result

    enhancer._compute = small_device  # type: ignore[method-assign]
    enhancer.engine.device = "accelerator"  # takes the path of an accelerator without having one
    waveform = noise(160 * 9)
    assert np.allclose(enhance(enhancer, waveform), 0.5 * waveform, atol=1e-7)
    assert told == [f"out of memory: batches of {n} segments from here on" for n in (4, 2)]
    assert enhancer.batch_size == largest
    assert sizes == [1, 8, 4, 2, 2, 4, 2, 2]


def test_nothing_fits(noise: Callable[..., np.ndarray]) -> None:
    enhancer = Enhancer(TorchEngine(Pointwise(fits=0), device="cpu", precision="fp32"), segment_seconds=0.16)
    with pytest.raises(DeviceMemoryError, match="smaller model"):
        enhance(enhancer, noise(500))


def test_devices_and_precisions_by_name() -> None:
    cpu = choose_device("cpu")
    assert cpu.type == "cpu"
    assert choose_precision("auto", cpu) in ("fp32", "bf16")
    assert choose_precision("fp16", cpu) == "fp16"
    with pytest.raises(ConfigError, match="unknown device 'abacus'; choose from auto, cpu"):
        choose_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="there is no device 'cuda' here"):
            choose_device("cuda")


@pytest.mark.parametrize(("stems", "channels"), [(4, 2), (1, 4)])
def test_a_network_of_stems_or_microphones_is_refused(stems: int, channels: int) -> None:
    network = Pointwise()
    network.stems, network.channels = stems, channels
    with pytest.raises(ModelError, match=f"separates {stems} stems of {channels} channels"):
        TorchEngine(network)


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with cpu_threads(1):
        assert torch.get_num_threads() == 1
    with cpu_threads(0):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_cuda_gives_the_cpu_result(noise: Callable[..., np.ndarray]) -> None:
    waveform = noise(48_000, level=0.3)
    cpu = enhance(Enhancer(TorchEngine(network(), device="cpu", precision="fp32"), segment_seconds=0.7), waveform)
    cuda = enhance(Enhancer(TorchEngine(network(), device="cuda", precision="fp32"), segment_seconds=0.7), waveform)
    assert error_db(cpu, cuda) < -60


def test_a_stream_may_be_ended_by_one_of_its_own_threads(noise: Callable[..., np.ndarray]) -> None:
    """The garbage collector closes generators in whatever thread it runs; such a thread cannot wait for itself."""
    is_read, is_closed = threading.Event(), threading.Event()
    faults: list[BaseException] = []

    class Closing(Pointwise):
        def forward(self, waveform: Tensor) -> Tensor:
            if self.shapes and not is_closed.is_set():
                is_read.wait(10)
                try:
                    stream.close()
                except RuntimeError as error:
                    faults.append(error)
                is_closed.set()
            return super().forward(waveform)

    model = Closing()
    stream = Enhancer(TorchEngine(model, device="cpu", precision="fp32"), segment_seconds=0.16, threads=1).stream(
        blocks(noise(4000)), 2
    )
    next(stream)
    is_read.set()
    assert is_closed.wait(10)
    assert not faults
