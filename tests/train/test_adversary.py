"""Training against discriminators: both learn, the state holds both, weight 0 has none."""

import pytest
import torch

from concertclean.config.training import AdversarialSettings
from concertclean.train.adversary import Adversary, critic_hinge, generator_hinge
from concertclean.train.checkpoint import load_state, recipe_hash
from concertclean.train.loop import Run
from tests.train.conftest import make_batch

CPU = torch.device("cpu")
SMALL = {"weight": 0.01, "scales": 2, "n_fft": 128, "hop_length": 64, "widths": [2, 2, 2, 2, 4, 4, 4], "code": 2}


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_hinge_losses_by_hand():
    clean, estimate = [torch.tensor([2.0, 0.0])], [torch.tensor([-2.0, 1.0])]
    # max(0, 1 - 2), max(0, 1 - 0): mean 0.5; max(0, 1 - 2), max(0, 1 + 1): mean 1.
    assert float(critic_hinge(clean, estimate)) == pytest.approx(1.5)
    # max(0, 1 + 2), max(0, 1 - 1): mean 1.5.
    assert float(generator_hinge(estimate)) == pytest.approx(1.5)


def test_discriminators_learn_to_tell_clean_tones_from_noise():
    torch.manual_seed(0)
    adversary = Adversary(AdversarialSettings(**{**SMALL, "learning_rate": 1e-2}), CPU)
    found = []
    for number in range(30):
        degraded, clean, _ = make_batch(number)
        found.append(adversary.step([(clean, degraded)], rate=1.0))
    assert found[0] > 1.5  # 2 where they know nothing
    assert found[-1] < 0.5 * found[0]


def test_the_term_reaches_the_estimate_and_leaves_the_discriminators_alone():
    torch.manual_seed(0)
    adversary = Adversary(AdversarialSettings(**SMALL), CPU)
    degraded, _, _ = make_batch(0)
    degraded.requires_grad_(True)
    term = adversary.term(degraded)
    term.backward()
    assert float(degraded.grad.abs().max()) > 0
    assert all(parameter.grad is None for parameter in adversary.discriminators.parameters())
    scores = adversary.discriminators(degraded.detach())
    assert float(term.detach()) == pytest.approx(0.01 * float(generator_hinge(scores)))


def test_a_gradient_that_is_not_finite_changes_nothing():
    torch.manual_seed(0)
    adversary = Adversary(AdversarialSettings(**SMALL), CPU)
    before = weights(adversary.discriminators)
    bad = torch.full((1, 1, 2000), torch.nan)
    assert adversary.step([(bad, bad)], rate=1.0) is None
    assert equal(before, weights(adversary.discriminators))


def test_gradients_are_averaged_over_processes(monkeypatch):
    """Two processes with equal batches step as one."""
    found = []
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda tensor: tensor.mul_(2))
    for world_size in (1, 2):
        torch.manual_seed(0)
        adversary = Adversary(AdversarialSettings(**SMALL), CPU, world_size)
        degraded, clean, _ = make_batch(0)
        adversary.step([(clean, degraded)], rate=1.0)
        found.append(weights(adversary.discriminators))
    assert equal(*found)


def test_the_rate_follows_the_schedule_of_the_network():
    adversary = Adversary(AdversarialSettings(**SMALL, learning_rate=1e-3), CPU)
    adversary.step([make_batch(0)[1::-1]], rate=0.25)
    assert adversary.optimizer.param_groups[0]["lr"] == pytest.approx(2.5e-4)


@pytest.mark.parametrize(("stop_after", "accumulate"), [(3, 1), (5, 1), (3, 2)])  # at a checkpoint, between two
def test_an_interrupted_adversarial_run_ends_with_the_bytes_of_an_uninterrupted_one(
    make_settings, make_around, make_network, tmp_path, stop_after, accumulate
):
    settings = make_settings(
        "two_stage_unet", adversarial=SMALL, loss={"name": "complex"}, optimizer={"accumulate": accumulate}
    )
    whole = Run(settings, make_network(settings), CPU, make_around("whole"), resume=False)
    assert whole.train()
    around = make_around("parts", stop_after * accumulate)
    first = Run(settings, make_network(settings), CPU, around, resume=False)
    assert not first.train()
    torch.rand(7)  # whatever else happened between the parts
    second = Run(settings, make_network(settings), CPU, make_around("parts"), resume=True)
    assert second.step == stop_after
    assert second.train()
    names = ("tiny.safetensors", "tiny-last.safetensors")
    assert all((tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes() for name in names)
    assert equal(weights(whole.adversary.discriminators), weights(second.adversary.discriminators))


def test_the_state_holds_the_discriminators_and_the_log_their_loss(make_settings, make_around, make_network, tmp_path):
    settings = make_settings("two_stage_unet", adversarial=SMALL, loss={"name": "complex"})
    around = make_around()
    run = Run(settings, make_network(settings), CPU, around, resume=False)
    before = weights(run.adversary.discriminators)
    run.train()
    held = load_state(tmp_path / "run", recipe_hash(settings))["adversary"]
    assert equal(held["discriminators"], run.adversary.discriminators.state_dict())
    assert not equal(before, held["discriminators"])
    assert all("discriminator_loss" in line for line in around.lines if "loss" in line)


def test_weight_0_trains_as_if_there_were_no_discriminators(make_settings, make_around, make_network, tmp_path):
    plain = make_settings("two_stage_unet", loss={"name": "complex"})
    none = make_settings("two_stage_unet", loss={"name": "complex"}, adversarial={**SMALL, "weight": 0.0})
    runs = []
    for folder, settings in (("plain", plain), ("none", none)):
        runs.append(Run(settings, make_network(settings), CPU, make_around(folder), resume=False))
        runs[-1].train()
    assert runs[1].adversary is None
    assert equal(weights(runs[0].network), weights(runs[1].network))


def test_the_network_learns_something_else_with_discriminators(make_settings, make_around, make_network):
    found = []
    for weight in (0.0, 10.0):
        settings = make_settings("two_stage_unet", loss={"name": "complex"}, adversarial={**SMALL, "weight": weight})
        run = Run(settings, make_network(settings), CPU, make_around(str(weight)), resume=False)
        run.train()
        found.append(weights(run.network))
    assert not equal(*found)
