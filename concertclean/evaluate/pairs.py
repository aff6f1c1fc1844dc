"""Matches files in pairs and checks whether they can be compared.

Nothing is silently shifted, stretched or resampled. A pair that does not match is refused with the reason. One that
nearly matches (some samples of padding at the end, a delay) is compared unchanged, with a remark.
"""

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import correlate

from concertclean.audio_io.formats import AUDIO_EXTENSIONS
from concertclean.audio_io.reader import AudioReader
from concertclean.dsp.arrays import Array
from concertclean.dsp.downmix import polarities
from concertclean.errors import ConfigError, MetricError, NoInputError
from concertclean.files.walk import find_files

_CLEANED = "_clean"  # the suffix that `denoise` adds to a name
_PADDING_SECONDS = 0.1  # lossy codecs add up to two packets
_LAG_SECONDS = 0.1


@dataclass(frozen=True)
class PairFiles:
    """Files that belong together.

    Attributes:
        name: relative path, or the file's name.
        reference: the truth.
        estimate: the candidate.
        noisy: what the candidate was made from, if known.
    """

    name: str
    reference: Path
    estimate: Path
    noisy: Path | None


@dataclass(frozen=True)
class AlignedPair:
    """Waveforms to compare, `(channel, time)`, all of one shape, full scale ±1.

    Attributes:
        reference: the truth.
        estimate: the candidate.
        noisy: what the candidate was made from, or None.
        sample_rate: Hz.
        remarks: to read beside the numbers.
    """

    reference: Array
    estimate: Array
    noisy: Array | None
    sample_rate: int
    remarks: tuple[str, ...] = ()


def find_pairs(reference: Path, estimate: Path, noisy: Path | None = None) -> tuple[list[PairFiles], list[str]]:
    """Pairs of two files, or of two folders by relative path, whatever their formats.

    Args:
        reference: file, or folder.
        estimate: the same; in a folder `NAME_clean` belongs to `NAME` if there is no other.
        noisy: the same, or None.

    Returns:
        The pairs in the order of their names, and a sentence for every reference without a partner, or with two, and
        for every folder that cannot be read. Of a.wav and a.flac beside each other each belongs to its like.

    Raises:
        NoInputError: there is nothing to compare.
        ConfigError: a file and a folder are given.
    """
    given = [path for path in (reference, estimate, noisy) if path is not None]
    for path in given:
        if not os.path.exists(path):
            raise NoInputError(f"{path}: does not exist; check the name")
    if not any(os.path.isdir(path) for path in given):
        return [PairFiles(estimate.name, reference, estimate, noisy)], []
    if not all(os.path.isdir(path) for path in given):
        raise ConfigError("give files only, or folders only; a file cannot be compared with a folder")
    return _mirrored(reference, estimate, noisy)


def _mirrored(reference: Path, estimate: Path, noisy: Path | None) -> tuple[list[PairFiles], list[str]]:
    """Pairs of folders, and the files without a partner."""
    alone: list[str] = []
    references, estimates = _by_name(reference, alone), _by_name(estimate, alone)
    degraded = {} if noisy is None else _by_name(noisy, alone)
    if not references:
        raise NoInputError(f"{reference}: contains no recordings")
    pairs = []
    for name, paths in references.items():
        for path in paths:
            label = name if len(paths) == 1 else f"{name}{path.suffix}"
            is_alone = len(paths) == 1
            try:
                found = _partner(name, path, estimates, estimate, is_alone=is_alone, mark=_CLEANED)
                before = None if noisy is None else _partner(name, path, degraded, noisy, is_alone=is_alone)
            except NoInputError as error:
                alone.append(f"{label}: {error}")
            else:
                pairs.append(PairFiles(label, path, found, before))
    if not pairs:
        raise NoInputError(f"{estimate}: contains nothing named like the recordings in {reference}; {'; '.join(alone)}")
    return pairs, alone


def _by_name(folder: Path, faults: list[str]) -> dict[str, list[Path]]:
    """Recordings below a folder by relative path without extension, in order; what cannot be read is noted."""
    found: dict[str, list[Path]] = {}
    for path in find_files(folder, AUDIO_EXTENSIONS, unreadable=lambda error: faults.append(str(error))):
        # macOS writes é as e and an accent, others as one character; both mean the same name.
        name = unicodedata.normalize("NFC", path.relative_to(folder).with_suffix("").as_posix())
        found.setdefault(name, []).append(path)
    return dict(sorted(found.items()))


def _partner(
    name: str, path: Path, files: dict[str, list[Path]], folder: Path, *, is_alone: bool, mark: str = ""
) -> Path:
    """The file in a folder that belongs to a recording; NoInputError if there is none, or nobody can say which."""
    by_format = f"{name}_{path.suffix[1:].lower()}{mark}"  # as `denoise` names results of a.wav and a.mp3
    for key in [name, by_format, name + mark] if mark else [name]:
        found = files.get(key, [])
        own = found if key == by_format else [one for one in found if one.suffix.lower() == path.suffix.lower()]
        exact = [one for one in own if one.name == path.name]
        for fitting in (exact, own, found if is_alone else []):
            if len(fitting) == 1:
                return fitting[0]
        if found:
            raise NoInputError(f"could be {' or '.join(one.name for one in found)} in {folder}; keep one of them")
    raise NoInputError(f"is not in {folder}")


def read_pair(files: PairFiles, *, downmix: bool = False) -> AlignedPair:
    """The waveforms of a pair.

    Args:
        files: to read.
        downmix: compare the mean of the channels, inverted ones inverted back.

    Raises:
        AudioFileError: a file cannot be read.
        MetricError: rates, channels or lengths do not match.
    """
    paths = [path for path in (files.reference, files.estimate, files.noisy) if path is not None]
    waveforms, rates, remarks = [], [], []
    for path in paths:
        with AudioReader(path) as reader:
            waveforms.append(reader.read_all())
            rates.append(reader.info.sample_rate)
            remarks += [f"{path.name}: {warning}" for warning in reader.warnings]
    if downmix:
        waveforms = _mixed_alike(waveforms)
    for path, waveform, rate in zip(paths[1:], waveforms[1:], rates[1:], strict=True):
        remarks += _fitting(path, waveform, rate, files.reference, waveforms[0], rates[0])
    n_samples = min(waveform.shape[1] for waveform in waveforms)
    reference, estimate, *rest = (waveform[:, :n_samples] for waveform in waveforms)
    lag = lag_of(reference, estimate, round(_LAG_SECONDS * rates[0]))
    if lag:
        remarks.append(f"the estimate is {abs(lag)} samples {'late' if lag > 0 else 'early'}; not corrected")
    return AlignedPair(reference, estimate, rest[0] if rest else None, rates[0], tuple(remarks))


def _mixed_alike(waveforms: list[Array]) -> list[Array]:
    """Means of the channels; those inverted in the first waveform, the reference, are inverted back in all."""
    signs = polarities(waveforms[0])
    own = (signs if len(waveform) == len(signs) else polarities(waveform) for waveform in waveforms)
    return [(one[:, None] * waveform).mean(axis=0, keepdims=True) for one, waveform in zip(own, waveforms, strict=True)]


def _fitting(path: Path, waveform: Array, rate: int, truth_path: Path, truth: Array, truth_rate: int) -> list[str]:
    """Remarks about a file and its reference; raises if they cannot be compared."""
    if rate != truth_rate:
        raise MetricError(f"{path}: has {rate} Hz, {truth_path} {truth_rate} Hz; resample one of them")
    if len(waveform) != len(truth):
        counts = f"has {len(waveform)} channels, {truth_path} {len(truth)}"
        raise MetricError(f"{path}: {counts}; use downmix to compare the mean of the channels")
    longer = waveform.shape[1] - truth.shape[1]
    if not waveform.shape[1] or not truth.shape[1]:
        raise MetricError(f"{path if not waveform.shape[1] else truth_path}: contains no samples")
    if abs(longer) > _PADDING_SECONDS * rate:
        kind = "longer" if longer > 0 else "shorter"
        raise MetricError(f"{path}: is {abs(longer) / rate:.2f} s {kind} than {truth_path}; cut both to one length")
    kind = "longer" if longer > 0 else "shorter"
    return [f"{path.name}: {abs(longer)} samples {kind} than the reference; the rest is compared"] if longer else []


def lag_of(reference: Array, estimate: Array, largest: int) -> int:
    """Delay of an estimate in samples, at the highest cross-correlation; 0 unless that is clear.

    Args:
        reference: `(channel, time)`.
        estimate: same shape.
        largest: lag searched, samples.
    """
    truth, candidate = (mixed[0] for mixed in _mixed_alike([reference, estimate]))
    found = correlate(candidate, truth, mode="full", method="fft")
    centre = len(truth) - 1
    near = found[max(0, centre - largest) : centre + largest + 1]
    best = int(np.argmax(near)) - min(centre, largest)
    # Periodic music correlates at many lags: only a lag that explains the estimate much better is reported.
    return best if near.max() > 1.1 * max(found[centre], 0.0) and near.max() > 0 else 0
