"""From file to file by name and settings: what `concertclean denoise` runs, and `concertclean.denoise` in Python."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from concertclean.audio_io.formats import AUDIO_EXTENSIONS, FILM_EXTENSIONS, FORMATS, AudioInfo
from concertclean.audio_io.reader import AudioReader
from concertclean.config.denoise import AUTO, DenoiseSettings, read_settings
from concertclean.errors import AudioFileError, ConcertCleanError, ConfigError
from concertclean.files.places import Place, below, place_of
from concertclean.files.storage import make_folder_of, require_writable
from concertclean.restore import batch
from concertclean.restore.auto import AutoDenoiser
from concertclean.restore.build import Hooks, build_restorer
from concertclean.restore.chain import stages_of
from concertclean.restore.manifest import shard_of
from concertclean.restore.pipeline import Denoiser
from concertclean.restore.recordings import find_recordings
from concertclean.restore.results import Report, kept_format, output_format

_EXTENSION: Final = re.compile(r"\.(?=.*[a-z])[a-z0-9]{1,5}")  # not that of "tapes.1987"


def denoise(
    recording: str | Path,
    output: str | Path | None = None,
    *,
    overwrite: bool = False,
    progress: Callable[[float], None] = lambda seconds: None,
    **settings: object,
) -> Report:
    """Restores a recording from file to file, as `concertclean denoise` does.

    Args:
        recording: any file with audio in it, or the URL of one.
        output: file or folder, or the URL of one; None: NAME_clean.wav beside the recording, or NAME_clean.mp4 and
            the like for a video. Its extension says the format.
        overwrite: replace a file that exists; never the recording itself.
        progress: receives, once a second of audio, how many seconds are done.
        settings: fields of `config.denoise.DenoiseSettings`, such as `model`, `strength` or `format`.

    Returns:
        What was done: levels before and after, how much was removed, warnings; `output_path` is the file.

    Raises:
        AudioFileError: the recording cannot be read.
        OutputError: the output exists, or cannot be written.
        ConfigError: a setting is unknown or out of range.
        ModelError: the model is unknown, for another task, or damaged.
    """
    given = read_settings(None, {"format": format_of(output), **settings}, place="settings")
    (job,) = plan([str(recording)], None if output is None else place_of(output), given, recursive=False)
    make_folder_of(job.target)
    return build_denoiser(given).run(
        job.source, job.target, removed_target=job.removed, overwrite=overwrite, progress=progress
    )


def build_denoiser(settings: DenoiseSettings, hooks: Hooks = Hooks()) -> Denoiser | AutoDenoiser:  # noqa: B008 - frozen
    """Returns what restores files with these settings.

    Args:
        settings: of the run.
        hooks: what the caller is called back for; with the model "auto", once for each model that is chosen.

    Raises:
        ConfigError, ModelError, OfflineError: see `build_restorer`.
    """
    if settings.model != AUTO:
        return Denoiser(build_restorer(stages_of(settings.model), settings, hooks), settings)
    if settings.noise_profile is not None:
        raise ConfigError("noise_profile: is for lsa; name the model, such as lsa-c")
    from concertclean.restore.analyse import analyse
    from concertclean.restore.scenes import load_scenes

    classifier = load_scenes(offline=settings.offline)

    def make(model: str) -> Denoiser:
        chosen = settings.model_copy(update={"model": model})
        return Denoiser(build_restorer(stages_of(model) if model else (), chosen, hooks), chosen)

    return AutoDenoiser(make, lambda source: analyse(source, classifier, audio_stream=settings.audio_stream))


def plan(
    inputs: list[str],
    output: Place | None,
    settings: DenoiseSettings,
    *,
    recursive: bool,
    unreadable: Callable[[AudioFileError], None] | None = None,
    shard: tuple[int, int] = (1, 1),
) -> list[batch.Job]:
    """Returns which recordings are restored and where their results go.

    Args:
        inputs: files, folders and patterns, on this machine or by URL.
        output: file or folder; None: beside each recording.
        settings: format of the results, and whether what is removed is written.
        recursive: look into folders of folders.
        unreadable: receives an error for each folder that cannot be read; None: the first is raised.
        shard: number of a part, from 1, and how many parts there are; a recording belongs to one by its name below
            the folder that was given, so that it is the same wherever that lies.

    Raises:
        NoInputError: a path does not exist, or nothing was found.
        ConfigError: the output is one file but there are several recordings, its name says another format, or nothing
            can be written to such a URL.
    """

    def kept(source: Place) -> str:
        is_sound = source.suffix.lower() in AUDIO_EXTENSIONS - FILM_EXTENSIONS
        if settings.format == "auto" and is_sound:  # a folder may hold many, on slow disks
            return "wav"
        try:
            return kept_format(source, settings, with_picture=settings.is_whole)
        except ConcertCleanError:
            return "wav"  # the run itself reports what is wrong with the file

    if output is not None:
        require_writable(output)
    recordings = find_recordings(inputs, recursive=recursive, unreadable=unreadable)
    jobs = batch.plan(recordings, output, settings.format, removed=settings.removed, resolve=kept)
    number, count = shard
    if count == 1:
        return jobs
    roots = dict(recordings)
    names = (below(job.source, roots[job.source]).as_posix() for job in jobs)
    return [job for job, found in zip(jobs, shard_of(names, count), strict=True) if found == number]


def check(source: Place, settings: DenoiseSettings) -> AudioInfo:
    """Opens a recording to see whether it can be restored at all.

    Args:
        source: the recording.
        settings: where the part to restore begins.

    Returns:
        Facts about it.

    Raises:
        AudioFileError: it cannot be read.
        ConfigError: the part to restore begins after its end, or the format is for videos, and it is none.
    """
    with AudioReader(source, audio_stream=settings.audio_stream) as reader:
        seconds = reader.info.duration_seconds
        if seconds is not None and settings.start_seconds > seconds:
            raise ConfigError(f"{source}: is {seconds:.2f} s long, cannot start at {settings.start_seconds:g} s")
        output_format(reader.info, settings, with_picture=settings.is_whole)
        return reader.info


def format_of(output: str | Path | None) -> str | None:
    """Returns the format that the extension of an output names; None if it is a folder, or not given.

    Raises:
        ConfigError: no file with this extension can be written.
    """
    extension = place_of(output or "").suffix.lower()
    formats = {
        each: name
        for name, entry in FORMATS.items()
        if entry.is_writable or entry.film_muxer
        for each in reversed(entry.extensions)
    }
    if extension in formats:
        return formats[extension]
    is_folder = str(output).endswith(("/", os.sep)) or os.path.isdir(str(output))
    if output is None or is_folder or not _EXTENSION.fullmatch(extension):
        return None
    known = ", ".join(dict.fromkeys(entry.extensions[0] for entry in FORMATS.values() if entry.is_writable))
    cure = "end it with / to write into a folder of that name"
    raise ConfigError(f"{output}: {extension} files cannot be written, only {known}; {cure}")
