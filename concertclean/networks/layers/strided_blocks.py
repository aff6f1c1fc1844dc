"""What the generator and the discriminators of STFT-SEANet share: their levels and how they step from one to the next.

Planes are `(batch, channel, frame, freq)`.

References:
    Li et al., Learning to denoise historical music, ISMIR 2020, section 3; sizes as in a public reimplementation
    (Yayzus/Denoise-historical-music).
"""

from collections.abc import Sequence
from typing import Final

from torch import Tensor, nn

STRIDES: Final = ((1, 2), (1, 2), (2, 2), (1, 2), (2, 2), (2, 2))  # (frames, frequencies), from the top down
WIDTHS: Final = (32, 64, 64, 128, 128, 256, 512)
CODE: Final = 128  # channels of the narrow convolution at the bottom
FRAMES: Final = 8  # at the top for one at the bottom
FREQS: Final = 64


def checked(widths: Sequence[int]) -> list[int]:
    """The widths, one more than there are strides.

    Raises:
        ValueError: there are more or fewer.
    """
    if len(widths) != len(STRIDES) + 1:
        raise ValueError(f"widths={tuple(widths)} has {len(widths)} numbers, must have {len(STRIDES) + 1}")
    return list(widths)


def step_down(n_in: int, n_out: int, stride: tuple[int, int]) -> nn.Conv2d:
    """Convolution that divides even sizes by the stride; its kernel is longer by two."""
    return nn.Conv2d(n_in, n_out, (stride[0] + 2, stride[1] + 2), stride, padding=1)


def step_up(n_in: int, n_out: int, stride: tuple[int, int]) -> nn.ConvTranspose2d:
    """Transposed convolution that multiplies sizes by the stride."""
    return nn.ConvTranspose2d(n_in, n_out, (stride[0] + 2, stride[1] + 2), stride, padding=1)


def whole_blocks(planes: Tensor) -> Tensor:
    """Planes with zeros behind, so that every level has whole numbers of frames and frequencies."""
    n_frames, n_freqs = planes.shape[2:]
    return nn.functional.pad(planes, (0, -n_freqs % FREQS, 0, -n_frames % FRAMES))
