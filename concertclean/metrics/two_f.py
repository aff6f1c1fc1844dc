"""The 2f-model: perceived quality from two of PEAQ's variables, as a mean MUSHRA score.

In a comparison of thirteen measures on separated and on coded music it agreed best with listeners. It costs nothing on
top of PEAQ, and does not saturate where PEAQ's own grade does.

References:
    Kastner, Herre: An efficient model for estimating subjective quality of separated audio source signals, WASPAA 2019,
    with the constants its authors publish for PEAQ as in Kabal's PQevalAudio.
    Torcoli, Kastner, Herre: Objective measures of perceptual audio quality reviewed, TASLP 2021.
"""

from collections.abc import Mapping


def two_f(movs: Mapping[str, float]) -> float:
    """Mean MUSHRA score, 0 (bad) to 100 (excellent).

    Args:
        movs: model output variables of PEAQ by their names, of which `AvgModDiff1B` and `ADBB` are used.
    """
    modulation_term = 56.1345 / (1 + (-0.0282 * movs["AvgModDiff1B"] - 0.8628) ** 2)
    score = modulation_term - 27.1451 * movs["ADBB"] + 86.3515
    return min(max(score, 0.0), 100.0)
