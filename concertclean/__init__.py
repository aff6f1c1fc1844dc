"""concertclean: restores music recordings.

From file to file, on arrays, on streams, the tracks of a band, and how good an estimate is:

>>> import concertclean as cc
>>> report = cc.denoise("in.m4a", "out.wav", model="concert", strength=0.7)
>>> restored, removed = cc.load("gramophone")(waveform, 44_100)
>>> for block in cc.load("concert").stream(blocks, sample_rate=48_000, channels=2):
...     write(block)
>>> reduction = cc.debleed(["vox.wav", "bass.wav"], "clean/")
>>> scores = cc.measure(reference, estimate, 44_100, ["sisdr", "peaq"])

Waveforms are `(channel, time)` arrays, full scale ±1. Nothing is loaded before it is used.

The map of the house; imports only ever go down, rooms on one line do not know each other.

====  =======================================  =====================================================================
11    ``cli``                                  words to calls: the only place that prints and knows flags
10    ``serve``                                a page for people: queue, before and after, sliders, saving
10    ``reproduce``                            the tables of the papers, from their corpora to what was published
9     ``evaluate``                             models and tools over many recordings, to a table
8     ``train``                                networks from training items
7     ``bleed``                                the tracks of one recording from files to files, by any method
7     ``dataset``                              training items from recordings, stored, mixed and judged on
7     ``report``                               pictures, the before/after page, the listening test
6     ``restore``                              from names and settings to restorers: arrays, streams, files, many files
5     ``corpora``                              which recordings there are, and how to get them
5     ``weights``                              cards, where weights lie, how they are fetched, read and published
4     ``classical``                            signal processing on arrays, with no weights to choose
4     ``metrics``                              how good an estimate is
4     ``networks``                             one file an architecture, the table of them, and layers
4     ``synthesis``                            crowds, discs, voices, and what lies between the music and the file
3     ``audio_io``                             the only package that opens audio files
3     ``dsp``                                  pure signal functions
3     ``runtime``                              devices, worker processes
2     ``files``                                atomic writing, hashes, downloads
1     ``config``                               records read from files, unknown keys refused
0     ``errors``                               the exception tree
====  =======================================  =====================================================================
"""

from importlib import import_module

TYPE_CHECKING = False  # true for type checkers, by its name; the module typing would be most of the time of this import
if TYPE_CHECKING:
    from concertclean.bleed.run import debleed_files as debleed
    from concertclean.metrics.catalogue import measure_scores as measure
    from concertclean.restore.analyse import analyse
    from concertclean.restore.build import load
    from concertclean.restore.denoise import denoise

__version__ = "0.2.0"
__all__ = ["analyse", "debleed", "denoise", "load", "measure"]

_PLACES = {
    "analyse": ("concertclean.restore.analyse", "analyse"),
    "debleed": ("concertclean.bleed.run", "debleed_files"),
    "denoise": ("concertclean.restore.denoise", "denoise"),
    "load": ("concertclean.restore.build", "load"),
    "measure": ("concertclean.metrics.catalogue", "measure_scores"),
}


def __getattr__(name: str) -> object:
    """The public functions, loaded when they are first used (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, function = _PLACES[name]
    return getattr(import_module(module), function)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
