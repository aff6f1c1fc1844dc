"""Floating point samples to integers, here and nowhere else, so that nothing is rounded twice.

At 16 bits the error of plain rounding follows the music and is heard as a rough tail of every fade.
Triangular noise of two steps' width makes it independent of the music. Samples that already lie on the 16-bit
grid need no rounding and get no noise: what was not touched comes back bit by bit.
"""

import numpy as np


class Quantiser:
    """Converter from full scale ±1 to integers of a given depth; its noise goes on from block to block.

    Args:
        bit_depth: 16, 24 or 32.
        seed: of the noise; equal seeds and equal samples give equal bytes, however they are cut into blocks.

    References:
        Lipshitz, Wannamaker, Vanderkooy, "Quantization and Dither: A Theoretical Survey", JAES 40 (5), 1992.
    """

    def __init__(self, bit_depth: int, seed: int) -> None:
        self._bit_depth = bit_depth
        self._noise = np.random.default_rng(seed)

    def quantise(self, waveform: np.ndarray) -> np.ndarray:
        """Integers of a block.

        Args:
            waveform: `(channel, time)`, float, finite; beyond full scale is clipped, never wrapped around.

        Returns:
            `(channel, time)`, int16 for 16 bits, else int32, left-aligned (24 bits are the upper three
            bytes).
        """
        full_scale = 2.0 ** (self._bit_depth - 1)
        scaled = waveform.astype(np.float64) * full_scale
        rounded = np.round(scaled)
        if self._bit_depth == 16:
            # Drawn for every sample, in the order of time, so that the noise does not depend on the blocks.
            pairs = self._noise.random((waveform.shape[1], waveform.shape[0], 2))
            noise = (pairs[..., 0] - pairs[..., 1]).T
            rounded = np.where(rounded == scaled, rounded, np.round(scaled + noise))
        clipped = np.clip(rounded, -full_scale, full_scale - 1)
        if self._bit_depth == 16:
            return clipped.astype(np.int16)
        return clipped.astype(np.int32) << (32 - self._bit_depth)
