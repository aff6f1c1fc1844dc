"""Removes crackle: hundreds of small ticks per second that are hardly higher than the noise.

The search of the declicker with lower thresholds. So close to the noise, height means little and the proof decides: the
music on both sides does not explain a tick, so the error falls when it is filled. Ticks are filled with as much of the
recorded signal as their level allows. If crackle is as dense as its own length, nothing on either side is certain and
part of it stays.
"""

from concertclean.classical.declick import Declicker


def decrackler() -> Declicker:
    """Removes crackle, and clicks with it; every sample outside ticks stays unchanged.

    Most peaks of noise reach its threshold, and it searches once more for ticks hidden by larger ones beside them.
    Clean music loses more than with the plain declicker: this is for discs that crackle.
    """
    return Declicker(
        threshold=0.8,
        extent=2.0,
        proof=1.3,
        iterations=4,
        merge_seconds=0.0001,  # ticks are close to each other: the samples between them are known
    )
