"""Band gains: the axis, the features' independence of level, and that a gain reaches the bins it should."""

import pytest
import torch

from concertclean.networks.layers.band_gains import BandGains, band_edges, gains, hold_gains


@pytest.mark.parametrize(("n_bins", "n_bands"), [(2049, 320), (2049, 2049), (129, 40), (129, 1), (17, 16)])
def test_every_bin_is_in_one_band_and_bands_widen(n_bins: int, n_bands: int) -> None:
    edges = band_edges(n_bins, n_bands)
    widths = edges.diff()
    assert edges[0] == 0
    assert edges[-1] == n_bins
    assert len(widths) == n_bands
    assert widths.min() >= 1
    if n_bands == 320:
        assert widths[:60].eq(1).all()
        assert 15 <= widths[-1] <= 35
        # constant relative width above the corner, but for the rounding to whole bins
        relative = widths[-100:] / edges[-101:-1]
        assert relative.max() / relative.min() < 1.3


@pytest.mark.parametrize("n_bands", [0, 130])
def test_a_band_count_without_bins_for_it_is_refused(n_bands: int) -> None:
    with pytest.raises(ValueError, match=f"bands={n_bands}, expected 1 to 129"):
        band_edges(129, n_bands)


@pytest.mark.parametrize(("channels", "n_planes"), [(1, 3), (2, 6)])
def test_features_do_not_depend_on_the_volume(channels: int, n_planes: int) -> None:
    torch.manual_seed(0)
    front = BandGains(129, 40, channels, margin=3)
    degraded = torch.randn(2, channels, 129, 20, dtype=torch.complex64)
    features = front.features(degraded)
    assert features.shape == (2, n_planes, 40, 20)
    assert front.n_planes == n_planes
    assert torch.allclose(front.features(0.01 * degraded), features, rtol=2e-3, atol=2e-3)


def test_features_look_no_further_than_the_margin() -> None:
    torch.manual_seed(0)
    front = BandGains(129, 40, 1, margin=3)
    degraded = torch.randn(1, 1, 129, 20, dtype=torch.complex64)
    other = degraded.clone()
    other[..., 12:] = 0
    assert torch.allclose(front.features(degraded)[..., :9], front.features(other)[..., :9], atol=1e-6)
    assert not torch.allclose(front.features(degraded)[..., 9], front.features(other)[..., 9], atol=1e-3)


def test_features_of_silence_are_finite_and_quiet() -> None:
    features = BandGains(129, 40, 2).features(torch.zeros(1, 2, 129, 8, dtype=torch.complex64))
    assert torch.isfinite(features).all()
    assert features.abs().max() <= 20


def test_a_gain_reaches_the_bins_of_its_band_and_no_other() -> None:
    front = BandGains(129, 40, 1)
    edges = band_edges(129, 40).tolist()
    wanted = torch.ones(1, 1, 40, 2)
    wanted[:, :, 37] = 0
    result = front.filter(wanted, torch.ones(1, 1, 129, 2, dtype=torch.complex64)).real[0, 0, :, 0]
    assert result[edges[37] : edges[38]].eq(0).all()
    assert int(result.sum()) == 129 - (edges[38] - edges[37])


def test_gains_lie_between_shut_and_open_and_start_open() -> None:
    answer = gains(torch.tensor([-1e3, 0.0, 1e3]))
    assert answer[0] == 0
    assert answer[2] == 1
    assert 0.94 < answer[1] < 0.96


def test_gains_are_held_at_the_floor_wherever_they_sit_in_a_network() -> None:
    front = BandGains(129, 40, 1)
    network = torch.nn.Sequential(torch.nn.Identity(), front)
    degraded = torch.ones(1, 1, 129, 2, dtype=torch.complex64)
    low = torch.full((1, 1, 40, 2), 0.01)
    assert torch.allclose(front.filter(low, degraded).abs(), torch.tensor(0.01))
    hold_gains(network, 0.1)
    assert torch.allclose(front.filter(low, degraded).abs(), torch.tensor(0.1))
    assert torch.allclose(front.filter(torch.full_like(low, 0.7), degraded).abs(), torch.tensor(0.7))
    hold_gains(torch.nn.Identity(), 0.1)  # has none
