"""The training loop: it learns, it goes on as if it had never stopped, and it notices what is not finite."""

import json

import pytest
import torch

from concertclean.errors import ConfigError, TrainingError
from concertclean.train.checkpoint import load_state, recipe_hash, save_state
from concertclean.train.loop import Run
from concertclean.weights.loading import load_model
from tests.train.conftest import make_batch

CPU = torch.device("cpu")


def weights(run):
    return {name: tensor.clone() for name, tensor in run.average.state_dict().items()}


def equal(first, second):
    return all(torch.equal(first[name], second[name]) for name in first) and first.keys() == second.keys()


@pytest.mark.parametrize(("architecture", "learning_rate"), [("kanunet_eca", 2e-2), ("two_stage_unet", 5e-3)])
def test_the_same_four_items_again_and_again_are_learnt(
    make_settings, make_around, make_network, architecture, learning_rate
):
    settings = make_settings(
        architecture,
        run={"steps": 50, "log_every": 10},
        loss={"one_resolution": True},
        optimizer={"learning_rate": learning_rate, "warmup": 5, "freeze_norm": 30},
    )
    around = make_around(batch=lambda number: make_batch(0))
    Run(settings, make_network(settings), CPU, around, resume=False).train()
    gains = [line["gain"] for line in around.lines if "gain" in line]
    # One tone each under white noise: most of it can go, and fifty steps of so small a network find a part.
    assert gains[-1] > 2.5


@pytest.mark.parametrize("loss", ["relative", "spectral", "two_stage", "complex", "si_snr"])
def test_every_loss_makes_a_step(make_settings, make_around, make_network, loss):
    settings = make_settings(
        "two_stage_unet", run={"steps": 3}, loss={"name": loss, "one_resolution": loss == "spectral"}
    )
    network = make_network(settings)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    Run(settings, network, CPU, make_around(), resume=False).train()
    assert not any(torch.equal(before[name], tensor) for name, tensor in network.named_parameters())


@pytest.mark.parametrize("stop_after", [3, 5])  # at a checkpoint, and between two
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    make_settings, make_around, make_network, stop_after
):
    settings = make_settings(optimizer={"freeze_norm": 4})
    whole = Run(settings, make_network(settings), CPU, make_around("whole"), resume=False)
    assert whole.train()
    first = Run(settings, make_network(settings), CPU, make_around("parts", stop_after), resume=False)
    assert not first.train()
    assert first.step == stop_after
    torch.manual_seed(99)  # what the first part left behind in memory must not matter
    second = Run(settings, make_network(settings), CPU, make_around("parts"), resume=True)
    assert second.step == stop_after
    assert second.train()
    assert equal(weights(whole), weights(second))
    files = [run.around.folder / "tiny.safetensors" for run in (whole, second)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_run_of_other_settings_is_not_gone_on_with(make_settings, make_around, make_network):
    settings = make_settings()
    Run(settings, make_network(settings), CPU, make_around(stop_after=2), resume=False).train()
    other = make_settings(optimizer={"learning_rate": 1e-3})
    with pytest.raises(ConfigError, match="a run of other settings"):
        Run(other, make_network(other), CPU, make_around(), resume=True)
    free = make_settings(run={"save_every": 7, "log_every": 1})  # these do not touch the weights
    assert Run(free, make_network(free), CPU, make_around(), resume=True).step == 2


@pytest.mark.parametrize("content", [None, b"not a checkpoint"])
def test_a_missing_or_damaged_state_is_told(make_settings, make_around, make_network, content):
    around = make_around()
    if content is not None:
        (around.folder / "state.pt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"holds no run|state\.pt: cannot be read"):
        Run(make_settings(), make_network(make_settings()), CPU, around, resume=True)


def test_a_state_that_does_not_fit_the_run_is_refused(make_settings, make_around, make_network):
    settings, around = make_settings(), make_around(stop_after=1)
    Run(settings, make_network(settings), CPU, around, resume=False).train()
    state = load_state(around.folder, recipe_hash(settings))
    wrong = {"step": "x", "network": {}, "average": 3, "optimizer": {"state": {}}, "torch_rng": torch.zeros(4)}
    for name, value in wrong.items():
        save_state(around.folder, state | {name: value})
        with pytest.raises(ConfigError, match=r"state\.pt: cannot be read, it is damaged"):
            Run(settings, make_network(settings), CPU, around, resume=True)


def bad_batch(number):
    degraded, clean, descriptions = make_batch(number)
    if number in (1, 2):
        degraded[2, 0, 100] = float("nan")
    return degraded, clean, descriptions


def test_a_gradient_that_is_not_finite_names_its_items_and_changes_nothing(make_settings, make_around, make_network):
    settings = make_settings("two_stage_unet", run={"steps": 3})
    around = make_around(batch=bad_batch)
    run = Run(settings, make_network(settings), CPU, around, resume=False)
    run.train()
    skipped = [line for line in around.lines if "skipped" in line]
    assert [line["items"] for line in skipped] == [[f"item {n}.{i}" for i in range(4)] for n in (1, 2)]
    assert all(torch.isfinite(tensor).all() for tensor in run.network.state_dict().values())


def test_twenty_such_steps_in_a_row_end_the_run(make_settings, make_around, make_network):
    def worse(number):
        degraded, clean, descriptions = make_batch(number)
        return degraded * float("nan"), clean, descriptions

    settings = make_settings("two_stage_unet", run={"steps": 30})
    around = make_around(batch=worse)
    with pytest.raises(TrainingError, match=r"20 steps in a row, last with item 19\.0"):
        Run(settings, make_network(settings), CPU, around, resume=False).train()


def test_summed_gradients_of_two_halves_are_those_of_the_whole(make_settings, make_around, make_network):
    def half(number):
        degraded, clean, descriptions = make_batch(number // 2)
        part = slice(2 * (number % 2), 2 * (number % 2) + 2)
        return degraded[part], clean[part], descriptions[part]

    whole = make_settings("two_stage_unet")
    run = Run(whole, make_network(whole), CPU, make_around("whole"), resume=False)
    run.train()
    halves = make_settings("two_stage_unet", optimizer={"accumulate": 2})
    other = Run(halves, make_network(halves), CPU, make_around("halves", batch=half), resume=False)
    other.train()
    for name, tensor in weights(run).items():
        # Sums in another order: float32 rounding, amplified by Adam where the gradient is nearly zero.
        assert torch.allclose(tensor.float(), weights(other)[name].float(), atol=2e-4), name


def test_the_best_at_validation_is_exported(make_settings, make_around, make_network):
    scores = iter([1.0, 5.0, 3.0])
    steps = []

    def judge(model):
        assert not model.training
        steps.append(run.step)
        return {"score": next(scores)}

    settings = make_settings(run={"steps": 6, "validate_every": 2})
    around = make_around(judge=judge, facts={"training_data": "tones"})
    run = Run(settings, make_network(settings), CPU, around, resume=False)
    run.train()
    assert steps == [2, 4, 6]
    loaded = load_model(around.folder / "tiny.safetensors")
    assert loaded.header.provenance["steps"] == "4"
    assert loaded.header.provenance["training_data"] == "tones"
    assert loaded.header.provenance["license"] == "not stated"
    assert loaded.header.provenance["recipe"].startswith("tiny ")
    assert load_model(around.folder / "tiny-last.safetensors").header.provenance["steps"] == "6"


def test_a_run_that_is_stopped_leaves_its_weights_so_far(make_settings, make_around, make_network):
    settings = make_settings()
    around = make_around(stop_after=3)
    run = Run(settings, make_network(settings), CPU, around, resume=False)
    assert not run.train()
    loaded = load_model(around.folder / "tiny-last.safetensors")
    assert loaded.header.provenance["steps"] == "3"
    exact = run.average.module.state_dict()
    for name, tensor in loaded.model.state_dict().items():
        assert torch.allclose(tensor, exact[name], rtol=1e-3, atol=1e-6), name  # stored as float16


def test_the_log_has_a_line_for_everything_told(make_settings, make_around, make_network):
    around = make_around()
    settings = make_settings()
    Run(settings, make_network(settings), CPU, around, resume=False).train()
    lines = [json.loads(line) for line in (around.folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert [{k: v for k, v in line.items() if k != "time"} for line in lines] == around.lines
    assert set(lines[0]) >= {"loss", "gain", "norm", "learning_rate", "done"}


def test_normalisation_is_frozen_when_asked(make_settings, make_around, make_network):
    settings = make_settings(optimizer={"freeze_norm": 3})
    around = make_around(stop_after=3)
    run = Run(settings, make_network(settings), CPU, around, resume=False)
    run.train()
    norm = next(m for m in run.network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    at_three = norm.running_mean.clone()
    later = Run(settings, make_network(settings), CPU, make_around(), resume=True)
    later.train()
    norm = next(m for m in later.network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert torch.equal(norm.running_mean, at_three)
    assert int(norm.num_batches_tracked) == 3


def test_statistics_of_the_normalisation_are_averaged_like_the_weights(make_settings, make_around, make_network):
    """The first step is copied; the second counts 1 - min(0.997, 2 / 11) = 9 / 11. Float32 rounds to 1e-7."""
    settings = make_settings(optimizer={"warmup": 1}, run={"steps": 2})
    around, seen = make_around(), []

    def look():
        seen.append({name: tensor.clone() for name, tensor in run.network.state_dict().items()})
        return False

    around.stop = look
    run = Run(settings, make_network(settings), CPU, around, resume=False)
    run.train()
    first, second = seen
    statistics = {name for name in first if name.endswith(("running_mean", "running_var"))}
    assert statistics
    assert all(float((second[name] - first[name]).abs().max()) > 1e-5 for name in statistics)
    for name in statistics | dict(run.network.named_parameters()).keys():
        expected = first[name] + (second[name] - first[name]) * 9 / 11
        assert torch.allclose(run.average.module.state_dict()[name], expected, rtol=1e-6, atol=1e-7), name


def test_bf16_keeps_the_weights_in_full_precision(make_settings, make_around, make_network):
    settings = make_settings(run={"steps": 3, "precision": "bf16"})
    run = Run(settings, make_network(settings), CPU, make_around(), resume=False)
    run.train()
    assert all(tensor.dtype == torch.float32 for tensor in run.network.parameters())
