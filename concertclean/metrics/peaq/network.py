"""The small neural network that turns eleven model output variables into a distortion index and a grade.

References:
    ITU-R BS.1387-1 (2001), Annex 2, section 6, Tables 13 to 16. Variables outside their training range are not clipped.
"""

from collections.abc import Mapping

import numpy as np

# name: smallest and largest value in training, weights to the three hidden nodes (Tables 13 and 14)
_INPUTS = {
    "BandwidthRefB": (393.916656, 921.000000, -0.502657, 0.436333, 1.219602),
    "BandwidthTestB": (361.965332, 881.131226, 4.307481, 3.246017, 1.123743),
    "TotalNMRB": (-24.045116, 16.212030, 4.984241, -2.211189, -0.192096),
    "WinModDiff1B": (1.110661, 107.137772, 0.051056, -1.762424, 4.331315),
    "ADBB": (-0.206623, 2.886017, 2.321580, 1.789971, -0.754560),
    "EHSB": (0.074318, 13.933351, -5.303901, -3.452257, -10.814982),
    "AvgModDiff1B": (1.113683, 63.257874, 2.730991, -6.111805, 1.519223),
    "AvgModDiff2B": (0.950345, 1145.018555, 0.624950, -1.331523, -5.955151),
    "RmsNoiseLoudB": (0.029985, 14.819740, 3.102889, 0.871260, -5.922878),
    "MFPDB": (0.000101, 1.000000, -1.051468, -0.939882, -0.142913),
    "RelDistFramesB": (0.000000, 1.000000, -1.804679, -0.503610, -0.620456),
}
MOV_NAMES = tuple(_INPUTS)

_TABLE = np.array(list(_INPUTS.values()))
_SMALLEST, _LARGEST, _WEIGHTS = _TABLE[:, 0], _TABLE[:, 1], _TABLE[:, 2:]
_HIDDEN_BIAS = np.array([-2.518254, 0.654841, -2.207228])
_OUTPUT_WEIGHTS = np.array([-3.817048, 4.107138, 4.629582])
_OUTPUT_BIAS = -0.307594
_WORST, _RANGE = -3.98, 4.20


def distortion_index(movs: Mapping[str, float]) -> float:
    """Distortion index, about -4 (worst) to 6 (identical), from the variables by their names."""
    values = np.array([movs[name] for name in MOV_NAMES])
    hidden = (values - _SMALLEST) / (_LARGEST - _SMALLEST) @ _WEIGHTS + _HIDDEN_BIAS
    return float(_OUTPUT_BIAS + _sigmoid(hidden) @ _OUTPUT_WEIGHTS)


def objective_difference_grade(index: float) -> float:
    """Grade between -3.98 ("very annoying") and 0.22 ("imperceptible") from the distortion index."""
    return float(_WORST + _RANGE * _sigmoid(np.array(index)))


def _sigmoid(value: np.ndarray) -> np.ndarray:
    # the hyperbolic tangent cannot overflow
    return 0.5 * (1 + np.tanh(value / 2))
