"""Trains the network that finds the floor of steady noise for `steady`.

python recipes/steady_floor.py steady_floor.safetensors levels/1.npz --check levels/check.npz --steps 1500

From the quantiles of the levels that `steady_levels.py` keeps the network returns the floor; the gains that
`classical/steady.py` makes of it are applied to music and noise alone. The loss is the error that is left, in dB of
the noise.
"""

import argparse
import math
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from steady_levels import FRAMES, N_FFT, RATE, Array, Levels
from torch import Tensor, nn

from concertclean.classical.floor_network import (
    CERTAINTY,
    CORRECTION_DB,
    LARGEST_DB,
    LOW,
    N_FEATURES,
    POOLED,
    features,
)
from concertclean.classical.steady import LEAST_GAIN, NOISE_ALONE, SMOOTHED, SUBTRACTED, WIDE
from concertclean.classical.survey import WHITE_DB, band_edges, short_frame
from concertclean.config.training import OptimizerSettings
from concertclean.train.checkpoint import halved
from concertclean.train.schedule import learning_rate

WIDTHS = (24, 32, 48, 64, 64)
WORSE = 4.0  # weight on decibels lost, beside those gained
_AT_ONCE = 8  # frames of a recording in a step
_MOST, _LEAST, _TINY = 1e6, 1e-13, 1e-30  # ratio of power to noise, noise, and that ratio


def _pair(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(n_in, n_out, 5, padding=2), nn.ReLU(), nn.Conv1d(n_out, n_out, 5, padding=2), nn.ReLU()
    )


class FloorNetwork(nn.Module):
    """A U-Net over frequency: features `(batch, 21, freq)` to a correction and a certainty, `(batch, 2, freq)`.

    References:
        Ronneberger, Fischer, Brox: U-Net, MICCAI 2015, here in one dimension.

    Args:
        widths: channels of each level.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.down = nn.ModuleList(_pair(a, b) for a, b in zip((N_FEATURES, *widths), widths, strict=False))
        self.up = nn.ModuleList(_pair(a + b, a) for a, b in pairwise(widths))
        self.head = nn.Conv1d(widths[0], 2, 1)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()

    def forward(self, given: Tensor) -> Tensor:
        """See the class."""
        n_bins, skips = given.shape[2], []
        hidden = F.pad(given, (0, -n_bins % POOLED ** (len(self.down) - 1)))
        for level, pair in enumerate(self.down):
            hidden = pair(F.avg_pool1d(hidden, POOLED) if level else hidden)
            skips.append(hidden)
        skips.pop()
        for pair in reversed(self.up):
            spread = F.interpolate(hidden, scale_factor=POOLED, mode="linear", align_corners=False)
            hidden = pair(torch.cat([spread, skips.pop()], dim=1))
        answer: Tensor = self.head(hidden)
        return answer[..., :n_bins]


def _share(around: Tensor, noise: Tensor) -> Tensor:
    """`classical.steady._share` with gradients.

    Args:
        around: `(batch, frame, freq)` powers, each the mean of a frame and its neighbours.
        noise: `(batch, freq)` floor.

    Returns:
        `(batch, frame, freq)`.
    """
    noise = noise[:, None].clamp_min(_LEAST)
    near = (_mean_of(around, SMOOTHED) / noise).clamp_max(_MOST)
    wide = _mean_of((around / noise).clamp_max(_MOST), WIDE)
    alone, more = NOISE_ALONE
    signal = ((wide - alone) / (more - alone)).clamp(0, 1)
    found = (wide + signal * (near - wide)).clamp_min(_TINY)  # 0 would leave no gradient but NaN
    return (SUBTRACTED / found).clamp_max(1 - LEAST_GAIN)


def _mean_of(values: Tensor, n_bins: int) -> Tensor:
    return F.avg_pool1d(values, n_bins, 1, n_bins // 2, count_include_pad=False)


def _judged(
    network: nn.Module, levels: Levels, chosen: Array, n_bins: int, frames: slice = slice(None)
) -> tuple[Tensor, Tensor, Tensor]:
    """Powers `(batch, freq)` of what is wrong after the second pass, of the music and of the noise, in some frames."""
    quantiles = levels["quantiles"][chosen, :, :n_bins].astype(np.float32)
    rate = RATE * (n_bins - 1) // (N_FFT // 2)
    bands = levels["bands"][chosen, :, : len(band_edges(short_frame(2 * (n_bins - 1)), rate))].astype(np.float32)
    each = zip(quantiles, bands, levels["n_frames"][chosen], strict=True)
    given = np.stack([features(bins, bands, n, rate) for bins, bands, n in each])
    answer = network(torch.from_numpy(given))
    low = torch.from_numpy(quantiles[:, LOW]) - WHITE_DB
    correction = (CORRECTION_DB * answer[:, 0]).clamp(*LARGEST_DB)
    floor = torch.sigmoid(CERTAINTY * answer[:, 1]) * 10 ** ((low + correction) / 10)
    around, music, noise = (
        torch.from_numpy(10 ** (levels[name][chosen, frames, :n_bins].astype(np.float32) / 10))
        for name in ("around", "music", "noise")
    )
    share = _share(around, floor)
    wrong = share.square() * music + (1 - share).square() * noise
    return wrong.sum(1), music.sum(1), noise.sum(1)


def _loss(wrong: Tensor, music: Tensor, noise: Tensor, is_clean: Tensor, done: float) -> Tensor:
    """Error in dB of the noise; for clean music in dB of the music, above a bound that falls as the run goes on."""
    hz = torch.linspace(0, 1, wrong.shape[1]) * RATE / N_FFT * (wrong.shape[1] - 1)
    highs = (hz / 300).clamp(0.03, 40).square()
    early = min(1.0, done / 0.6)
    bound = 10 ** (-1.5 - 3.3 * early)
    total = torch.zeros(())
    for weight, factor in ((torch.ones(()), 1.0), (highs, 0.3)):
        error, truth, before = ((each * weight).sum(1) for each in (wrong, music, noise))
        harm = 10 * torch.log10(error / truth + bound) - 10 * math.log10(bound)
        gain = 10 * torch.log10((error + 1e-5 * truth) / (before + 1e-5 * truth))
        gain = gain + WORSE * F.relu(gain)
        total = total + factor * torch.where(is_clean, min(1.0, 0.2 + done / 0.6) * harm, gain).mean()
    return total


@torch.no_grad()
def check(network: nn.Module, levels: Levels) -> str:
    """Mean and worst gain of SNR on mixtures; mean and worst SNR of clean music, and how much is below 40 dB."""
    gains, clean = [], []
    for k in range(len(levels["n_frames"])):
        wrong, music, noise = (float(each.sum()) for each in _judged(network, levels, np.array([k]), N_FFT // 2 + 1))
        if levels["is_clean"][k]:
            clean.append(min(10 * math.log10(music / max(wrong, 1e-30)), 80.0))
        else:
            gains.append(10 * math.log10(noise / wrong))
    harmed = f"clean {np.mean(clean):.1f}, {sum(one < 40 for one in clean)} of {len(clean)} below 40, worst"
    return f"gain {np.mean(gains):.2f}, worst {min(gains):.1f}; {harmed} {min(clean):.1f}"


def train(network: nn.Module, levels: Levels, held_back: Levels, *, steps: int, rate: float, seed: int) -> None:
    """Trains in place; every other batch sees the lower half or quarter of the spectrum, as at lower rates."""
    rng = np.random.default_rng(seed)
    optimizer, settings = torch.optim.Adam(network.parameters()), OptimizerSettings(learning_rate=rate, warmup=50)
    began, n_all = time.monotonic(), N_FFT // 2
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings, step, steps)
        n_bins = n_all // int(rng.choice([1, 1, 1, 2, 2, 4])) + 1
        chosen = rng.integers(0, len(levels["n_frames"]), 8)
        is_clean = torch.from_numpy(levels["is_clean"][chosen])
        first = int(rng.integers(0, FRAMES - _AT_ONCE + 1))
        judged = _judged(network, levels, chosen, n_bins, slice(first, first + _AT_ONCE))
        loss = _loss(*judged, is_clean, (step + 1) / steps)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % 250 == 0 or step + 1 == steps:
            print(f"step {step + 1}, {time.monotonic() - began:.0f} s: {check(network, held_back)}", flush=True)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="weights file to write")
    parser.add_argument("levels", type=Path, nargs="+")
    parser.add_argument("--check", type=Path, required=True, help="levels of the validation side")
    parser.add_argument("--init", type=Path, help="weights to start from")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    a.out.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(a.seed)
    parts = [np.load(path) for path in a.levels]
    levels = {name: np.concatenate([part[name] for part in parts]) for name in parts[0].files}
    network = FloorNetwork()
    if a.init is not None:
        network.load_state_dict({name: value.float() for name, value in load_file(a.init).items()})
    train(network, levels, dict(np.load(a.check)), steps=a.steps, rate=a.rate, seed=a.seed)
    save_file(halved(network.state_dict()), a.out)


if __name__ == "__main__":
    main()
