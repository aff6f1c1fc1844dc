"""Crackle taken out: hundreds of small ticks a second that stand hardly higher than the noise.

The search of the declicker with its bars let down. So near to the noise height says little, and it is the proof that
decides: a tick is what the music on both sides does not account for, so that the error falls when it is filled. Ticks
are filled with as much of what was heard as their level allows; where crackle is as dense as its own length, nothing
on either side is certain any more and part of it stays.
"""

from concertclean.classical.declick import Declicker


def decrackler() -> Declicker:
    """Removes crackle, and clicks with it; every sample outside ticks stays as it is.

    Most peaks of noise reach its threshold, and it searches once more, for ticks that larger ones beside them have
    hidden. Clean music loses more than to the plain declicker: this is for discs that crackle.
    """
    return Declicker(
        threshold=0.8,
        extent=2.0,
        proof=1.3,
        iterations=4,
        merge_seconds=0.0001,  # ticks are near to each other: what lies between them is known
    )
