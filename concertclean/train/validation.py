"""How good a network is on mixtures that stay the same."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from concertclean.metrics.parts import music_lost_db, noise_left_db
from concertclean.metrics.sdr import si_sdr, snr
from concertclean.networks.gain_parts import has_gains, split
from concertclean.networks.scene_classifier import SceneClassifier


class Mixture(Protocol):
    """A degraded recording and what should come of it: waveforms `(channel, time)`, full scale ±1."""

    @property
    def ratio_db(self) -> float:
        """Of music and noise; inf: clean."""

    @property
    def degraded(self) -> NDArray[np.float32]:
        """What a network receives."""

    @property
    def clean(self) -> NDArray[np.float32]:
        """What it should return."""

    @property
    def kind(self) -> str:
        """Of noise, or ""."""

    @property
    def is_sung(self) -> bool:
        """Whether somebody sings."""

    @property
    def description(self) -> str:
        """What was mixed."""


class Band(Protocol):
    """What microphones pick up, and their own stems: waveforms `(microphone, time)`, full scale ±1."""

    @property
    def degraded(self) -> NDArray[np.float32]:
        """What a network gets."""

    @property
    def clean(self) -> NDArray[np.float32]:
        """What should come of it."""


class Separation(Protocol):
    """A mixture, `(channel, time)`, and its stems, `(stem, channel, time)`, full scale ±1."""

    @property
    def degraded(self) -> NDArray[np.float32]:
        """What a network gets."""

    @property
    def clean(self) -> NDArray[np.float32]:
        """What should come of it."""


class Scene(Protocol):
    """A stretch of a recording whose scene is known."""

    @property
    def degraded(self) -> NDArray[np.float32]:
        """The waveform, `(1, time)`."""

    @property
    def clean(self) -> NDArray[np.float32]:
        """Index of the scene, `(1, 1)`."""

    @property
    def kind(self) -> str:
        """Name of the scene."""


@dataclass(frozen=True)
class Judged:
    """What became of one mixture, dB.

    Attributes:
        ratio_db: of the mixture; inf: clean music.
        kind: of noise.
        is_sung: whether somebody sings.
        description: what was mixed.
        gain: of SI-SDR; SNR of clean music, at most 100.
        music_lost: see `metrics.parts`; NaN where the network has no gains or the music is clean.
        noise_left: likewise.
    """

    ratio_db: float
    kind: str
    is_sung: bool
    description: str
    gain: float
    music_lost: float
    noise_left: float


Keep = Callable[[Mixture, NDArray[np.float32]], None]
_WORST_DB = -50.0  # of an estimate that is silent
_SOUNDING = 1e-8  # mean square of a stem, -80 dB of full scale
_HARM_DB = -0.5  # gain below which a mixture counts as made worse


@torch.inference_mode()
def validate(
    model: nn.Module, mixtures: Iterable[Mixture], device: torch.device, keep: Keep = lambda mixture, estimate: None
) -> dict[str, Any]:
    """What a network reaches on mixtures: see `summary`.

    Args:
        model: in evaluation mode on `device`.
        mixtures: to judge it on.
        device: where it is.
        keep: receives every mixture and its estimate, `(channel, time)`.
    """
    judged = []
    for mixture in mixtures:
        one, estimate = _judge(model, mixture, device)
        keep(mixture, estimate)
        judged.append(one)
    return summary(judged)


def summary(judged: Sequence[Judged]) -> dict[str, Any]:
    """Means by name, dB.

    Returns:
        "si_sdr_gain at -5 dB", "music_lost at -5 dB" and "noise_left at -5 dB" for each ratio; "si_sdr_gain, KIND" for
        each kind of noise, "sung" and "not sung", over all ratios; "clean_snr" and "worst_clean_snr"; "share_worse", of
        the mixtures that lose more than 0.5 dB; "worst" and "worst_item", by name; and "score", the mean gain over the
        ratios, which decides which weights are best.
    """
    noisy = [one for one in judged if one.ratio_db != np.inf]
    clean = [one.gain for one in judged if one.ratio_db == np.inf]
    result: dict[str, Any] = {}
    for name in ("gain", "music_lost", "noise_left"):
        for ratio in sorted({one.ratio_db for one in noisy}):
            values = [getattr(one, name) for one in noisy if one.ratio_db == ratio]
            if not np.isnan(values).any():
                result[f"{'si_sdr_gain' if name == 'gain' else name} at {ratio:g} dB"] = float(np.mean(values))
    groups: dict[str, list[float]] = {}
    for one in noisy:
        for group in (one.kind, "sung" if one.is_sung else "not sung"):
            groups.setdefault(group, []).append(one.gain)
    result |= {f"si_sdr_gain, {group}": float(np.mean(gains)) for group, gains in sorted(groups.items()) if group}
    if clean:
        result |= {"clean_snr": float(np.mean(clean)), "worst_clean_snr": min(clean)}
    if noisy:
        worst = min(noisy, key=lambda one: one.gain)
        result["share_worse"] = float(np.mean([one.gain < _HARM_DB for one in noisy]))
        result |= {"worst": worst.gain, "worst_item": worst.description}
        by_ratio = [value for name, value in result.items() if name.startswith("si_sdr_gain at")]
        result["score"] = float(np.mean(by_ratio))
    return result


def _judge(model: nn.Module, mixture: Mixture, device: torch.device) -> tuple[Judged, NDArray[np.float32]]:
    """One mixture, and what came of it."""
    facts = (mixture.ratio_db, mixture.kind, mixture.is_sung, mixture.description)
    clean, degraded = (torch.from_numpy(each)[None].to(device) for each in (mixture.clean, mixture.degraded))
    if mixture.ratio_db == np.inf or not has_gains(model):
        estimate = model(degraded)[0, 0].float().cpu().numpy()
        is_clean = mixture.ratio_db == np.inf
        gain = min(snr(mixture.clean, estimate), 100.0) if is_clean else _gain_db(mixture, estimate)
        return Judged(*facts, gain, np.nan, np.nan), estimate
    parts = split(model, clean, degraded - clean)
    music, noise = (part[0].float().cpu().numpy() for part in parts)
    lost, left = music_lost_db(mixture.clean, music), noise_left_db(mixture.clean, noise)
    return Judged(*facts, _gain_db(mixture, music + noise), lost, left), music + noise


@torch.inference_mode()
def validate_bleed(dry: Callable[[Tensor], Tensor], bands: Iterable[Band], device: torch.device) -> dict[str, float]:
    """Mean gain in SI-SDR of the microphones of bands, dB.

    Args:
        dry: maps `(1, microphone, time)` to the stems of the first microphones, `(1, stem, time)`, on `device`.
        bands: to judge it on, one at least.
        device: where it is.

    Returns:
        "si_sdr_gain", "worst_band" and, the same as the first, "score", which decides which weights are best.
    """
    gains = [
        _gain_db(band, dry(torch.from_numpy(band.degraded)[None].to(device))[0].float().cpu().numpy()) for band in bands
    ]
    mean = float(np.mean(gains))
    return {"si_sdr_gain": mean, "worst_band": float(np.min(gains)), "score": mean}


@torch.inference_mode()
def validate_scenes(model: SceneClassifier, items: Iterable[Scene], device: torch.device) -> dict[str, Any]:
    """Share of the items whose scene is found.

    Args:
        model: in evaluation mode on `device`; waveforms `(batch, 1, time)` to probabilities `(batch, scene)`.
        items: to judge it on, by the mean over their windows.
        device: where it is.

    Returns:
        "accuracy, SCENE" for each scene, and "score", their mean.
    """
    right: dict[str, list[bool]] = {}
    for item in items:
        windows = model.windows(torch.from_numpy(item.degraded)[None].to(device))
        found = int(model(windows).mean(0).argmax())
        right.setdefault(item.kind, []).append(found == round(float(item.clean.flat[0])))
    accuracies = {f"accuracy, {scene}": float(np.mean(found)) for scene, found in sorted(right.items())}
    return {**accuracies, "score": float(np.mean(list(accuracies.values())))}


@torch.inference_mode()
def validate_separation(
    model: nn.Module, items: Iterable[Separation], instruments: Sequence[str], device: torch.device
) -> dict[str, float]:
    """Mean SDR of the stems of mixtures, dB: power of a stem over that of the error.

    Args:
        model: in evaluation mode on `device`; `(1, channel, time)` to `(1, stem, channel, time)`.
        items: to judge it on; a stem counts where it sounds, and one of them does somewhere.
        instruments: names of the stems.
        device: where it is.

    Returns:
        "sdr, INSTRUMENT" for each instrument that sounds, and "score", their mean.
    """
    ratios: dict[str, list[float]] = {}
    for item in items:
        found = model(torch.from_numpy(item.degraded)[None].to(device))[0].float().cpu().numpy()
        for name, truth, estimate in zip(instruments, item.clean, found, strict=True):
            if np.square(truth).mean() > _SOUNDING:
                ratios.setdefault(name, []).append(float(np.clip(snr(truth, estimate), _WORST_DB, -_WORST_DB)))
    means = {f"sdr, {name}": float(np.mean(values)) for name, values in ratios.items()}
    return {**means, "score": float(np.mean(list(means.values())))}


def _gain_db(item: Mixture | Band, estimate: NDArray[np.float32]) -> float:
    """SI-SDR after less before."""
    heard = item.degraded[: len(item.clean)]  # microphones beyond the stems have none of their own
    return max(si_sdr(item.clean, estimate), _WORST_DB) - si_sdr(item.clean, heard)
