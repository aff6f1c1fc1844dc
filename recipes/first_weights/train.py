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
import torch.nn.functional as F
from mixing import RATE, Concert, Gramophone
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from concertclean.models.kan_conv import KANConv2d
from concertclean.models.kanunet_eca import KANUNetECA
from concertclean.models.two_stage_unet import TwoStageUNet
from concertclean.models.weights_file import save_weights

SYSTEMS = {
    "concert": {
        "architecture": "kanunet_eca",
        "config": {
            "sample_rate": 44100, "channels": 2, "n_fft": 2048, "hop_length": 512, "base": 12, "grid_size": 3,
            "first_grid": [-1.0, 1.0], "inner_grid": [0.0, 3.0], "eca_frames": 17, "output": "mask",
            "exponent": 0.3, "fold": 4,
        },
        "batch": 3, "seconds": 2.0, "rate": 2e-3,
    },
    "gramophone": {
        "architecture": "two_stage_unet",
        "config": {
            "depth": 4, "widths": [16, 24, 32, 48, 64], "output": "mask", "exponent": 0.3, "padding": "zeros",
            "fold": 4,
        },
        "batch": 3, "seconds": 2.0, "rate": 1.5e-3,
    },
}  # fmt: skip
NETWORKS = {"kanunet_eca": KANUNetECA, "two_stage_unet": TwoStageUNet}
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


def loss_of(estimate: Tensor, clean: Tensor, degraded: Tensor, n_fft: int) -> Tensor:
    """Training loss of one estimate `(batch, channel, time)`."""
    return 0.05 * error_db(estimate, clean, degraded).mean() + spectral_error(estimate, clean, degraded, n_fft)


def estimates(model: nn.Module, degraded: Tensor) -> list[Tensor]:
    """Waveforms the loss is taken on: the result, and the first stage of a two-stage network."""
    if not isinstance(model, TwoStageUNet):
        return [model(degraded)[:, 0]]
    from concertclean.dsp import stft

    spectrum = stft.spectrogram(degraded, model.window, model.hop_length)[:, 0]
    stages = model.stages(spectrum)
    return [stft.waveform(s, model.window, model.hop_length, degraded.shape[-1])[:, None] for s in stages]


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


def main() -> None:
    """Trains one system for a fixed time."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("banks", type=Path)
    ask.add_argument("system", choices=sorted(SYSTEMS))
    ask.add_argument("out", type=Path)
    ask.add_argument("--minutes", type=float, default=90)
    ask.add_argument("--run", type=int, default=1)
    ask.add_argument("--set", default="{}", help="JSON that changes the network's config, for comparisons")
    a = ask.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    libc = ctypes.CDLL(None)  # keeps glibc from mapping, and faulting in, every large activation anew
    libc.mallopt(-4, 0), libc.mallopt(-1, 2**31 - 1), libc.mallopt(-2, 512 * 2**20)
    torch.set_num_threads(1)
    torch.manual_seed(a.run)
    spec = SYSTEMS[a.system]
    spec["config"].update(json.loads(a.set))
    model = NETWORKS[spec["architecture"]](**spec["config"]).train()
    average = AveragedModel(
        model, avg_fn=lambda old, new, n: old + (new - old) * max(0.002, 1 / (n + 1)), use_buffers=True
    )
    for module in model.modules():
        if isinstance(module, KANConv2d):
            module.basis.forward = torch.compile(module.basis.forward, dynamic=True)
        elif isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.03
    optimizer = torch.optim.Adam(model.parameters(), lr=spec["rate"], betas=(0.9, 0.99))
    pairs = DataLoader(Mixtures(a.banks, a.system, spec["seconds"], a.run), spec["batch"], num_workers=1, prefetch_factor=6)
    windows, begin, saved, total = [512, 1024, 2048, 4096], time.time(), time.time(), []
    for step, (degraded, clean) in enumerate(pairs):
        done = (time.time() - begin) / 60 / a.minutes
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(spec["rate"], done, step)
        with torch.autocast("cpu", torch.bfloat16):
            outputs = estimates(model, degraded)
        loss = sum(loss_of(y, clean, degraded, windows[step % 4]) for y in outputs) / len(outputs)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if not torch.isfinite(norm):
            print(f"step {step}: gradient not finite, skipped", flush=True)
            continue
        optimizer.step()
        average.update_parameters(model)
        gain = error_db(degraded, clean, degraded) - error_db(outputs[-1].detach(), clean, degraded)
        total.append((float(loss.detach()), float(gain.mean()), float(norm)))
        if step % 50 == 49:
            mean = [sum(v) / len(v) for v in zip(*total, strict=True)]
            print(f"{done:6.3f} step {step + 1} loss {mean[0]:.4f} gain {mean[1]:.2f} dB norm {mean[2]:.2f}", flush=True)
            total.clear()
        if time.time() - saved > 240 or done >= 1:
            save(average, a, step + 1, (time.time() - begin) / 60)
            saved = time.time()
        if done >= 1:
            break


if __name__ == "__main__":
    main()
