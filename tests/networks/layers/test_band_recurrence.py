"""The layer that sees all bands: nothing at first, then everything in its frame and its margin, no further."""

import pytest
import torch

from concertclean.networks.layers.band_recurrence import BandRecurrence


def taught(**changes):
    torch.manual_seed(0)
    layer = BandRecurrence(4, 3, **changes).eval()
    for linear in (layer.band_out, layer.frame_out):
        torch.nn.init.normal_(linear.weight)
    return layer


@torch.no_grad()
def test_it_starts_by_changing_nothing_to_speak_of():
    inputs = torch.randn(2, 4, 10, 12)
    assert BandRecurrence(4, 3)(inputs) == pytest.approx(inputs, abs=2e-3)


@torch.no_grad()
def test_a_band_reaches_all_others_of_its_frame_and_frames_within_the_margin():
    layer = taught(n_frames=5)
    inputs = torch.randn(1, 4, 10, 21)
    other = inputs.clone()
    other[0, 1, 0, 10] += 1  # of all channels it would be taken out by the normalisation
    changed = (layer(inputs) - layer(other)).abs().amax(dim=(0, 1)) > 1e-6
    assert changed[:, 10].all()
    assert changed.any(dim=0).nonzero().flatten().tolist() == [8, 9, 10, 11, 12]


def test_frames_must_be_odd():
    with pytest.raises(ValueError, match="n_frames=4"):
        BandRecurrence(4, 3, n_frames=4)
