"""A song of any length through a network that separates it, in segments, to stems at the song's own rate.

As in `inference`, segments start on the grid of the network and bring a margin of context that is thrown away. Outside
the song lies silence, as in the public programs of the separators.
"""

from collections.abc import Iterator

import numpy as np
import torch

from concertclean.dsp.arrays import Array
from concertclean.dsp.resample import resample
from concertclean.dsp.segments import Segment, grouped, joined, segments, ungrouped
from concertclean.networks.layers.waveform_model import WaveformModel
from concertclean.runtime.devices import choose_device

_OVERLAP_RATIO = 0.02


@torch.inference_mode()
def separate(
    model: WaveformModel, waveform: Array, sample_rate: int, *, device: str = "auto", segment_seconds: float = 10.0
) -> Array:
    """The stems of a song.

    Args:
        model: network of one stem or more, for one channel or two, from `weights.loading.load_model`.
        waveform: the mixture, `(channel, time)`, full scale ±1; a network for one channel gets each by itself.
        sample_rate: Hz, of the song.
        device: name as for `choose_device`.
        segment_seconds: seconds of result a network call, context apart.

    Returns:
        `(stem, channel, time)`, as long as the song, in the order of the model's stems.

    Raises:
        ValueError: the device does not exist here.
    """
    chosen = choose_device(device)
    model = model.eval().to(chosen)
    channels, n_samples = waveform.shape
    if not n_samples:
        return np.zeros((model.stems, *waveform.shape))
    mixture = resample(waveform, sample_rate, model.sample_rate)
    segment = max(1, round(segment_seconds * model.sample_rate / model.alignment)) * model.alignment
    overlap = round(_OVERLAP_RATIO * segment / model.alignment) * model.alignment  # keeps every start on the grid
    windows = segments(iter([mixture]), channels, segment, segment - overlap, model.context)
    found = np.concatenate(list(joined(_estimates(model, windows, chosen), segment, overlap)), axis=1)
    stems = resample(found, model.sample_rate, sample_rate)[:, :n_samples]
    whole = np.pad(stems, ((0, 0), (0, n_samples - stems.shape[1])))  # the resampler may round down by a sample
    return whole.reshape(model.stems, channels, n_samples)


def _estimates(model: WaveformModel, windows: Iterator[Segment], device: torch.device) -> Iterator[Segment]:
    """All stems of every window, context cut off, one below the other: `(stem · channel, time)`."""
    for window in windows:
        channels = len(window.audio)
        groups = torch.from_numpy(grouped(window.audio, model.channels)).float().to(device)
        found = model(groups)
        inner = found[..., model.context : found.shape[-1] - model.context].double().cpu().numpy()
        stems = [ungrouped(inner[:, stem], channels, model.channels) for stem in range(model.stems)]
        yield Segment(np.concatenate(stems), window.n_valid)
