"""Pages of the papers' listening tests: real recordings beside what each system makes of them.

The recording is the reference and is hidden among the stimuli too; there is no truth. `concertclean listen score` reads
what listeners save.
"""

from collections.abc import Mapping
from pathlib import Path

from concertclean.audio_io.whole import write_waveform
from concertclean.config.listening import ListeningItem, ListeningSettings
from concertclean.dsp.arrays import Array
from concertclean.dsp.resample import resample
from concertclean.errors import ConfigError
from concertclean.evaluate.methods import Method
from concertclean.report.listening import write_listening_test
from concertclean.reproduce.mixtures import folder_of, read_mono
from concertclean.reproduce.table import Outcome, Request, Row

_SECONDS = 8.0
_RATE = 44_100


def listening_page(
    request: Request, title: str, systems: Mapping[str, Method], *, n_items: int, remarks: list[str]
) -> Outcome:
    """Write the page, with one item for each recording of the user's folder "recordings".

    Args:
        request: the page and the sounds on it go to its folder.
        title: of the page.
        systems: by name, as the results of the test will call them.
        n_items: recordings, at most, unless the request says how many.
        remarks: about systems that are missing.

    Raises:
        ConfigError: there is no system.
        NoInputError: there are no recordings.
        OutputError: the page exists, or cannot be written.
    """
    if not systems:
        raise ConfigError(f"{title}: no system can be run; {'; '.join(remarks)}")
    paths = folder_of(request.data, "recordings")[: request.n_items or n_items]
    items = []
    for number, path in enumerate(paths):
        request.progress("recordings", number, len(paths))
        recording = _middle(path)
        files = {"recording": recording, **{name: method(recording, _RATE) for name, method in systems.items()}}
        written = {}
        for name, waveform in files.items():
            written[name] = request.folder / "sounds" / f"{number:02d} {name}.flac"
            write_waveform(written[name], waveform, _RATE, bit_depth=24, overwrite=True)
        reference = written.pop("recording")
        items.append(
            ListeningItem(
                name=f"{number + 1}: {path.stem}",
                reference=reference,
                reference_kind="noisy",
                conditions=written,
                duration_seconds=recording.shape[1] / _RATE,
            )
        )
    request.progress("recordings", len(paths), len(paths))
    settings = ListeningSettings(title=title, seed=request.seed, anchors_hz=(), item=tuple(items))
    page = request.folder / "listening.html"
    write_listening_test(page, settings)
    rows = tuple(Row(name, (float(len(items)),), (None,)) for name in systems)
    return Outcome(("items",), rows, (*remarks, f"page for the listeners: {page}"), decimals=0)


def _middle(path: Path) -> Array:
    """The middle of a recording, mono, `(1, time)`."""
    whole, rate = read_mono(path)
    n_samples = min(round(_SECONDS * rate), whole.shape[1])
    start = (whole.shape[1] - n_samples) // 2
    return resample(whole[:, start : start + n_samples], rate, _RATE)
