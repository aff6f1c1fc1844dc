"""The page of a listening test: excerpts of equal loudness, anchors, and the facts for the script.

Conventions: ITU-R BS.1534-3 (MUSHRA): an open reference, the same reference hidden among the stimuli, low-passed
anchors, scores 0 to 100. With a noisy recording as reference there is no truth to hide. The recording itself is hidden
instead, where a listener is expected to give 0, as by Moliner and Välimäki (ICASSP 2022); the others are rated by how
good they sound beside it.
"""

import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import ellip, sosfiltfilt

from concertclean import __version__
from concertclean.audio_io.reader import AudioReader
from concertclean.config.listening import NOISY_NAME, ListeningItem, ListeningSettings, anchor_name
from concertclean.dsp.arrays import Array
from concertclean.dsp.levels import LoudnessMeter
from concertclean.dsp.resample import resample
from concertclean.errors import AudioFileError
from concertclean.report.page import Page, open_page
from concertclean.report.sound import Sound, flac, page_rate

_FADE_SECONDS = 0.02
_MAX_GAIN_DB = 30.0


@dataclass(frozen=True)
class Stimulus:
    """A stimulus with its name: role is "reference" or "noisy" (both hidden), "anchor" or "condition"."""

    name: str
    role: str
    waveform: Array


def write_listening_test(
    target: Path,
    settings: ListeningSettings,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda n_done: None,
) -> None:
    """Writes the page.

    Args:
        target: the page.
        settings: the test.
        overwrite: replace a page that exists.
        progress: receives the number of items done.

    Raises:
        AudioFileError: a file cannot be decoded, is too short, or has other channels than its reference.
        OutputError: the page exists or cannot be written.
    """
    words = {"title": settings.title, "version": __version__}
    scripts = ("player.js", "controls.js", "listen.js")
    with open_page(target, "listen.html", words=words, scripts=scripts, overwrite=overwrite) as page:
        items = []
        for number, item in enumerate(settings.item):
            items.append(_add(page, item, settings, f"i{number}"))
            progress(number + 1)
        value = {
            "test": fingerprint(settings),
            "title": settings.title,
            "instructions": [part.strip() for part in settings.instructions.split("\n\n") if part.strip()],
            "seed": settings.seed,
            "items": items,
        }
        page.add_json("page", value)


def fingerprint(settings: ListeningSettings) -> str:
    """Twelve digits that identify a test, so results of two tests are not mixed."""
    files = {"reference", "conditions"}  # their paths differ from machine to machine
    items = [{**item.model_dump(exclude=files), "conditions": sorted(item.conditions)} for item in settings.item]
    text = json.dumps([settings.title, settings.seed, settings.anchors_hz, items])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def stimuli(item: ListeningItem, anchors_hz: tuple[float, ...]) -> tuple[int, Array, list[Stimulus]]:
    """The sounds of one item, all of one length, rate and loudness.

    Args:
        item: of the test.
        anchors_hz: cutoffs of the low-passed copies.

    Returns:
        Hz; the open reference `(channel, time)`; the stimuli to rate. Nothing exceeds full scale.

    Raises:
        AudioFileError: a file cannot be decoded, is too short, or has other channels than the reference.
    """
    rate, reference = _excerpt(item.reference, item)
    is_clean = item.reference_kind == "clean"
    found = [Stimulus("reference", "reference", reference) if is_clean else Stimulus(NOISY_NAME, "noisy", reference)]
    for name, file in item.conditions.items():
        found.append(Stimulus(name, "condition", _fitted(file, item, rate, reference)))
    for cutoff in anchors_hz:
        if cutoff < 0.45 * rate:
            found.append(Stimulus(anchor_name(cutoff), "anchor", low_passed(reference, cutoff, rate)))
    wanted = _loudness(reference, rate)
    waveforms = [reference, *(_as_loud(one.waveform, wanted, rate) for one in found)]
    scale = min(1.0, 0.99 / max(1e-9, *(float(np.abs(waveform).max()) for waveform in waveforms)))
    faded = [_faded(waveform * scale, rate) for waveform in waveforms]
    return rate, faded[0], [Stimulus(one.name, one.role, wave) for one, wave in zip(found, faded[1:], strict=True)]


def low_passed(waveform: Array, cutoff_hz: float, sample_rate: int) -> Array:
    """A waveform low-passed without delay.

    Args:
        waveform: `(channel, time)`.
        cutoff_hz: -0.1 dB here; below half the rate.
        sample_rate: Hz.
    """
    # Forwards and backwards 0.1 dB of ripple up to the cutoff, 60 dB less from 1.1 times the cutoff on; BS.1534-3 asks
    # for 0.1 dB, 25 dB at 1.14 and 50 dB at 1.29 times the cutoff.
    sections = ellip(8, 0.05, 30, cutoff_hz, fs=sample_rate, output="sos")
    result: Array = sosfiltfilt(sections, waveform, axis=1)
    return result


def _add(page: Page, item: ListeningItem, settings: ListeningSettings, name: str) -> dict[str, Any]:
    """Puts the sounds of an item into the page, in random order; returns the facts for the script."""
    rate, reference, found = stimuli(item, settings.anchors_hz)
    random.Random(f"{settings.seed} {item.name}").shuffle(found)
    for number, waveform in enumerate([reference, *(one.waveform for one in found)]):
        with Sound(flac(rate, len(waveform))) as sound:
            sound.write(waveform)
        page.add_block(f"{name}-{number}", sound.data)
    return {
        "id": name,
        "name": item.name,
        "kind": item.reference_kind,
        "sampleRate": rate,
        "stimuli": [{"condition": one.name, "role": one.role} for one in found],
    }


def _excerpt(file: Path, item: ListeningItem) -> tuple[int, Array]:
    """Rate and waveform of an excerpt, for a page."""
    with AudioReader(file) as reader:
        rate = reader.info.sample_rate
        reader.skip(round(item.start_seconds * rate))
        waveform = reader.read(round(item.duration_seconds * rate))[:2]
    seconds = waveform.shape[1] / rate
    if seconds < 0.5:
        where = f"{seconds:.2f} s from {item.start_seconds:g} s on"
        raise AudioFileError(f"{file}: contains only {where}; an item needs at least half a second")
    return page_rate(rate), resample(waveform, rate, page_rate(rate))


def _fitted(file: Path, item: ListeningItem, rate: int, reference: Array) -> Array:
    """The excerpt of a condition, at the reference's rate and length."""
    own_rate, waveform = _excerpt(file, item)
    waveform = resample(waveform, own_rate, rate)
    n_samples = reference.shape[1]
    if len(waveform) != len(reference):
        raise AudioFileError(f"{file}: has {len(waveform)} channels, {item.reference} has {len(reference)}")
    if abs(waveform.shape[1] - n_samples) > 0.1 * rate:
        lengths = f"{waveform.shape[1] / rate:.2f} s of the excerpt, {item.reference} contains {n_samples / rate:.2f} s"
        raise AudioFileError(f"{file}: contains {lengths}; give files of equal length")
    return np.pad(waveform, ((0, 0), (0, max(0, n_samples - waveform.shape[1]))))[:, :n_samples]


def _loudness(waveform: Array, rate: int) -> float:
    meter = LoudnessMeter(rate, len(waveform))
    meter.add(waveform)
    return meter.integrated()


def _as_loud(waveform: Array, wanted: float, rate: int) -> Array:
    """The waveform at a loudness in LUFS; silence stays silent."""
    gain_db = wanted - _loudness(waveform, rate)
    return waveform * 10 ** (gain_db / 20) if abs(gain_db) <= _MAX_GAIN_DB else waveform


def _faded(waveform: Array, rate: int) -> Array:
    """The waveform with short fades at both ends, so an excerpt does not click."""
    n_fade = min(round(_FADE_SECONDS * rate), waveform.shape[1] // 2)
    ramp = np.sin(np.linspace(0, np.pi / 2, n_fade)) ** 2
    result = waveform.copy()
    result[:, :n_fade] *= ramp
    result[:, len(waveform[0]) - n_fade :] *= ramp[::-1]
    return result
