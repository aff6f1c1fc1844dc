"""The before/after page: sound, spectrograms, numbers and settings of some recordings in one HTML file."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from concertclean import __version__
from concertclean.config.times import clock
from concertclean.dsp.levels import LoudnessMeter
from concertclean.errors import ConcertCleanError, foreseen
from concertclean.report.change import STEP_SECONDS, Change, measure, most_changed
from concertclean.report.page import Page, open_page, palette
from concertclean.report.pairs import Pair, PairFacts, blocks, facts
from concertclean.report.sound import OPUS_RATE, Sound, flac, opus, page_rate
from concertclean.report.spectrogram import Spectrograms, display_range, grey_png
from concertclean.report.words import numbers_table, settings_table, together

PAGE_SECONDS = 600.0  # what a browser handles easily: about 15 MB of page, 160 without loss, 480 MB of memory
PREVIEW_SECONDS = 30.0
VERSIONS = ("before", "after", "removed")
# Bit/s and channel of the two sounds, the second of which is heard less: five minutes of stereo make a page of 8 MB.
_BIT_RATES = (34_000, 22_000)
_MAX_COLUMNS = 1500  # of pictures
_STEP_DB = 1.0

Progress = Callable[[Pair, float, float | None], None]


@dataclass(frozen=True)
class Comparison:
    """A pair for the page, and its record in the log of `denoise`, if there is one."""

    pair: Pair
    record: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class _Form:
    """How much of a recording is in the page, in seconds at most, and whether without loss."""

    limit: float
    lossless: bool

    def rate(self, known: PairFacts) -> int:
        return page_rate(known.sample_rate) if self.lossless else OPUS_RATE

    def sounds(self, rate: int, channels: int, gain: float) -> tuple[Sound, Sound]:
        """Encoders of the result and of what was removed."""
        if self.lossless:
            return Sound(flac(rate, channels), gain), Sound(flac(rate, channels), gain)
        left, removed = (Sound(opus(channels, bit_rate), gain) for bit_rate in _BIT_RATES)
        return left, removed


@dataclass(frozen=True)
class _Excerpt:
    """The part of a result in the page, in seconds."""

    start: float
    seconds: float


def write_comparison(
    target: Path,
    comparisons: Sequence[Comparison],
    *,
    preview_seconds: float | None = None,
    lossless: bool = False,
    overwrite: bool = False,
    progress: Progress = lambda pair, seconds, total: None,
) -> list[tuple[Pair, ConcertCleanError]]:
    """Writes the page; a pair that cannot be compared is reported, the rest go on.

    Args:
        target: the page.
        comparisons: at least one.
        preview_seconds: embed this much of each recording, where it changed most; None: all, if that is ten minutes at
            most, else half a minute of each.
        lossless: embed the sounds as FLAC, ten times as large as the Opus of other pages.
        overwrite: replace an existing page.
        progress: receives the pair, its seconds measured, and its seconds in total, if known.

    Returns:
        The errors. If no pair succeeded, there is no page.

    Raises:
        OutputError: the page exists or cannot be written.
    """
    failures: list[tuple[Pair, ConcertCleanError]] = []
    entries: list[dict[str, Any]] = []
    form = _Form(preview_seconds or _limit(comparisons), lossless)
    words = {"title": _title(comparisons), "version": __version__}
    scripts = ("player.js", "spectrogram.js", "controls.js", "deck.js", "mix.js", "spectra.js", "wave.js", "report.js")
    with open_page(target, "report.html", words=words, scripts=scripts, overwrite=overwrite) as page:
        for comparison in comparisons:
            try:
                with foreseen(comparison.pair.after):
                    entries.append(_add(page, comparison, f"r{len(entries)}", form, progress))
            except ConcertCleanError as error:
                failures.append((comparison.pair, error))
        if not entries:
            page.abandon()
        page.add_json("page", {"palette": palette(), "recordings": entries})
    return failures


def _title(comparisons: Sequence[Comparison]) -> str:
    first = comparisons[0].pair.before.stem
    return first if len(comparisons) == 1 else f"{len(comparisons)} recordings"


def _limit(comparisons: Sequence[Comparison]) -> float:
    """Seconds of each recording in the page by default."""
    total = 0.0
    for comparison in comparisons:
        try:
            total += facts(comparison.pair).seconds or 0.0
        except ConcertCleanError:
            continue  # reported when its turn comes
    return PAGE_SECONDS if total <= PAGE_SECONDS else PREVIEW_SECONDS


def _add(page: Page, comparison: Comparison, name: str, form: _Form, progress: Progress) -> dict[str, Any]:
    """Measures a pair and puts its sound and pictures into the page; returns its facts for the script."""
    pair = comparison.pair
    known = facts(pair)
    change = measure(pair, known, lambda seconds: progress(pair, seconds, known.seconds))
    excerpt = _excerpt(change, form.limit)
    entry, data = _embedded(pair, known, change, excerpt, form)
    for block, value in data.items():
        page.add_block(f"{name}-{block}", value)
    return {
        "id": name,
        "name": pair.before.stem,
        "before": pair.before.name,
        "after": pair.after.name,
        "numbers": [[together(cell) for cell in row] for row in numbers_table(change, comparison.record)],
        "settings": settings_table(comparison.record, known, pair),
        "notes": [together(note) for note in _notes(known, change, excerpt, form)],
        **entry,
    }


def _excerpt(change: Change, limit: float) -> _Excerpt:
    """The whole result, or where it changed most."""
    if change.seconds <= limit:
        return _Excerpt(0.0, change.seconds)
    n_steps = max(1, round(limit / STEP_SECONDS))
    return _Excerpt(most_changed(change.removed_energies, n_steps) * STEP_SECONDS, limit)


def _embedded(
    pair: Pair, known: PairFacts, change: Change, excerpt: _Excerpt, form: _Form
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Facts for the script, and the blocks of data: two sounds and their pictures.

    The sounds are the result and what was removed. Their sum is the recording, and the result at a lower strength is a
    sum of them as well, so what a codec adds to one of them is never left over from a difference. The picture of the
    recording follows in the page.
    """
    rate, channels = form.rate(known), min(known.channels, 2)
    meters = [LoudnessMeter(rate, channels) for _ in VERSIONS]
    pictures = Spectrograms(len(VERSIONS), channels, round(excerpt.seconds * rate), _MAX_COLUMNS)
    played = _headroom(change.peak_before_db, change.peak_after_db)
    stored = min(played, _headroom(change.peak_after_db, change.peak_removed_db))
    sounds = form.sounds(rate, channels, stored)
    with sounds[0], sounds[1]:
        for both in blocks(pair, rate, start_seconds=excerpt.start, seconds=excerpt.seconds):
            before, after = (block[:channels] for block in both)
            three = (before, after, before - after)
            pictures.add(np.stack(three))
            for block, meter in zip(three, meters, strict=True):
                meter.add(block)
            for block, sound in zip(three[1:], sounds, strict=True):
                sound.write(block)
    levels = pictures.levels()
    data = {"sound-after": sounds[0].data, "sound-removed": sounds[1].data}
    data |= {"picture-after": grey_png(levels[1], _STEP_DB), "picture-removed": grey_png(levels[2], _STEP_DB)}
    column_seconds, lead_seconds = pictures.timing(rate)
    entry = {
        "sampleRate": rate,
        "codec": "FLAC" if form.lossless else "Opus",
        "startSeconds": excerpt.start,
        "seconds": excerpt.seconds,
        "wholeSeconds": change.seconds,
        "gain": stored / played,
        "lufs": [meter.integrated() if math.isfinite(meter.integrated()) else None for meter in meters],
        "rangeDb": display_range(levels),
        "columnSeconds": column_seconds,
        "hopLength": pictures.hop_length,
        "framesPerColumn": pictures.frames_per_column,
        "leadSeconds": lead_seconds,
        "course": _course(change),
    }
    return entry, data


def _headroom(*peaks_db: float) -> float:
    """Factor that lowers sounds above full scale to below it; 16 bits would clip."""
    peak_db = max(peaks_db)
    return 1.0 if peak_db <= 0 else float(10 ** (-(peak_db + 0.1) / 20))


def _course(change: Change, n_points: int = 300) -> list[int]:
    """How much was removed over the course of the recording: amplitude, 0 to 100, at most `n_points`."""
    energies = change.removed_energies
    edges = np.unique(np.linspace(0, len(energies), n_points, endpoint=False).astype(int))
    peaks = np.maximum.reduceat(energies, edges)
    return [round(100 * value) for value in np.sqrt(peaks / max(peaks.max(), 1e-20))]


def _notes(known: PairFacts, change: Change, excerpt: _Excerpt, form: _Form) -> list[str]:
    """Notes for the listener about the sound in the page."""
    notes = []
    if excerpt.seconds < change.seconds:
        where = f"{clock(excerpt.start)} to {clock(excerpt.start + excerpt.seconds)} of {clock(change.seconds)}"
        notes.append(f"This page contains {where}: the part where most was removed. The numbers are for the whole.")
    rate = form.rate(known)
    if not form.lossless:
        notes.append("To keep this page small, its sound is compressed (Opus). The numbers are those of the files.")
    elif rate != known.sample_rate:
        notes.append(f"The sound in this page is at {rate} Hz, the recording at {known.sample_rate} Hz.")
    if known.after_rate != known.sample_rate:
        notes.append(f"The result is at {known.after_rate} Hz; it was resampled for comparison.")
    if known.channels > 2:
        notes.append(f"This page plays channels 1 and 2 of {known.channels}.")
    played = _headroom(change.peak_before_db, change.peak_after_db)
    if played < 1:
        lowered = f"{-20 * math.log10(played):.1f} dB"
        notes.append(f"Before and after exceed full scale; in this page both are lowered by {lowered}.")
    return notes
