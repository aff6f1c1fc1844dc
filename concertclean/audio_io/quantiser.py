"""Conversion of floating point samples to integers, only here, so nothing is rounded twice.

At 16 bits the error of plain rounding follows the music and is audible as a rough tail of every fade. Triangular noise
of two steps' width makes it independent of the music. Samples that already lie on the 16-bit grid need no rounding and
get no noise: untouched samples are returned bit for bit.
"""

import numpy as np


class Quantiser:
    """Converter from full scale ±1 to integers of a given depth; its noise continues from block to block.

    Args:
        bit_depth: 16, 24 or 32.
        seed: of the noise; equal seeds and samples give equal bytes, whatever the blocks.

    References:
        Lipshitz, Wannamaker, Vanderkooy, "Quantization and Dither: A Theoretical Survey", JAES 40 (5), 1992.
    """

    def __init__(self, bit_depth: int, seed: int) -> None:
        self._bit_depth = bit_depth
        self._noise = np.random.default_rng(seed)

    def quantise(self, waveform: np.ndarray) -> np.ndarray:
        """Integers of a block.

        Args:
            waveform: `(channel, time)`, float, finite; samples beyond full scale are clipped, never wrapped.

        Returns:
            `(channel, time)`, int16 for 16 bits, else int32, left-aligned (24 bits are the upper three
            bytes).
        """
        full_scale = 2.0 ** (self._bit_depth - 1)
        scaled = waveform.astype(np.float64) * full_scale
        rounded = np.round(scaled)
        if self._bit_depth == 16:
            # Drawn for every sample in order of time, so the noise does not depend on the blocks.
            pairs = self._noise.random((waveform.shape[1], waveform.shape[0], 2))
            noise = (pairs[..., 0] - pairs[..., 1]).T
            rounded = np.where(rounded == scaled, rounded, np.round(scaled + noise))
        clipped = np.clip(rounded, -full_scale, full_scale - 1)
        if self._bit_depth == 16:
            return clipped.astype(np.int16)
        return clipped.astype(np.int32) << (32 - self._bit_depth)
