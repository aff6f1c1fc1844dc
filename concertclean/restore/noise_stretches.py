"""The stretches of a recording that hold nothing but noise: the run-in of a disc, the pause between two songs.

What is found feeds `dataset build` as noise, and the classical methods as a noise profile.

References:
    Moliner, Välimäki, ICASSP 2022: noise of gramophone records, cut out by a classifier.
    Li, Gfeller, Tagliasacchi, Roblek, ISMIR 2020: noise from the quiet segments of records; the quantile below is that
    of a public reimplementation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from concertclean.audio_io.reader import AudioReader
from concertclean.dsp.arrays import Array
from concertclean.dsp.local_downmix import downmix_locally
from concertclean.dsp.resample import resampled
from concertclean.dsp.segments import segments
from concertclean.networks.noise_detector import NoiseDetector

_SEGMENT_FRAMES = 512
_BLOCK_SECONDS = 1.0
_ENTER, _LEAVE = 0.9, 0.7  # probabilities: hysteresis
_EDGE_SECONDS = 0.5  # left out at both ends, where music rings out or a needle is lowered
_SILENCE = 1e-5  # rms below which there is no noise to learn from
_QUIETEST = 0.04  # share of a recording that is taken for noise when nothing was recognised
_LEAST_GUESS_SECONDS = 0.25
_TRIM_SECONDS = 0.4


@dataclass(frozen=True)
class Stretch:
    """A part of a recording.

    Attributes:
        start_seconds: where it begins.
        end_seconds: where it ends.
        probability: mean probability that it is noise alone; 0 for a guess.
        is_guess: nothing was recognised; this is only the quietest there is.
    """

    start_seconds: float
    end_seconds: float
    probability: float
    is_guess: bool = False

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end_seconds - self.start_seconds


def noise_of(recording: str | Path, detector: NoiseDetector, *, least_seconds: float = 2.0) -> list[Stretch]:
    """Stretches of noise of a file, as `find_noise` returns them.

    Raises:
        NoInputError, AudioFileError: the file cannot be read.
    """
    with AudioReader(recording) as reader:
        info = reader.info
        blocks = reader.blocks(round(_BLOCK_SECONDS * info.sample_rate))
        return find_noise(blocks, info.channels, info.sample_rate, detector, least_seconds=least_seconds)


def find_noise(
    blocks: Iterator[Array], channels: int, sample_rate: int, detector: NoiseDetector, *, least_seconds: float = 2.0
) -> list[Stretch]:
    """Stretches of noise alone, the longest first; where none is recognised, the quietest ones, as guesses.

    Args:
        blocks: `(channel, time)` pieces of the recording.
        channels: of the recording; their downmix is judged.
        sample_rate: Hz.
        detector: the classifier.
        least_seconds: length below which a stretch does not count, edges apart.

    Returns:
        Stretches; none for a recording without any noise, such as digital silence.
    """
    probability, rms = _judged(blocks, channels, sample_rate, detector)
    frame_seconds = detector.hop_length / detector.sample_rate
    found = recognised(np.where(rms > _SILENCE, probability, 0), frame_seconds, least_seconds)
    found = found or quietest(rms, frame_seconds)
    return sorted(found, key=lambda stretch: -stretch.seconds)


def recognised(probability: Array, frame_seconds: float, least_seconds: float) -> list[Stretch]:
    """Stretches that are entered at 0.9 and left below 0.7, half a second shorter at both ends.

    Args:
        probability: `(frame,)` of noise alone.
        frame_seconds: between frames.
        least_seconds: what must be left of a stretch.
    """
    edge = round(_EDGE_SECONDS / frame_seconds)
    found = []
    for begin, end in _runs(probability >= _LEAVE):
        if probability[begin:end].max() < _ENTER:
            continue
        inner = slice(begin + edge, end - edge)
        if (end - begin - 2 * edge) * frame_seconds >= least_seconds:
            mean = float(probability[inner].mean())
            found.append(Stretch(inner.start * frame_seconds, inner.stop * frame_seconds, mean))
    return found


def quietest(rms: Array, frame_seconds: float) -> list[Stretch]:
    """Stretches of at least a quarter of a second among the quietest 4 % of a recording, its ends left out.

    Args:
        rms: `(frame,)` level; digital silence does not count.
        frame_seconds: between frames.
    """
    trim = round(_TRIM_SECONDS / frame_seconds)
    inner = rms[trim : len(rms) - trim]
    sounding = inner[inner > _SILENCE]
    if not len(sounding):
        return []
    is_quiet = (inner > _SILENCE) & (inner <= np.quantile(sounding, _QUIETEST))
    return [
        Stretch((trim + begin) * frame_seconds, (trim + end) * frame_seconds, 0.0, is_guess=True)
        for begin, end in _runs(is_quiet)
        if (end - begin) * frame_seconds >= _LEAST_GUESS_SECONDS
    ]


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Begin and end of every run of true values."""
    steps = np.flatnonzero(np.diff(mask.astype(np.int8), prepend=0, append=0))
    for number, (begin, end) in enumerate(pairwise(steps.tolist())):
        if number % 2 == 0:
            yield begin, end


def _judged(blocks: Iterator[Array], channels: int, sample_rate: int, detector: NoiseDetector) -> tuple[Array, Array]:
    """Probability of noise alone, and rms, of every hop of the recording."""
    hop, context = detector.hop_length, detector.context
    at_detector_rate = resampled(blocks, sample_rate, detector.sample_rate, channels)
    length = _SEGMENT_FRAMES * hop
    probabilities, levels = [np.zeros(0)], [np.zeros(0)]
    for segment in segments(at_detector_rate, channels, length, length, context):
        n_frames = segment.n_valid // hop
        with torch.inference_mode():
            mono = downmix_locally(torch.from_numpy(segment.audio[None]))
            found = detector.noise_probability(mono.float())[0, context // hop : context // hop + n_frames]
        probabilities.append(found.double().numpy())
        inner = mono[0, 0].numpy()[context : context + n_frames * hop].reshape(n_frames, hop)
        levels.append(np.sqrt(np.square(inner).mean(axis=1)))
    return np.concatenate(probabilities), np.concatenate(levels)
