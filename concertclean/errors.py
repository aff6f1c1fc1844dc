"""Everything concertclean raises on purpose.

::

    ConcertCleanError
    ├── AudioFileError        a file cannot be opened or decoded
    │   └── NoInputError      nothing to read: missing, empty folder, no audio inside
    ├── OutputError           the output cannot be written
    │   └── OutputExistsError  there is such a file already
    ├── TracksError           files are not the tracks of one recording
    ├── ConfigError           a setting or a TOML file is wrong
    ├── ModelError            unknown model, damaged or unfit weights
    │   └── OfflineError      the weights are not here and the network is off or away
    ├── MetricError           a metric is not defined for a pair of recordings
    ├── TrainingError         a training run cannot go on
    ├── DeviceMemoryError     not even the smallest segment fits into memory
    ├── WorkerError           the process that worked on a recording died, again and again
    └── UnexpectedError       a fault of concertclean itself, met while it worked on a recording

A message names the file, the fact and the cure. Programming mistakes raise `ValueError` instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(BaseException):
    """Work is to end before it is done; no error, so it passes everything that catches errors."""


class ConcertCleanError(Exception):
    """Base of every error a user can cause or cure."""


class AudioFileError(ConcertCleanError):
    """An audio file cannot be opened or decoded."""


class NoInputError(AudioFileError):
    """There is nothing to read at this path."""


class OutputError(ConcertCleanError):
    """The output cannot be written."""


class OutputExistsError(OutputError):
    """There is a file of the output's name already, and nobody said that it may be replaced."""


class TracksError(ConcertCleanError):
    """Files are not the tracks of one recording: too few, of different lengths, rates or channels."""


class ConfigError(ConcertCleanError):
    """A setting, or a configuration file, is wrong."""


class ModelError(ConcertCleanError):
    """A model is unknown, or its weights are damaged or do not fit."""


class OfflineError(ModelError):
    """Weights are not stored here and cannot be fetched without the network."""


class DeviceMemoryError(ConcertCleanError):
    """Not even one smallest segment fits into the device's memory."""


class TrainingError(ConcertCleanError):
    """A training run cannot go on."""


class WorkerError(ConcertCleanError):
    """Every process that worked on a recording died."""


class UnexpectedError(ConcertCleanError):
    """A fault of concertclean itself, met while it worked on a recording; `__cause__` is what was raised."""


class MetricError(ConcertCleanError):
    """A metric is not defined for this pair of recordings: too short, silent, of different lengths or rates."""


@contextmanager
def foreseen(name: object) -> Iterator[None]:
    """Raises whatever nothing below foresaw as one of these errors, so that a batch can report it and go on.

    Args:
        name: of the recording, for the message.

    Raises:
        DeviceMemoryError: in place of a `MemoryError`.
        ConfigError: where torch is missing.
        UnexpectedError: in place of every other exception that is not a `ConcertCleanError`.
    """
    try:
        yield
    except ConcertCleanError:
        raise
    except MemoryError as error:
        raise DeviceMemoryError(f"{name}: needs more memory than there is; close other programs") from error
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "torch":
            message = f"{name}: this needs torch, which is not installed; pip install 'concertclean[torch]'"
            raise ConfigError(message) from error
        fact = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        message = f"{name}: unexpected {fact}; this is a fault of concertclean, please report it"
        raise UnexpectedError(message) from error
