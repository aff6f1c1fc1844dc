"""KAMIR, MIRA and FastMIRA: what they share, what each promises, and the defects of the public code."""

import numpy as np
import pytest
import torch

from concertclean.bleed import kamir, mira, power_model
from concertclean.bleed.power_model import Settings
from tests.bleed import bands

RATE = bands.SAMPLE_RATE
QUICK = Settings(frame_seconds=0.1, n_frames=128)


def in_one_piece(learn, apply):
    """Stems of a whole recording, and what was found."""

    def method(waveform, sample_rate, settings):
        found = learn(waveform, sample_rate, settings)
        return np.concatenate(list(apply(iter([waveform]), found)), axis=1), found

    return method


METHODS = {
    "kamir": in_one_piece(kamir.learn_kamir, kamir.apply_kamir),
    "mira": in_one_piece(mira.learn_mira, mira.apply_mira),
    "fastmira": in_one_piece(mira.learn_fast_mira, mira.apply_mira),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@pytest.fixture(scope="module")
def room():
    """What each microphone hears of its own stem, and of all, in a room of 0.3 s with delays."""
    images = bands.delayed(bands.band(2, seconds=4), 0.15, 0.5, room_seconds=0.3)
    return np.stack([images[k, k] for k in range(2)]), images.sum(axis=1)


@every_method
def test_a_room_gains_and_no_track_loses(room, method):
    references, mixture = room
    estimates, found = method(mixture, RATE, Settings())
    gain = bands.sdr(references, estimates) - bands.sdr(references, mixture)
    assert gain.mean() > 3
    assert gain.min() > 0
    assert found.remarks == ()
    assert min(found.bleed_share) > 0.01


@pytest.fixture(scope="module")
def model():
    """Random observations, levels with zeros, powers: `(3, 4 microphones, 50)`, `(3, 4, 3)`, `(3, 3 stems, 50)`."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.rand(shape, generator=generator) ** 4 + 1e-6

    levels = draw(3, 4, 3)
    levels[:, 3, 0] = 0
    return draw(3, 4, 50), levels, draw(3, 3, 50)


class TestCost:
    def cost(self, observed, levels, powers, beta, sparsity=0.0):
        divergence = power_model.divergence(observed, power_model.modelled(levels, powers), beta).sum(dim=1)
        return divergence + sparsity * mira._flatness(powers).double()

    @pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
    def test_updates_of_the_levels_never_raise_it(self, model, beta):
        observed, levels, powers = model
        costs = []
        for _ in range(10):
            costs.append(float(self.cost(observed, levels, powers, beta).mean()))
            levels = power_model.level_step(observed, levels, powers, beta)
        assert (np.diff(costs) <= 1e-6 * np.array(costs[:-1])).all()
        assert costs[-1] < 0.95 * costs[0]
        assert not levels[:, 3, 0].any()  # what begins at zero stays

    @pytest.mark.parametrize(("beta", "sparsity"), [(0.0, 0.0), (0.0, 10.0), (0.0, 1e4), (1.0, 10.0)])
    def test_updates_of_the_powers_raise_it_in_no_bin(self, model, beta, sparsity):
        observed, levels, powers = model
        first = self.cost(observed, levels, powers, beta, sparsity)
        before = first
        for _ in range(5):
            powers = mira.power_step(observed, levels, powers, beta, sparsity)
            after = self.cost(observed, levels, powers, beta, sparsity)
            assert bool((after <= before + 1e-9 * before.abs()).all())
            before = after
        assert float(before.mean()) < float(first.mean())

    def test_a_run_of_mira_never_raises_it(self, room):
        cost = np.array(mira.learn_mira(room[1], RATE, QUICK).cost)
        assert len(cost) == 1 + 2 * QUICK.level_updates
        assert (np.diff(cost) <= 1e-6 * np.abs(cost[:-1])).all()
        assert cost[-1] < cost[0]

    def test_levels_of_kamir_never_raise_it(self, room):
        cost = np.array(kamir.learn_kamir(room[1], RATE, QUICK).cost)
        powers, levels = cost[1::2], cost[2::2]
        assert (levels <= powers * (1 + 1e-6)).all()

    @pytest.mark.parametrize("beta", [0.0, 1.0, 2.0, 0.5])
    def test_the_divergence_is_none_at_the_truth_alone(self, model, beta):
        observed, _, _ = model
        assert float(power_model.divergence(observed, observed, beta).abs().max()) < 1e-12
        assert float(power_model.divergence(observed, 2 * observed, beta).min()) > 0


def test_sparsity_keeps_away_from_the_trivial_solution():
    """Levels of one and powers as observed fit perfectly and reduce nothing (mirapie with ρ = 0 ends there)."""
    observed = torch.tensor([[[1.0, 0.25], [0.25, 1.0]]])  # one stem in each frame, half its amplitude in the other
    levels = torch.tensor([[[1.0, 0.25], [0.25, 1.0]]])
    found = {}
    for sparsity in (0.0, 100.0):
        powers = observed
        for _ in range(6):
            powers = mira.power_step(observed, levels, powers, 0.0, sparsity)
        found[sparsity] = float(power_model.bleed_shares(levels, powers)[0, 0, 1])
    assert found[100.0] > max(0.9, found[0.0])


@every_method
def test_without_bleed_the_trivial_solution_is_told(method):
    stems = bands.band(2, seconds=2)
    estimates, found = method(stems, RATE, QUICK)
    assert bands.sdr(stems, estimates).min() > 30
    assert "trivial solution" in found.remarks[0]


class TestDefined:
    @every_method
    def test_silence_is_not_amplified(self, method):
        """mirapie divides by the quietest frames of each frequency: digital silence made gains of 1e16."""
        stems = bands.band(2, seconds=2)
        mixture = bands.matrix(2, 0.2, 0.4) @ stems
        mixture[:, RATE // 2 : RATE] = 0
        estimates, _ = method(mixture, RATE, QUICK)
        assert np.abs(estimates).max() < 1.5 * np.abs(mixture).max()
        assert np.abs(estimates[:, RATE // 2 + 4096 : RATE - 4096]).max() < 1e-6

    @every_method
    def test_a_silent_microphone_and_a_copy(self, method):
        mixture = bands.matrix(2, 0.2, 0.4) @ bands.band(2, seconds=2)
        estimates, found = method(np.stack([mixture[0], 0 * mixture[0], mixture[1], -mixture[0]]), RATE, QUICK)
        assert not estimates[1].any()
        assert np.allclose(estimates[3], -estimates[0], rtol=0, atol=1e-12)
        assert np.abs(estimates[0] - mixture[0]).max() > 0.01
        assert [remark.split()[3] for remark in found.remarks] == ["silent", "a"]

    @every_method
    def test_identical_tracks_stay(self, method):
        stem = bands.band(1, seconds=1)[[0, 0]]
        estimates, found = method(stem, RATE, QUICK)
        assert np.array_equal(estimates, stem)
        assert "nothing was reduced" in found.remarks[-1]

    @every_method
    def test_all_silent(self, method):
        assert not method(np.zeros((2, 4000)), RATE, QUICK)[0].any()

    @every_method
    def test_one_sample(self, method):
        assert np.isfinite(method(np.array([[0.1], [0.2]]), RATE, QUICK)[0]).all()


@pytest.mark.parametrize(
    ("learn", "apply"),
    [(kamir.learn_kamir, kamir.apply_kamir), (mira.learn_mira, mira.apply_mira)],
    ids=["kamir", "mira"],
)
def test_blocks_equal_whole(room, learn, apply):
    """mirapie fades in twice and drops a sample at the joins of its blocks."""
    mixture = room[1][:, :40_000]
    found = learn(mixture, RATE, Settings(frame_seconds=0.1, n_frames=128, median_frames=3))
    whole = np.concatenate(list(apply(iter([mixture]), found)), axis=1)
    pieces = np.concatenate(list(apply(iter(np.array_split(mixture, [1, 7000, 7001], axis=1)), found)), axis=1)
    assert whole.shape == mixture.shape
    assert np.allclose(pieces, whole, rtol=0, atol=1e-9)


@pytest.mark.parametrize("changed", [{"median_frames": 5}, {"level_updates": 0}, {"alpha": 1.0}, {"beta": 1.0}])
def test_every_setting_of_kamir_runs(room, changed):
    """The public port names what it never defines: the kernel's filter, the least level, the first levels."""
    own, mixture = (part[:, : 2 * RATE] for part in room)
    found = kamir.learn_kamir(mixture, RATE, Settings(frame_seconds=0.1, n_frames=128, **changed))
    estimates = np.concatenate(list(kamir.apply_kamir(iter([mixture]), found)), axis=1)
    assert np.isfinite(estimates).all()
    assert bands.sdr(own, estimates).mean() > bands.sdr(own, mixture).mean()


def test_what_comes_out_is_not_rounded(room):
    """The public port of KAMIR writes int16."""
    mixture = 1e-6 * room[1][:, :RATE]
    found = kamir.learn_kamir(mixture, RATE, Settings(frame_seconds=0.1, n_frames=128))
    estimates = np.concatenate(list(kamir.apply_kamir(iter([mixture]), found)), axis=1)
    assert 0 < np.square(estimates).mean() < np.square(mixture).mean()


def test_all_microphones_share_the_random_sums():
    """mirapie draws sums of its own for each microphone, which tears apart what they hear together."""
    heard = torch.randn(1, 5, 300, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
    both = torch.cat([heard, 0.5 * heard])
    sums = mira.projection(both, 64, torch.Generator().manual_seed(0))
    assert sums.shape == (2, 5, 64)
    assert torch.allclose(sums[1], 0.5 * sums[0])
    assert float(sums[0].abs().square().mean()) == pytest.approx(float(heard.abs().square().mean()), rel=0.3)


def test_long_recordings_are_learned_from_runs_of_frames():
    frames = torch.arange(1000.0).expand(2, 3, 1000)
    found = power_model._runs(frames, 128)[0, 0]
    assert found.tolist() == [*range(64), *range(936, 1000)]
    assert power_model._runs(frames, 2000).shape == (2, 3, 1000)


def test_wrong_settings(noise):
    with pytest.raises(ValueError, match="median_frames=2"):
        Settings(median_frames=2)
    with pytest.raises(ValueError, match="n_sums is 0"):
        mira.learn_fast_mira(noise(100), RATE, n_sums=0)
