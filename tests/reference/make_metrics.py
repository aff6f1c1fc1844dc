"""Writes metrics.json: what independent programs say of signals that the tests make again from the same recipe.

    python tests/reference/make_metrics.py

needs mir_eval<0.9, museval (which wants ffmpeg on the path), fast_bss_eval, torchmetrics, torch, torchaudio, pyloudnorm
and pyebur128; their versions are stored beside the values.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

RATE = 16_000  # Hz; low, so that the tests are quick
N_SAMPLES = 52_000  # 3.25 s: three windows of version 4 and a rest that is dropped
FRAME = 1024
FLOOR = 1e-6
PROGRAMS = (
    "mir_eval", "museval", "fast_bss_eval", "torchmetrics", "torch", "torchaudio", "pyloudnorm", "pyebur128", "numpy",
)  # fmt: skip


def music(seed: int, channels: int = 1) -> np.ndarray:
    """Partials that swell and fade, noise without highs, a floor of white noise; `(channel, time)`, about -20 dB."""
    rng = np.random.default_rng(seed)
    time = np.arange(N_SAMPLES) / RATE
    out = np.zeros((channels, N_SAMPLES))
    for _ in range(8):
        frequency, pace, phase = rng.uniform(80, 3000), rng.uniform(0.3, 2), rng.uniform(0, 2 * np.pi)
        swell = 0.5 - 0.5 * np.cos(2 * np.pi * pace * time + phase)
        out += rng.uniform(0.2, 1, (channels, 1)) * swell * np.sin(2 * np.pi * frequency * time + phase)
    out += lfilter([0.3], [1, -0.95], rng.uniform(-1, 1, out.shape), axis=1)
    return 0.04 * (out + 0.1 * rng.uniform(-1, 1, out.shape))


def restored(reference: np.ndarray, level: float, seed: int) -> np.ndarray:
    """As a restoration leaves it: a little duller, a little late, with noise and an offset."""
    noise = np.random.default_rng(seed).uniform(-1, 1, reference.shape)
    return lfilter([0, 0.7, 0.3], 1, reference, axis=1) + level * noise + 0.002


def pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reference and estimate, `(channel, time)`, by name."""
    mono, stereo = music(1), music(2, channels=2)
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(N_SAMPLES) / RATE)[None]
    return {
        "mono, faint noise": (mono, restored(mono, 0.001, 3)),
        "mono, loud noise": (mono, restored(mono, 0.1, 4)),
        "stereo": (stereo, restored(stereo, 0.02, 5)),
        "tone": (tone, restored(tone, 0.01, 6)),  # all but two directions of the normal equations are empty
    }


def separations() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """References and estimates, `(source, channel, time)`, by name; in one a window of a source is silent."""
    two = np.stack([music(7, channels=2), music(8, channels=2)])
    gap = two.copy()
    gap[1, 0, RATE : 2 * RATE] = 0  # one channel alone is no silence
    gap[0, :, 2 * RATE : 3 * RATE] = 0
    three = np.stack([music(9), music(10), music(11)])
    return {
        "one stereo": (two[:1], restored(two[0], 0.02, 12)[None]),
        "two stereo": (two, separated(two, 13)),
        "two stereo, a silent window": (gap, separated(gap, 14)),
        "three mono": (three, separated(three, 15)),
    }


def separated(references: np.ndarray, seed: int) -> np.ndarray:
    """Each source with a filtered part of the others and noise."""
    leak = 0.2 * lfilter([0.5, 0.5, -0.2], 1, references.sum(axis=0) - references)
    flat = restored((references + leak).reshape(-1, N_SAMPLES), 0.01, seed)
    return flat.reshape(references.shape)


def of_pairs() -> dict[str, dict[str, float]]:
    """Ratios, spectral distances and levels of one reference and one estimate."""
    import torch
    from fast_bss_eval import sdr as fast_sdr
    from mir_eval.separation import bss_eval_sources
    from museval.metrics import bss_eval
    from torchmetrics.functional.audio import (
        scale_invariant_signal_distortion_ratio,
        signal_distortion_ratio,
        signal_noise_ratio,
    )

    values = {}
    for name, (reference, estimate) in pairs().items():
        truth, found = torch.from_numpy(reference), torch.from_numpy(estimate)
        channels = list(zip(reference, estimate, strict=True))
        frames = [bss_eval(r[None, :, None], e[None, :, None], window=FRAME, hop=FRAME)[0] for r, e in channels]
        values[name] = {
            "snr torchmetrics": signal_noise_ratio(found.flatten(), truth.flatten()).item(),
            "si_sdr torchmetrics": scale_invariant_signal_distortion_ratio(found, truth, zero_mean=True).mean().item(),
            "segmental_snr museval": float(np.clip(frames, -10, 35).mean()),
            "sdr mir_eval": float(np.mean([bss_eval_sources(r[None], e[None], False)[0] for r, e in channels])),
            "log_spectral_distance torch": log_spectral_distance(truth, found),
            "multi_resolution_stft torch": multi_resolution_stft(truth, found),
            "multi_mel_snr torchaudio": multi_mel_snr(truth, found),
        }
        if name != "tone":  # both solve a singular system there
            values[name] |= {
                "sdr torchmetrics": signal_distortion_ratio(found, truth).mean().item(),
                "sdr fast_bss_eval": fast_sdr(truth[:, None], found[:, None]).mean().item(),
            }
    return values


def of_separations() -> dict[str, dict[str, list[list[float | None]]]]:
    """Version 4 in windows; version 3 of the first channel of every source."""
    from mir_eval.separation import bss_eval_sources
    from museval.metrics import bss_eval

    values = {}
    for name, (references, estimates) in separations().items():
        order = (0, 2, 1)
        framed = bss_eval(references.transpose(order), estimates.transpose(order), window=RATE, hop=RATE)[:4]
        whole = bss_eval_sources(references[:, 0], estimates[:, 0], False)[:3]
        values[name] = {
            "images museval": [[[finite(v) for v in row] for row in ratio] for ratio in framed],
            "sources mir_eval": [[finite(v) for v in ratio] for ratio in whole],
        }
    return values


def of_levels() -> dict[str, dict[str, float]]:
    """Loudness and true peak of the references."""
    import pyebur128
    import pyloudnorm

    values = {}
    mode = pyebur128.MeasurementMode
    for name, (waveform, _) in pairs().items():
        state = pyebur128.R128State(len(waveform), RATE, mode.MODE_I | mode.MODE_TRUE_PEAK)
        state.add_frames(np.ascontiguousarray(waveform.T).ravel(), N_SAMPLES)
        peak = max(pyebur128.get_true_peak(state, channel) for channel in range(len(waveform)))
        meter = pyloudnorm.Meter(RATE, filter_class="DeMan")
        values[name] = {
            "integrated pyebur128": pyebur128.get_loudness_global(state),
            "integrated pyloudnorm": float(meter.integrated_loudness(waveform.T)),
            "true_peak pyebur128": float(20 * np.log10(peak)),
        }
    return values


def spectra(truth, found, n_fft: int, hop_length: int):
    """Magnitudes by torch, a full-scale sine is 1."""
    import torch

    window = torch.hann_window(n_fft, dtype=torch.float64)
    both = [torch.stft(w, n_fft, hop_length, window=window, center=False, return_complex=True) for w in (truth, found)]
    return [(spectrum.abs() * 2 / window.sum()).clamp_min(FLOOR) for spectrum in both]


def log_spectral_distance(truth, found) -> float:
    truth, found = spectra(truth, found, 2048, 512)
    return (10 * (truth**2 / found**2).log10()).square().mean(dim=-2).sqrt().mean().item()


def multi_resolution_stft(truth, found) -> float:
    total = 0.0
    for n_fft in (4096, 2048, 1024, 512, 256):
        one, other = spectra(truth, found, n_fft, n_fft // 4)
        total += ((one - other).norm() / one.norm() + (one.log() - other.log()).abs().mean()).item()
    return total / 5


def multi_mel_snr(truth, found) -> float:
    """As at 48 kHz, whatever the waveforms are; all channels together."""
    import torch
    from torchaudio.transforms import MelSpectrogram

    found = found * (truth * found).sum() / (found * found).sum()
    ratios = []
    for n_fft, n_mels in ((512, 80), (1024, 128), (2048, 192)):
        mel = MelSpectrogram(48_000, n_fft, hop_length=n_fft // 2, n_mels=n_mels, f_max=24_000).double()
        one, other = mel(truth), mel(found)
        ratios.append(10 * torch.log10(one.square().sum() / (one - other).square().sum()).item())
    return sum(ratios) / 3


def finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def main() -> None:
    stored = {
        "versions": {program: version(program) for program in PROGRAMS},
        "pairs": of_pairs(),
        "separations": of_separations(),
        "levels": of_levels(),
    }
    (Path(__file__).parent / "metrics.json").write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    main()
