"""What is wrong with a recording, and which stages would mend it.

Clicks, hum, hiss, rumble, bandwidth and clipping are measured; whether there is a crowd, a disc or speech is left to
a small classifier. Up to six stretches of a recording are looked at, so a long one takes as long as a minute.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np

from concertclean.audio_io.reader import AudioReader
from concertclean.classical.declick import clicks
from concertclean.classical.dehum import hum_of
from concertclean.classical.gaps import runs
from concertclean.config.denoise import PRESETS
from concertclean.dsp.arrays import Array
from concertclean.dsp.diagnosis import Measured, measure
from concertclean.dsp.resample import resample
from concertclean.dsp.scene_images import SCENES, WINDOW_SECONDS
from concertclean.files.places import Place
from concertclean.restore.scenes import Classifier, load_scenes

_STRETCHES: Final = 6
_STRETCH_SECONDS: Final = 12.0
_CLICK_SECONDS: Final = 8.0  # that are searched for clicks
_SURE: Final = 0.7  # mean probability below which a scene is doubtful
_CROWD_PRESENT: Final = 0.85  # probability of a window with a crowd
_CROWD_NOW_AND_THEN: Final = 0.15  # share of such windows at which there is a crowd, if only between the songs
_SAME_HUM: Final = 0.003  # part of the pitch by which two stretches may differ
_SILENCE: Final = 1e-4  # peak
_MANY_CLICKS: Final = 2.0  # a second; drums have fewer


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        seconds: length of what was looked at.
        scene: "clean", "crowd", "disc", "speech" or "silence".
        probabilities: of the scenes the classifier knows, means over the recording.
        clicks_per_second: in the stretch with most of them.
        hum_hz: pitch of the hum; None without.
        hum_partials: how many of its partials are there.
        measured: bandwidth, hiss, rumble, clipping and channels.
        model: that would mend it, as settings name it; "" where the recording is best left alone.
        reason: why, in one line.
    """

    seconds: float
    scene: str
    probabilities: Mapping[str, float]
    clicks_per_second: float
    hum_hz: float | None
    hum_partials: int
    measured: Measured
    model: str
    reason: str

    @property
    def is_doubtful(self) -> bool:
        """Whether the classifier is not sure."""
        return bool(self.probabilities) and max(self.probabilities.values()) < _SURE

    def record(self, path: str) -> dict[str, Any]:
        """The diagnosis as JSON holds it; levels that are infinite are null.

        Args:
            path: of the recording, for the record.
        """
        measured = self.measured
        return {
            "path": path,
            "seconds": round(self.seconds, 2),
            "scene": self.scene,
            "is_doubtful": self.is_doubtful,
            "probabilities": {scene: round(value, 4) for scene, value in self.probabilities.items()},
            "clicks_per_second": round(self.clicks_per_second, 2),
            "hum_hz": None if self.hum_hz is None else round(self.hum_hz, 2),
            "hum_partials": self.hum_partials,
            "hiss_db": round(measured.hiss_db, 1) if math.isfinite(measured.hiss_db) else None,
            "rumble_db": round(measured.rumble_db, 1) if math.isfinite(measured.rumble_db) else None,
            "bandwidth_hz": round(measured.bandwidth_hz),
            "clipped_share": measured.clipped_share,
            "channels": measured.channels,
            "model": self.model or None,
            "reason": self.reason,
        }


def analyse(
    source: str | Place | BinaryIO, classifier: Classifier | None = None, *, audio_stream: int | None = None
) -> Diagnosis:
    """Look at a recording.

    Args:
        source: file or binary stream.
        classifier: ready to run; None loads the one in the package.
        audio_stream: which sound of a film, from 1; None: the default one.

    Raises:
        NoInputError, AudioFileError: the recording cannot be read.
        ModelError: the classifier cannot be loaded.
    """
    with AudioReader(source, audio_stream=audio_stream) as reader:
        stretches, rate = _stretches(reader), reader.info.sample_rate
    whole = np.concatenate(stretches, axis=1)
    measured = measure(whole, rate)
    if np.abs(whole).max(initial=0.0) < _SILENCE:
        return Diagnosis(whole.shape[1] / rate, "silence", {}, 0.0, None, 0, measured, "", "it is silent")
    windows = _probabilities(stretches, rate, classifier or load_scenes())
    probabilities = {scene: float(mean) for scene, mean in zip(SCENES, windows.mean(axis=0), strict=True)}
    scene = _scene(windows)
    n_clicks = max(_clicks_per_second(stretch, rate) for stretch in stretches[:: max(1, len(stretches) // 2)])
    hum_hz, partials = _hum(stretches, rate)
    model, reason = propose(scene, hum_hz, n_clicks)
    return Diagnosis(whole.shape[1] / rate, scene, probabilities, n_clicks, hum_hz, partials, measured, model, reason)


def propose(scene: str, hum_hz: float | None, clicks_per_second: float) -> tuple[str, str]:
    """Stages for what was found, as the setting `model` takes them, and why.

    Args:
        scene: see `Diagnosis.scene`.
        hum_hz: pitch of the hum, or None.
        clicks_per_second: in the stretch with most.
    """
    hum = "" if hum_hz is None else f"hum of {hum_hz:.1f} Hz"
    if scene == "disc":
        return PRESETS["78rpm"], "it has the surface noise of a disc"
    if scene == "crowd":
        model = "dehum,concert" if hum else "concert"
        return model, "there is a crowd" + (f", and {hum}" if hum else "")
    if scene == "speech":
        return "", "it is speech without music; the models are made for music"
    has_clicks = clicks_per_second > _MANY_CLICKS
    found = [hum] * bool(hum) + [f"{clicks_per_second:.0f} clicks a second"] * has_clicks
    model = ",".join(["dehum"] * bool(hum) + ["declick"] * has_clicks)
    return model, "; ".join(found) if found else "no crowd and no disc noise was found"


def _stretches(reader: AudioReader) -> list[Array]:
    """Up to six stretches of twelve seconds, spread over the recording; all of it where it is short."""
    rate, total = reader.info.sample_rate, reader.info.n_samples
    size = round(_STRETCH_SECONDS * rate)
    if total is None or total <= _STRETCHES * size:
        whole = reader.read(_STRETCHES * size)
        return [whole[:, start : start + size] for start in range(0, max(1, whole.shape[1]), size)]
    found, position = [], 0
    for start in np.linspace(0, total - size, _STRETCHES).astype(int):
        position += reader.skip(int(start) - position)
        found.append(reader.read(size))
        position += found[-1].shape[1]
    return [stretch for stretch in found if stretch.shape[1]]


def _probabilities(stretches: list[Array], rate: int, classifier: Classifier) -> Array:
    """Probabilities `(window, scene)` of all windows that are not silent; even ones if all are."""
    size = round(WINDOW_SECONDS * classifier.sample_rate)
    found = []
    for stretch in stretches:
        waveform = resample(_louder(stretch), rate, classifier.sample_rate)
        for start in range(0, max(1, waveform.shape[1] - size // 2), size):
            window = waveform[:, start : start + size]
            if np.abs(window).max(initial=0.0) < _SILENCE:
                continue
            repeats = -(-size // window.shape[1])
            found.append(classifier(np.tile(window[0], repeats)[:size].astype(np.float32)))
    return np.stack(found) if found else np.full((1, len(SCENES)), 1 / len(SCENES))


def _scene(windows: Array) -> str:
    """The likeliest scene; a crowd also where it comes only now and then, over music that is clean otherwise."""
    likeliest = SCENES[int(windows.mean(axis=0).argmax())]
    now_and_then = (windows[:, SCENES.index("crowd")] > _CROWD_PRESENT).mean()
    return "crowd" if likeliest == "clean" and now_and_then >= _CROWD_NOW_AND_THEN else likeliest


def _hum(stretches: list[Array], rate: int) -> tuple[float | None, int]:
    """Pitch and partials of hum that most of the stretches have: hum never stops, held notes do."""
    found = [hum for stretch in stretches if (hum := hum_of(_louder(stretch), rate)) is not None]
    if 2 * len(found) <= len(stretches):
        return None, 0
    pitch = float(np.median([pitch for pitch, _ in found]))
    agreeing = [partials for hz, partials in found if abs(hz / pitch - 1) < _SAME_HUM]
    return (pitch, max(agreeing)) if 2 * len(agreeing) > len(stretches) else (None, 0)


def _clicks_per_second(stretch: Array, rate: int) -> float:
    """Clicks that the declicker would mend in the middle of a stretch, in its louder channel."""
    n_samples = min(stretch.shape[1], round(_CLICK_SECONDS * rate))
    start = (stretch.shape[1] - n_samples) // 2
    (found,) = clicks(_louder(stretch)[:, start : start + n_samples], rate)
    return float(len(runs(found, rate // 1000)[0]) * rate / max(1, n_samples))


def _louder(waveform: Array) -> Array:
    """The channel with most energy, `(1, time)`; never the sum, in which opposite channels would cancel."""
    return np.asarray(waveform[int(np.square(waveform).sum(axis=1).argmax())][None])
