"""A crowd made from single claps, shouts and speech: hours of it, where full-bandwidth recordings offer minutes.

Everybody has a position and makes short waveforms; a crowd is their sum. Recorded clips are used if available; else
claps come from a physical model and voices are vowels. Crowds are float32 `(2, n_samples)`; `crowd` has an rms of 1.

References:
    Peltola, Erkut, Cook, Välimäki, Synthesis of hand clapping sounds, IEEE TASLP 15(3), 2007, for `clap` and
    `applause`; the rest is our own, with the laws of the shipped weights.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Final, Protocol

import numpy as np

from concertclean.synthesis.calls import boo, whistle, whoop
from concertclean.synthesis.degradation import colour, reverberate
from concertclean.synthesis.shaping import (
    Event,
    Position,
    Utter,
    Waveform,
    layered,
    log_uniform,
    placed,
    resonant,
    room_response,
    sentence,
    unit_peak,
    unit_rms,
)

_KINDS: Final = {"applause": 0.24, "cheer": 0.34, "babble": 0.17, "near": 0.15, "boos": 0.08}
_N_SENTENCES: Final = 24  # synthetic ones, shared by all talkers: enough that none stands out


class Clips(Protocol):
    """A collection of short recordings."""

    def draw(self, rng: np.random.Generator, seconds: float, speed: float = 1.0) -> Waveform:
        """At most `seconds` of a random clip played at `speed`, `(1 or 2, time)` float32, not empty, peak at most 1."""
        ...


def clap(
    rng: np.random.Generator,
    sample_rate: int = 44_100,
    *,
    centre_hz: float | None = None,
    decay_seconds: float | None = None,
) -> Waveform:
    """One hand clap: decaying noise through a two-pole resonator, `(1, time)` float32, peak one.

    Args:
        rng: source of the noise and of values not given.
        sample_rate: Hz.
        centre_hz: peak of the spectrum, by the shape of the hands; None draws 500 to 3000.
        decay_seconds: time in which the level falls by 20 dB; None draws 5 to 20 ms.
    """
    centre = rng.uniform(500, 3000) if centre_hz is None else centre_hz
    decay = rng.uniform(0.005, 0.020) if decay_seconds is None else decay_seconds
    n_samples = int(3 * decay * sample_rate)  # down by 60 dB
    burst = rng.standard_normal((1, n_samples)) * 10 ** (-np.arange(n_samples) / (decay * sample_rate))
    return unit_peak(resonant(burst, centre, log_uniform(rng, 400, 3000), sample_rate))


def applause(
    rng: np.random.Generator,
    n_samples: int,
    sample_rate: int = 44_100,
    *,
    claps: Clips | None = None,
    n_people: int | None = None,
    beat_hz: float | None = None,
) -> Waveform:
    """People clapping, each with two claps of their own.

    Args:
        rng: source of chance.
        n_samples: length.
        sample_rate: Hz.
        claps: recorded claps for two in five; None: all by the model.
        n_people: None draws 3 to 300.
        beat_hz: everybody claps together this many times per second; None: each at their own pace of 2 to 5 Hz.
    """
    people = int(log_uniform(rng, 3, 300)) if n_people is None else n_people
    common = rng.random()

    def one() -> Waveform:
        if claps is None or rng.random() < 0.6:
            return clap(rng, sample_rate)
        return unit_peak(claps.draw(rng, 0.1)[:1])

    def hands() -> Iterator[Event]:
        position, pace = Position.draw(rng), beat_hz or rng.uniform(2, 5)
        kinds = [position.placed(one(), sample_rate) for _ in range(2)]
        # In periods: a person's place in the beat, and the deviation of each clap from it.
        phase, stray = (common + rng.normal(0, 0.05), 0.02) if beat_hz else (rng.random(), 0.1)
        for k in range(-1, int(n_samples / sample_rate * pace) + 1):
            start = (k + phase + rng.normal(0, stray)) / pace
            yield int(start * sample_rate), rng.uniform(0.5, 1) * kinds[rng.integers(2)]

    return placed(chain.from_iterable(hands() for _ in range(people)), n_samples, channels=2)


def cheer(
    rng: np.random.Generator, n_samples: int, sample_rate: int = 44_100, *, clips: Iterable[Clips] = ()
) -> Waveform:
    """Layered voices of 6 to 90 people, who shout, rest about a second and shout again.

    Args:
        rng: source of chance.
        n_samples: length.
        sample_rate: Hz.
        clips: recorded voices for seven shouts in ten; none: whoops and whistles only.
    """
    starts = rng.uniform(-1, 1, int(log_uniform(rng, 6, 90)))
    utter = _shout(tuple(clips), sample_rate)
    return layered(rng, n_samples, sample_rate, utter=utter, starts=starts, rest_seconds=1.0)


def boos(rng: np.random.Generator, n_samples: int, sample_rate: int = 44_100) -> Waveform:
    """Three to 90 people booing, each again after hardly a breath.

    Args:
        rng: source of chance.
        n_samples: length.
        sample_rate: Hz.
    """
    starts = rng.uniform(-2, 1, int(log_uniform(rng, 3, 90)))
    utter = partial(boo, sample_rate=sample_rate)
    return layered(rng, n_samples, sample_rate, utter=utter, starts=starts, rest_seconds=0.5)


def near_voices(
    rng: np.random.Generator, n_samples: int, sample_rate: int = 44_100, *, clips: Iterable[Clips] = ()
) -> Waveform:
    """Bursts of one to three people beside the phone, who keep their treble; `clips` as in `cheer`."""
    starts = rng.uniform(0, 0.6 * n_samples / sample_rate, rng.integers(1, 4))
    utter = _shout(tuple(clips), sample_rate)
    return layered(
        rng, n_samples, sample_rate, utter=utter, starts=starts, rest_seconds=2.0, position=Position.draw_near
    )


def scattered(
    rng: np.random.Generator,
    n_samples: int,
    sample_rate: int = 44_100,
    *,
    clips: Sequence[Clips],
    speeds: tuple[float, float] = (0.8, 1.25),
) -> Waveform:
    """One to a dozen sounds at independent times, most of them near.

    Args:
        rng: draws how many, which, when, how fast and from which position.
        n_samples: length.
        sample_rate: Hz.
        clips: collections to draw from, at least one, each equally often.
        speeds: slowest and fastest, pitch with it.
    """

    def sounds() -> Iterator[Event]:
        for _ in range(max(1, round(log_uniform(rng, 1, 12)))):
            position = Position.draw_near(rng) if rng.random() < 0.6 else Position.draw(rng)
            sound = clips[int(rng.integers(len(clips)))].draw(rng, 4.0, log_uniform(rng, *speeds))[:1]
            start = int(rng.uniform(-0.2, 0.9) * n_samples)
            yield start, position.placed(unit_peak(sound), sample_rate)

    return placed(sounds(), n_samples, channels=2)


def babble(
    rng: np.random.Generator, n_samples: int, sample_rate: int = 44_100, *, speech: Clips | None = None
) -> Waveform:
    """Ten to 200 people talking all at once.

    Args:
        rng: source of chance.
        n_samples: length.
        sample_rate: Hz.
        speech: recorded speech; None: sentences of vowels.
    """
    starts = rng.uniform(-2, 1, int(log_uniform(rng, 10, 200)))
    made = [sentence(rng, sample_rate) for _ in range(_N_SENTENCES if speech is None else 0)]

    def utter(rng: np.random.Generator) -> Waveform:
        if speech is None:
            return made[rng.integers(len(made))]
        return unit_peak(speech.draw(rng, 4.0, rng.uniform(0.85, 1.2))[:1])

    return layered(rng, n_samples, sample_rate, utter=utter, starts=starts, rest_seconds=0.6)


def _shout(clips: tuple[Clips, ...], sample_rate: int) -> Utter:
    """Returns a function that draws one shout: recorded, whooped or whistled."""

    def utter(rng: np.random.Generator) -> Waveform:
        draw = rng.random() * (1.0 if clips else 0.3)
        if draw < 0.25:
            return whoop(rng, sample_rate)
        if draw < 0.3:
            return 0.4 * whistle(rng, sample_rate)
        return unit_peak(clips[rng.integers(len(clips))].draw(rng, 2.5, rng.uniform(0.75, 1.5))[:1])

    return utter


def swell(
    rng: np.random.Generator,
    n_samples: int,
    sample_rate: int = 44_100,
    *,
    depth_db: float = 12.0,
    onset_seconds: float | None = None,
) -> Waveform:
    """Gain of a crowd with wandering level: `(1, n_samples)` float32, 0 to 1.

    Args:
        rng: draws how often it turns, every 0.3 to 5 s, and, in 0.3 of the crowds, pauses.
        n_samples: length.
        sample_rate: Hz.
        depth_db: how far it falls, below 0 dB; in pauses to -60 dB.
        onset_seconds: end of a phrase; silence before, then a rise within 0.05 to 0.5 s. None: no such silence.
    """
    step = rng.uniform(0.3, 5.0)
    time = np.arange(n_samples) / sample_rate
    turns = np.arange(int(n_samples / sample_rate / step) + 2) * step
    levels_db = rng.uniform(-depth_db, 0, len(turns))
    if rng.random() < 0.3:
        levels_db[rng.random(len(turns)) < 0.4] = -60
    gain = 10 ** (np.interp(time, turns, levels_db) / 20)
    if onset_seconds is not None:
        gain *= np.clip((time - onset_seconds) / rng.uniform(0.05, 0.5), 0, 1)
    return gain.astype(np.float32)[None]


def crowd(
    rng: np.random.Generator,
    n_samples: int,
    sample_rate: int = 44_100,
    *,
    claps: Clips | None = None,
    shouts: Clips | None = None,
    speech: Clips | None = None,
    responses: Clips | None = None,
) -> Waveform:
    """One to three layers of applause, cheers, babble, near voices and boos, some in a room; rms one.

    Args:
        rng: draws kinds, proportions, rooms, colours and level curves.
        n_samples: length.
        sample_rate: Hz.
        claps: recorded claps.
        shouts: recorded shouts.
        speech: recorded speech.
        responses: impulse responses of rooms; None: synthetic ones.
    """
    voices = [clips for clips in (shouts, speech) if clips is not None]
    beat_hz = rng.uniform(2, 4.5) if rng.random() < 0.15 else None
    makers: dict[str, Callable[[], Waveform]] = {
        "applause": lambda: applause(rng, n_samples, sample_rate, claps=claps, beat_hz=beat_hz),
        "cheer": lambda: cheer(rng, n_samples, sample_rate, clips=voices),
        "babble": lambda: babble(rng, n_samples, sample_rate, speech=speech),
        "near": lambda: near_voices(rng, n_samples, sample_rate, clips=voices),
        "boos": lambda: boos(rng, n_samples, sample_rate),
    }
    shares = np.array([_KINDS[kind] for kind in makers])
    total = np.zeros((2, n_samples), np.float32)
    for kind in rng.choice(list(makers), rng.integers(1, 4), replace=False, p=shares / shares.sum()):
        layer = makers[kind]()
        if kind != "near" and rng.random() < 0.6:
            response = room_response(rng, sample_rate) if responses is None else responses.draw(rng, 1.5)
            layer = reverberate(layer, response, dry=rng.uniform(0.1, 0.8))
        onset = rng.uniform(0, 0.6) * n_samples / sample_rate if rng.random() < 0.3 else None
        layer = colour(rng, layer, sample_rate) * swell(rng, n_samples, sample_rate, onset_seconds=onset)
        total += unit_rms(layer) * rng.uniform(0.2, 1)
    return unit_rms(total)
