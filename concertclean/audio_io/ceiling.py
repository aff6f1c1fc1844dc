"""The largest sample that a file stores, looked at before any encoder: what lies beyond is cut, and counted.

Integers end at full scale. Lossy codecs calculate in floating point and keep what exceeds it; players that decode to
integers cut it, those that turn the volume down first do not. But LAME ends the process, and FFmpeg refuses the block,
where a sample is beyond sense. Floating point ends at its largest number, beyond which only infinity is left.
"""

from typing import Final

import numpy as np

from concertclean.audio_io.formats import FORMATS

# 6 dB: decoded masters overshoot by 1 to 3 dB.
_LOSSY_CEILING: Final = 2.0
_FLOAT_CEILINGS: Final = {32: float(np.finfo(np.float32).max), 64: float(np.finfo(np.float64).max)}


class Ceiling:
    """Limits blocks to what a format stores; infinity and NaN are not its business.

    Args:
        format: writable key of `FORMATS`.
        bit_depth: of the stored samples.
        is_float: they are stored as floating point numbers.

    Attributes:
        n_cut: samples that were cut.
        n_loud: samples above full scale that a lossy codec keeps.
    """

    def __init__(self, format: str, bit_depth: int, is_float: bool) -> None:
        self._format = format
        self._is_lossy = not FORMATS[format].is_lossless
        self._largest = _LOSSY_CEILING if self._is_lossy else _FLOAT_CEILINGS[bit_depth] if is_float else 1.0
        self.n_cut = 0
        self.n_loud = 0

    def limited(self, block: np.ndarray) -> np.ndarray:
        """A block with nothing beyond the largest number; the block itself where there is nothing to cut."""
        n_cut = self._n_beyond(block, self._largest)
        if self._is_lossy:
            self.n_loud += self._n_beyond(block, 1.0) - n_cut
        if not n_cut:
            return block
        self.n_cut += n_cut
        limited: np.ndarray = np.clip(block, -self._largest, self._largest)
        return limited

    def remark(self, what: str, cure: str) -> list[str]:
        """A warning where samples were cut, or will be by most players.

        Args:
            what: would clip, such as "output".
            cure: a verb and its object.
        """
        facts = []
        if self.n_cut:
            facts.append(f"{self.n_cut} samples above full scale were cut")
        if self.n_loud:
            facts.append(
                f"{self.n_loud} samples are above full scale: {self._format} keeps them, most players cut them"
            )
        return [f"W105 {what} would clip: {', '.join(facts)}; {cure}"] if facts else []

    @staticmethod
    def _n_beyond(block: np.ndarray, limit: float) -> int:
        return int(np.count_nonzero(np.abs(block) > limit))
