"""t-UNet: the mixing matrix of a band from ten seconds of its microphones.

The same convolutions along time process each microphone separately; only the dense head compares them. The network
estimates how much of each of N instruments each of K microphones picks up, K at least N, and the pseudo-inverse of that
matrix yields the stems. Delays and rooms are not modelled.

As in `unmixing`, the level of the microphones must not matter: a segment is divided by its rms first (own; the paper
feeds raw samples), and the columns of a matrix are divided by their diagonal. The head sees logarithms of the features,
each normalised over the batch (own). How much of an instrument a microphone picks up is a ratio of levels, that is, a
difference of logarithms. On the plain numbers a run of 400 steps never left the mean matrix. All three can be turned
off, which leaves the published network.

References:
    Rajesh, Rajan: Neural networks for interference reduction in multi-track recordings, WASPAA 2023, section 4.1.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from concertclean.networks.layers.pretrained import Pretrained

_POOL = 9
_SILENT = 1e-8  # rms
_LEAST_FEATURE = 1e-2  # of features, which start around 1
_USUAL_BLEED = 0.25  # mean of the published gains
_FIRST_SPREAD = 0.1  # of the first matrices around it
_LEAST_DIAGONAL = 0.1  # below it the network did not find the microphone's own instrument


class TUNet(Pretrained):
    """Network for a fixed number of microphones.

    Args:
        n_microphones: K; also the length of the kernels along time, (1, K) as published.
        n_stems: N, at most K, those of the first N microphones; None: K.
        segment: samples of its input, 10 s as published.
        widths: channels of the convolutions, each followed by pooling over nine samples.
        hidden: units of the dense layers before the last.
        sample_rate: Hz.
        instruments: of the microphones, in the order used for training, as published; empty: any, in any order, which
            is far harder to learn.
        divide_level: divide a segment by its rms first (own); False: samples as they are, as published.
        logarithm: the head sees logarithms of the features (own); False: the features, as published.
        batch_norm: normalise over the batch what the head sees (own); False: not, as published.

    Raises:
        ValueError: the segment is too short for the convolutions, there are more stems than microphones, or not an
            instrument for each stem.
    """

    def __init__(  # noqa: PLR0913 - flat keyword arguments, one a line of the config in the weights file
        self,
        *,
        n_microphones: int = 4,
        n_stems: int | None = None,
        segment: int = 220_500,
        widths: Sequence[int] = (16, 32, 64, 128, 512),
        hidden: Sequence[int] = (512, 128, 64, 32),
        sample_rate: int = 22_050,
        instruments: Sequence[str] = (),
        divide_level: bool = True,
        logarithm: bool = True,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.n_stems = n_microphones if n_stems is None else n_stems
        if not 1 <= self.n_stems <= n_microphones:
            raise ValueError(f"n_stems is {self.n_stems}, must be 1 to {n_microphones}, the number of microphones")
        if instruments and len(instruments) != self.n_stems:
            raise ValueError(f"instruments are {', '.join(instruments)}, for {self.n_stems} stems")
        self.divide_level, self.logarithm = divide_level, logarithm
        self.instruments = tuple(instruments)
        self.sample_rate, self.channels, self.segment = sample_rate, n_microphones, segment
        layers: list[nn.Module] = []
        length, before = segment, 1
        for width in widths:
            # Pooling before the ReLU instead of after it, as published: the same numbers for a ninth of the work.
            layers += [nn.Conv1d(before, width, n_microphones), nn.MaxPool1d(_POOL), nn.ReLU()]
            length, before = (length - n_microphones + 1) // _POOL, width
        if length < 1:
            raise ValueError(f"segment is {segment}, too short for {len(widths)} convolutions")
        self.encoder = nn.Sequential(*layers)
        n_features = n_microphones * length * before
        self.norm = nn.BatchNorm1d(n_features, affine=False) if batch_norm else nn.Identity()
        sizes = [n_features, *hidden, n_microphones * self.n_stems]
        dense = [layer for one, other in pairwise(sizes) for layer in (nn.Linear(one, other), nn.ReLU())]
        self.head = nn.Sequential(*dense)
        self._begin()

    def _begin(self) -> None:
        """Initial weights by He, undamped through ten layers, and a matrix without dead entries."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv1d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, layer.bias))
        last = cast(nn.Linear, self.head[-2])
        with torch.no_grad():
            last.weight.mul_(_FIRST_SPREAD)
            last.bias.copy_((_USUAL_BLEED + (1 - _USUAL_BLEED) * torch.eye(self.channels, self.n_stems)).flatten())

    def forward(self, waveform: Tensor) -> Tensor:
        """Mixing matrices.

        Args:
            waveform: `(batch, microphone, segment)`, full scale ±1.

        Returns:
            Λ `(batch, microphone, stem)`, 0 or more.

        Raises:
            ValueError: another shape.
        """
        if waveform.shape[1:] != (self.channels, self.segment):
            wanted = f"(batch, {self.channels}, {self.segment})"
            raise ValueError(f"waveform has shape {tuple(waveform.shape)}, must be {wanted}")
        if self.divide_level:
            waveform = waveform / waveform.square().mean(dim=(1, 2), keepdim=True).sqrt().clamp_min(_SILENT)
        inputs = waveform.flatten(0, 1)[:, None]
        # One microphone at a time unless training: together their layers do not fit in the cache.
        size = len(inputs) if self.training else 1
        features = torch.cat([self.encoder(part) for part in torch.split(inputs, size)])
        # From (batch · microphone, width, time), flattened as published: microphone, time, width.
        flat = features.mT.reshape(len(waveform), -1).float()
        levels = self.norm((flat + _LEAST_FEATURE).log() if self.logarithm else flat)
        matrix: Tensor = self.head(levels)
        return matrix.reshape(-1, self.channels, self.n_stems)

    def matrix(self, waveform: Tensor) -> Tensor:
        """One mixing matrix of an excerpt: the mean over its segments.

        Args:
            waveform: `(microphone, time)`, any length from 1; repeated to a full segment if shorter.

        Returns:
            Λ `(microphone, stem)`, diagonal 1; the identity if the network does not find a microphone's own instrument.
        """
        n_copies = -(-self.segment // waveform.shape[1])
        waveform = waveform.repeat(1, n_copies) if n_copies > 1 else waveform
        n_segments = waveform.shape[1] // self.segment
        pieces = waveform[:, : n_segments * self.segment].reshape(self.channels, n_segments, self.segment)
        with torch.no_grad():
            mean: Tensor = self(pieces.transpose(0, 1)).mean(dim=0)
        diagonal = mean.diagonal()
        if float(diagonal.min()) < _LEAST_DIAGONAL:
            return torch.eye(self.channels, self.n_stems, device=waveform.device)
        return mean / diagonal
