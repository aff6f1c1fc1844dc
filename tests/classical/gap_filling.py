"""The textbook forms of filling gaps, to compare with: slow, and as the book writes them."""

import numpy as np

from concertclean.classical.autoregression import Excitations, filled, inverse_filter


def interpolated_by_matrix(frame, unknown, coefficients):
    """Missing samples from the prediction matrix, `-(Au'Au)^-1 Au' Ak xk` (Godsill, Rayner, equation 5.15).

    Args:
        frame: `(time,)`.
        unknown: ascending places of the missing samples, at least `order` samples from both ends.
        coefficients: `(order,)`.

    Returns:
        `(len(unknown),)`.
    """
    order = len(coefficients)
    n_rows = len(frame) - order
    prediction = np.zeros((n_rows, len(frame)))
    for i, value in enumerate(inverse_filter(coefficients)):
        prediction[np.arange(n_rows), np.arange(n_rows) + order - i] = value
    known = np.setdiff1d(np.arange(len(frame)), unknown)
    result, *_ = np.linalg.lstsq(prediction[:, unknown], -prediction[:, known] @ frame[known], rcond=None)
    return result


def interpolated(frame, unknown, coefficients):
    """The same through what the package has: the matched output, and `filled`."""
    models = Excitations(coefficients, len(frame))
    held = frame.copy()
    held[unknown] = 0
    return filled(-models.matched(held)[unknown], unknown, models.correlation)
