"""Trains the first weights on two CPU cores: a fixed time, one model a process.

    python train.py BANKS concert OUT --minutes 90
    python train.py BANKS gramophone OUT --minutes 90

The learning rate follows the clock (warm-up, then cosine to the end of the time), so a run always ends well. Every
few minutes OUT/MODEL.safetensors gets the moving average of the weights.
"""

import argparse
import ctypes
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from mixing import RATE, Concert, Gramophone
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from concertclean.models.kan_conv import KANConv2d
from concertclean.models.kanunet_eca import KANUNetECA
from concertclean.models.two_stage_unet import TwoStageUNet
from concertclean.models.weights_file import load_state, save_weights

SYSTEMS = {
    "concert": {
        "architecture": "kanunet_eca",
        "config": {
            "sample_rate": 44100, "channels": 2, "n_fft": 4096, "hop_length": 1024, "base": 8, "grid_size": 3,
            "first_grid": [-1.0, 3.0], "inner_grid": [0.0, 3.0], "eca_frames": 9, "bands": 320,
            "align_corners": False,
        },
        "batch": 4, "seconds": 2.0, "rate": 8e-3,
    },
    "gramophone": {
        "architecture": "two_stage_unet",
        "config": {
            "n_fft": 4096, "hop_length": 1024, "depth": 4, "widths": [12, 16, 24, 32, 48], "padding": "zeros",
            "bands": 320,
        },
        "batch": 4, "seconds": 2.0, "rate": 1.5e-3,
    },
}  # fmt: skip
NETWORKS = {"kanunet_eca": KANUNetECA, "two_stage_unet": TwoStageUNet}
NORM_STEPS = 400  # of the normalisation following the batch, before its statistics are frozen
LICENSE = "CC-BY-SA-4.0"


class Mixtures(IterableDataset):
    """Endless training pairs; worker w of run r draws items r, w, 0, 1, 2, ..."""

    def __init__(self, banks: Path, system: str, seconds: float, run: int) -> None:
        self.banks, self.system, self.n_samples, self.run = banks, system, int(seconds * RATE), run

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        torch.set_num_threads(1)
        maker = (Concert if self.system == "concert" else Gramophone)(self.banks)
        worker = get_worker_info()
        number = 0
        while True:
            degraded, clean = maker.item((self.run, worker.id if worker else 0, number), self.n_samples)
            yield torch.from_numpy(degraded.copy()), torch.from_numpy(clean.copy())
            number += 1


def error_db(estimate: Tensor, clean: Tensor, degraded: Tensor) -> Tensor:
    """Error power in dB of the clean power (of the degraded where clean is silent), floor -30 dB; `(batch,)`."""
    power = clean.square().mean((-1, -2))
    reference = torch.where(power > 1e-9, power, degraded.square().mean((-1, -2)))
    return 10 * torch.log10((estimate - clean).square().mean((-1, -2)) / (reference + 1e-10) + 1e-3)


def spectral_error(estimate: Tensor, clean: Tensor, degraded: Tensor, n_fft: int) -> Tensor:
    """Mean error of power-compressed magnitude and complex spectrum, so that quiet highs count too."""
    unit = degraded.square().mean((-1, -2), keepdim=True).sqrt() + 1e-6
    window = torch.hann_window(n_fft)

    def spectrum(waveform: Tensor) -> tuple[Tensor, Tensor]:
        flat = (waveform / unit).flatten(0, -2)
        x = torch.stft(flat, n_fft, n_fft // 4, window=window, return_complex=True) / math.sqrt(n_fft)
        magnitude = (x.real.square() + x.imag.square() + 1e-6).sqrt()
        return magnitude**0.3, x * (magnitude**-0.7)

    (m1, c1), (m2, c2) = spectrum(estimate), spectrum(clean)
    return (m1 - m2).abs().mean() + 0.5 * torch.view_as_real(c1 - c2).abs().mean()


def loss_of(estimate: Tensor, clean: Tensor, degraded: Tensor, n_fft: int, caution: float) -> Tensor:
    """Training loss of one estimate `(batch, channel, time)`: relative rms error, spectral error, error in dB.

    The error in dB gives clean items, whose error is small, most of the gradient: early on it holds the mask at
    one, late it teaches to leave clean music alone. Its weight `caution` therefore grows during a run.
    """
    error = error_db(estimate, clean, degraded)
    return (10 ** (error / 20) + caution * error).mean() + spectral_error(estimate, clean, degraded, n_fft)


def estimates(model: nn.Module, degraded: Tensor) -> list[Tensor]:
    """Waveforms the loss is taken on: the result, and the first stage of a two-stage network."""
    if not isinstance(model, TwoStageUNet):
        return [model(degraded)[:, 0]]
    from concertclean.dsp import stft

    stages = model.stages(stft.spectrogram(degraded, model.window, model.hop_length))
    return [stft.waveform(s, model.window, model.hop_length, degraded.shape[-1]) for s in stages]


def learning_rate(peak: float, done: float, step: int) -> float:
    """Warm-up over 150 steps, then half a cosine over the run's time."""
    return peak * min(1, (step + 1) / 150) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, done))) + 1e-6


def save(average: AveragedModel, a: argparse.Namespace, step: int, minutes: float) -> None:
    """Writes the averaged weights in the form the package loads."""
    spec = SYSTEMS[a.system]
    provenance = {
        "recipe": "recipes/first_weights/train.py",
        "training_data": "recipes/first_weights/bank.py (Debian music packages, CC0/CC-BY crowds, synthesis)",
        "license": LICENSE,
        "steps": str(step),
        "minutes": f"{minutes:.0f} on one CPU core",
    }
    state = {k: v.half() if v.is_floating_point() and v.ndim > 1 else v for k, v in average.module.state_dict().items()}
    save_weights(
        a.out / f"{a.system}.safetensors",
        state,
        architecture=spec["architecture"],
        config=spec["config"],
        provenance=provenance,
    )


class Log:
    """Means since the last line; gains by how degraded the item was: below 8 dB, above, clean."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {name: [] for name in ("loss", "norm", "noisy", "good", "clean")}

    def add(self, loss: float, norm: float, before: Tensor, after: Tensor) -> None:
        """Takes one step; `before` and `after` are errors in dB, `(batch,)`."""
        self.values["loss"].append(loss)
        self.values["norm"].append(norm)
        for start, gain in zip(before.tolist(), (before - after).tolist(), strict=True):
            self.values["noisy" if start > -8 else "good" if start > -29 else "clean"].append(gain)

    def tell(self, done: float, step: int) -> None:
        """Prints the means and starts anew."""
        means = ", ".join(f"{name} {sum(v) / len(v):.3f}" for name, v in self.values.items() if v)
        print(f"{done:6.3f} step {step}: {means}", flush=True)
        self.__init__()


def prepare(a: argparse.Namespace) -> tuple[nn.Module, AveragedModel, torch.optim.Optimizer]:
    """Network, its moving average and the optimizer."""
    spec = SYSTEMS[a.system]
    spec["config"].update(json.loads(a.set))
    spec["rate"] = a.rate or spec["rate"]
    model = NETWORKS[spec["architecture"]](**spec["config"]).train()
    if a.init is not None:
        model.load_state_dict(load_state(a.init))
    average = AveragedModel(
        model, avg_fn=lambda old, new, n: old + (new - old) * max(0.003, 10 / (n + 10)), use_buffers=True
    )
    for module in model.modules():
        if isinstance(module, KANConv2d):
            module.basis.forward = torch.compile(module.basis.forward, dynamic=True)
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.05
    return model, average, torch.optim.Adam(model.parameters(), lr=spec["rate"], betas=(0.9, 0.99))


def freeze_norm(model: nn.Module) -> None:
    """Batch statistics of three items would hide each item's level; from here on training sees what inference sees."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def train_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, degraded: Tensor, clean: Tensor, n_fft: int, caution: float
) -> tuple[float, float, Tensor]:
    """One step; loss, gradient norm (not finite: nothing was changed) and the last estimate."""
    with torch.autocast("cpu", torch.bfloat16):
        outputs = estimates(model, degraded)
    loss = sum(loss_of(y, clean, degraded, n_fft, caution) for y in outputs) / len(outputs)
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    if torch.isfinite(norm):
        optimizer.step()
    return float(loss.detach()), float(norm), outputs[-1].detach()


def train(a: argparse.Namespace) -> None:
    """Trains for `a.minutes`, saving the average every four."""
    spec = SYSTEMS[a.system]
    model, average, optimizer = prepare(a)
    mixtures = Mixtures(a.banks, a.system, spec["seconds"], a.run)
    pairs = DataLoader(mixtures, spec["batch"], num_workers=1, prefetch_factor=6)
    windows, begin, saved, log = [512, 1024, 2048, 4096], time.time(), time.time(), Log()
    for step, (degraded, clean) in enumerate(pairs):
        if step == NORM_STEPS:
            freeze_norm(model)
        done = (time.time() - begin) / 60 / a.minutes
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(spec["rate"], done, step)
        loss, norm, estimate = train_step(model, optimizer, degraded, clean, windows[step % 4], a.caution * done)
        if not math.isfinite(norm):
            print(f"step {step}: gradient not finite, skipped", flush=True)
            continue
        average.update_parameters(model)
        log.add(loss, norm, error_db(degraded, clean, degraded), error_db(estimate, clean, degraded))
        if step % 50 == 49:
            log.tell(done, step + 1)
        if time.time() - saved > 240 or done >= 1:
            save(average, a, step + 1, (time.time() - begin) / 60)
            saved = time.time()
        if done >= 1:
            return


def main() -> None:
    """Trains one system for a fixed time."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("banks", type=Path)
    ask.add_argument("system", choices=sorted(SYSTEMS))
    ask.add_argument("out", type=Path)
    ask.add_argument("--minutes", type=float, default=90)
    ask.add_argument("--run", type=int, default=1, help="seed of weights and mixtures")
    ask.add_argument("--set", default="{}", help="JSON that changes the network's config, for comparisons")
    ask.add_argument("--rate", type=float, help="peak learning rate, else the system's own")
    ask.add_argument("--caution", type=float, default=0.05, help="weight of the error in dB at the end, see loss_of")
    ask.add_argument("--init", type=Path, help="weights to start from")
    a = ask.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    libc = ctypes.CDLL(None)  # keeps glibc from mapping, and faulting in, every large activation anew
    for option, value in ((-4, 0), (-1, 2**31 - 1), (-2, 512 * 2**20)):
        libc.mallopt(option, value)
    torch.set_num_threads(1)
    torch.manual_seed(a.run)
    train(a)


if __name__ == "__main__":
    main()
