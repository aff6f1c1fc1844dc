"""Yazhou Li: a denoising autoencoder (DDAE) in front of Wave-U-Net, scored by the vocals that come out.

Clean, noisy and denoised mixtures pass through one separator. A noisy one is the clean one in a room, with noise, and
all of it times 0.1, as in the recipe of DDAE. What comes out is compared with vocals that are not scaled, as there, so
the best separator of such a mixture scores 0.9 dB. Scored there: one song of the training set, by museval 4. Which
song, noise and room is stated nowhere, so all three come from the user.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from concertclean.corpora.sources import audio_files
from concertclean.dataset.bleed.songs import Song, Stem, find_songs, read_stem
from concertclean.dataset.excerpts import filled
from concertclean.dataset.mixing import added
from concertclean.dsp.arrays import Array
from concertclean.errors import ModelError, NoInputError
from concertclean.evaluate.methods import Method
from concertclean.evaluate.separation import Scores, over_songs, score_separator
from concertclean.networks.layers.waveform_model import WaveformModel
from concertclean.reproduce.mixtures import load_systems
from concertclean.reproduce.table import Outcome, PaperTable, Request, Row, System, find_weights
from concertclean.synthesis.degradation import reverberate
from concertclean.weights.loading import load_model

SYSTEMS = (System("DDAE", "ddae"), System("Wave-U-Net", "wave-unet-separator"))
"""The networks that this table needs: the one for its last row, and the one that every row passes through."""

CLEAN, NOISY, DENOISED = "clean", "noisy", "denoised"

_COLUMNS = ("SDR", "ISR", "SIR", "SAR")
_PUBLISHED = {CLEAN: 6.73, NOISY: -1.16, DENOISED: -1.33}  # SDR
_PUBLISHED_SIR_GAIN = 4.3
_VOCALS, _REST = "vocals", "accompaniment"
_RATE = 44_100
_FIRST, _LAST = 1_000_000, 2_000_000  # samples of a song
_N_SONGS = 50  # the first of MUSDB18
_RECORDING_GAIN = 0.1
_NOISE_PEAK = 10 ** (-1 / 20)  # at which a dataset stores noise, for which the recipe has its gain of 0 dB
_ROOM_SECONDS = 2.0  # of the response, as in training


def vocals_table(request: Request) -> Outcome:
    """SDR, ISR, SIR and SAR of the vocals that a separator finds in clean, noisy and denoised mixtures."""
    weights, remarks = find_weights(request, SYSTEMS)
    scores: dict[str, list[Scores]] = {CLEAN: [], NOISY: [], DENOISED: []}
    if "Wave-U-Net" in weights:
        separator = load_model(weights["Wave-U-Net"], task="separate").model
        denoise = load_systems({"DDAE": weights["DDAE"]})["DDAE"] if "DDAE" in weights else None
        remarks += _score_songs(request, separator, denoise, scores)
    rows = []
    for name, songs in scores.items():
        vocals = over_songs(songs)[_VOCALS] if songs else None
        ours = [None] * len(_COLUMNS) if vocals is None else [_known(getattr(vocals, k.lower())) for k in _COLUMNS]
        rows.append(Row(name, ours, [_PUBLISHED[name], None, None, None]))
    sirs = [row.ours[2] for row in rows]
    here = "" if sirs[1] is None or sirs[2] is None else f", here {sirs[2] - sirs[1]:+.1f} dB"
    remarks.append(
        f"published: SIR {_PUBLISHED_SIR_GAIN:+.1f} dB from noisy to denoised{here}; ISR and SAR not at hand"
    )
    return Outcome(_COLUMNS, tuple(rows), (*remarks, *_choices(len(scores[CLEAN]))))


def _choices(n_songs: int) -> list[str]:
    scored = [f"songs scored here: {n_songs}, medians over seconds, then songs; one there, which one is stated nowhere"]
    return [
        *(scored if n_songs else []),
        f"samples {_FIRST:,} to {_LAST:,} of each song, in mono; published mixtures may be in stereo",
        "noisy is the mixture in the room at its own level, noise of a peak of -1 dB added, and everything times "
        f"{_RECORDING_GAIN:g}; vocals are not scaled, as in the recipe of DDAE",
    ]


def _score_songs(
    request: Request, separator: WaveformModel, denoise: Method | None, scores: dict[str, list[Scores]]
) -> list[str]:
    """Adds the scores of every song; returns remarks."""
    names = [name for name in separator.instruments if name != _REST]
    if _VOCALS not in names:
        raise ModelError(f"Wave-U-Net finds {', '.join(separator.instruments)}; train it for {_VOCALS}")
    songs = _songs(request, names)
    noise, response = (_recording(request.data / kind) for kind in ("noise", "response"))
    short = 0
    for number, song in enumerate(songs):
        request.progress(song.name, number, len(songs))
        stems, is_whole = _excerpt(song)
        short += not is_whole
        clean = np.sum(list(stems.values()), axis=0)[None]
        noisy = _noisy(clean, noise, response)
        mixtures = {CLEAN: clean, NOISY: noisy}
        if denoise is not None:
            mixtures[DENOISED] = denoise(noisy, _RATE)
        for name, mixture in mixtures.items():
            scores[name].append(score_separator(separator, stems, _RATE, mixture=mixture))
    request.progress("songs", len(songs), len(songs))
    return [f"{short} of {len(songs)} songs are shorter than {_LAST:,} samples and were taken whole"] if short else []


def _songs(request: Request, names: list[str]) -> list[Song]:
    """Songs that have the stems of the separator: of MUSDB18 those for training, among which its own was."""
    train = request.data / "train"
    folder = train if os.path.isdir(train) else request.data
    found = [song for song in find_songs(folder) if set(names) <= {stem.name for stem in song.stems}]
    if not found:
        raise NoInputError(f"{folder}: no song has all of {', '.join(names)}; name the stems so")
    return found[: request.n_items or _N_SONGS]


def _recording(folder: Path) -> Array:
    """The first recording in a folder, `(1, time)`."""
    paths = audio_files(folder) if os.path.isdir(folder) else []
    if not paths:
        raise NoInputError(f"{folder}: contains no recording; put one there, its noise and room are not published")
    return read_stem(Stem(folder.name, paths[0]), _RATE)[None]


def _excerpt(song: Song) -> tuple[Mapping[str, Array], bool]:
    """The scored part of every stem, `(time,)`, and whether the song is long enough for it."""
    stems = {stem.name: read_stem(stem, _RATE) for stem in song.stems}
    n_samples = min(map(len, stems.values()))
    first, last = (_FIRST, _LAST) if n_samples >= _LAST else (0, n_samples)
    return {name: stem[first:last] for name, stem in stems.items()}, n_samples >= _LAST


def _noisy(clean: Array, noise: Array, response: Array) -> Array:
    """A mixture as a recording in the room has it, `(1, time)`."""
    room = response[:, : round(_ROOM_SECONDS * _RATE)].astype(np.float32)
    loud = (noise * (_NOISE_PEAK / np.abs(noise).max())).astype(np.float32)
    placed = reverberate(clean.astype(np.float32), room)
    return np.asarray(_RECORDING_GAIN * added(placed, filled(loud, clean.shape[1]), 0.0)[0], np.float64)


def _known(score: float) -> float | None:
    return score if np.isfinite(score) else None


TABLES: dict[str, PaperTable] = {
    "table1": PaperTable(
        "vocals through Wave-U-Net from clean, noisy and denoised mixtures, dB",
        "MUSDB18 or MUSDB18-HQ, or a folder of songs of stems; in noise and response beside them a recording each",
        vocals_table,
    )
}
