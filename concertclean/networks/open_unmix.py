"""Open-Unmix: a bidirectional LSTM over the magnitudes of a song, a mask for every stem.

A network of its own for each stem, as published; here all of them are in one file and trained together, which is the
same as one after the other, since they share nothing. The input below 16 kHz is standardised by frequency, reduced to
512 numbers a frame, passed through three layers of LSTM and expanded to a mask of the whole spectrum. The phase is that
of the mixture. The public program's Wiener filter after it is left out.

The published network receives whole songs. Here a song is separated in pieces with three seconds of context on both
sides (own), and frames are centred, the ends of the song extended by silence.

References:
    Stöter, Uhlich, Liutkus, Mitsufuji: Open-Unmix - a reference implementation for music source separation, Journal of
    Open Source Software 4(41), 2019.
    github.com/sigsep/open-unmix-pytorch, MIT (layers, sizes and first values; nothing of it is copied).
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from concertclean.dsp import stft
from concertclean.networks.layers.waveform_model import WaveformModel

_CONTEXT_FRAMES = 128
_LEAST_SPREAD = 1e-4  # of the largest standard deviation
_EPSILON = 1e-12


class _Target(nn.Module):
    """The network of one stem: magnitudes to masks."""

    def __init__(self, *, channels: int, n_seen: int, n_freqs: int, hidden: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        self.input_mean, self.input_scale = nn.Parameter(torch.zeros(n_seen)), nn.Parameter(torch.ones(n_seen))
        self.squeeze = nn.Linear(channels * n_seen, hidden, bias=False)
        self.squeeze_norm = nn.BatchNorm1d(hidden)
        self.lstm = nn.LSTM(
            hidden,
            hidden // 2,
            n_layers,
            batch_first=True,
            bidirectional=True,
            dropout=dropout if n_layers > 1 else 0.0,
        )
        self.join = nn.Linear(2 * hidden, hidden, bias=False)
        self.join_norm = nn.BatchNorm1d(hidden)
        self.expand = nn.Linear(hidden, channels * n_freqs, bias=False)
        self.expand_norm = nn.BatchNorm1d(channels * n_freqs)
        self.output_scale, self.output_mean = nn.Parameter(torch.ones(n_freqs)), nn.Parameter(torch.ones(n_freqs))

    def forward(self, magnitude: Tensor) -> Tensor:
        """Masks, 0 or more, of the shape of magnitudes `(batch, channel, freq, frame)`."""
        batch, channels, n_freqs, n_frames = magnitude.shape
        frames = magnitude.permute(0, 3, 1, 2)
        seen = (frames[..., : len(self.input_mean)] + self.input_mean) * self.input_scale
        hidden = torch.tanh(self.squeeze_norm(self.squeeze(seen.flatten(0, 1).flatten(1))))
        hidden = hidden.reshape(batch, n_frames, -1)
        over_time, _ = self.lstm(hidden)
        both = torch.cat([hidden, over_time], dim=-1).flatten(0, 1)
        joined = F.relu(self.join_norm(self.join(both)))
        wide = self.expand_norm(self.expand(joined)).reshape(batch, n_frames, channels, n_freqs)
        mask: Tensor = F.relu(wide * self.output_scale + self.output_mean)
        return mask.permute(0, 2, 3, 1)


class OpenUnmix(WaveformModel):
    """Open-Unmix for several stems.

    Args:
        sample_rate: Hz.
        channels: 1 mono, 2 stereo: both channels go in together.
        instruments: a stem for each, with a network of its own.
        n_fft: samples of a frame; the window is Hann.
        hop_length: samples between frames.
        highest_hz: the network sees the spectrum up to here; masks reach up to the end.
        hidden: numbers a frame inside, even.
        recurrent_layers: layers of the LSTM.
        dropout: between them.

    Raises:
        ValueError: there are no instruments, or `hidden` is odd.
    """

    window: Tensor

    def __init__(  # noqa: PLR0913 - flat keyword arguments, one a line of the config in the weights file
        self,
        *,
        sample_rate: int = 44_100,
        channels: int = 2,
        instruments: Sequence[str] = ("vocals", "drums", "bass", "other"),
        n_fft: int = 4096,
        hop_length: int = 1024,
        highest_hz: float = 16_000.0,
        hidden: int = 512,
        recurrent_layers: int = 3,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        if not instruments or hidden % 2:
            raise ValueError(f"{len(instruments)} instruments, hidden={hidden}; must be one or more, and even")
        self.sample_rate, self.channels, self.hop_length = sample_rate, channels, hop_length
        self.instruments, self.stems = tuple(instruments), len(instruments)
        self.alignment, self.context = hop_length, _CONTEXT_FRAMES * hop_length + n_fft
        self.context -= self.context % hop_length
        self.register_buffer("window", stft.window("hann", n_fft), persistent=False)
        n_freqs = n_fft // 2 + 1
        self._n_seen = min(n_freqs, 1 + int(highest_hz * n_fft / sample_rate))
        self.targets = nn.ModuleList(
            _Target(
                channels=channels,
                n_seen=self._n_seen,
                n_freqs=n_freqs,
                hidden=hidden,
                n_layers=recurrent_layers,
                dropout=dropout,
            )
            for _ in range(self.stems)
        )

    @torch.no_grad()
    def standardise(self, waveforms: Iterable[Tensor]) -> None:
        """Start where every frequency of these waveforms has mean 0 and standard deviation 1, as published.

        Args:
            waveforms: mixtures `(channel, time)`, full scale ±1, one at least.
        """
        frames = torch.cat([self.magnitude(waveform).mean(dim=0) for waveform in waveforms], dim=1).double()
        mean, spread = frames.mean(dim=1), frames.std(dim=1, correction=0)
        spread = spread.clamp_min(_LEAST_SPREAD * float(spread.max()) + _EPSILON)
        for target in self.targets:
            target.load_state_dict(
                {"input_mean": -mean[: self._n_seen], "input_scale": 1 / spread[: self._n_seen]}, strict=False
            )

    def magnitude(self, waveform: Tensor) -> Tensor:
        """Magnitudes `(..., freq, frame)` of waveforms `(..., time)`, not divided by the sum of the window."""
        return stft.spectrogram(waveform, self.window, self.hop_length).abs() * self.window.sum()

    def rebuilt(self, magnitude: Tensor) -> Tensor:
        """Magnitudes of all stems.

        Args:
            magnitude: of the mixture, `(batch, channel, freq, frame)`, from `magnitude`.

        Returns:
            `(batch, stem, channel, freq, frame)`.
        """
        return self._masks(magnitude) * magnitude[:, None]

    def estimates(self, waveform: Tensor) -> tuple[Tensor]:
        """See `WaveformModel.estimates`."""
        mixture = stft.spectrogram(waveform, self.window, self.hop_length)
        masks = self._masks(mixture.abs() * self.window.sum())
        with torch.autocast(waveform.device.type, enabled=False):
            return (stft.waveform(mixture[:, None] * masks, self.window, self.hop_length, waveform.shape[-1]),)

    def _masks(self, magnitude: Tensor) -> Tensor:
        """Masks of all stems, `(batch, stem, channel, freq, frame)` float32."""
        return torch.stack([target(magnitude).float() for target in self.targets], dim=1)
