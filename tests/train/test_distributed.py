"""Two processes that share each batch end with the weights of one that takes it whole."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from concertclean.config.training import TrainingSettings
from concertclean.train.distributed import joined
from concertclean.train.loop import Environment, Run
from tests.train.conftest import make_batch


def part_of(number, rank, world_size):
    degraded, clean, descriptions = make_batch(number)
    share = len(degraded) // world_size
    mine = slice(rank * share, (rank + 1) * share)
    return degraded[mine], clean[mine], descriptions[mine]


def train_part(folder: Path, settings: TrainingSettings, stop_at: int | None = None) -> Run:
    """What each process does; `torchrun` tells it who it is by the environment."""
    from concertclean.weights.building import build_model

    with joined("cpu") as place:
        torch.manual_seed(settings.run.seed)
        network = build_model(settings.network.architecture, settings.network.config, "test")

        def give(first, end):
            return (part_of(number, place.rank, place.world_size) for number in range(first, end))

        around = Environment(folder, give, rank=place.rank, world_size=place.world_size)
        around.stop = lambda: place.any(stop_at is not None and place.rank == 1 and run.step >= stop_at)
        run = Run(settings, network, place.device, around, resume=False)
        run.train()
    return run


def start_two(folder: Path, settings: TrainingSettings, stop_at: str = "") -> list[int]:
    """Runs `train_part` in two processes, as torchrun would start them; their exit codes."""
    (folder / "two").mkdir()
    (folder / "settings.json").write_text(settings.model_dump_json())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    root = str(Path(__file__).parents[2])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    parts = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.train.test_distributed", str(folder), stop_at],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONPATH": root},
            cwd=root,
        )
        for rank in (0, 1)
    ]
    return [part.wait(timeout=120) for part in parts]


def test_two_gloo_processes_give_the_single_process_result(make_settings, tmp_path):
    settings = make_settings("two_stage_unet")  # without batch normalisation, which sees each half apart
    (tmp_path / "one").mkdir()
    one = train_part(tmp_path / "one", settings)
    assert start_two(tmp_path, settings) == [0, 0]
    state = torch.load(tmp_path / "two" / "state.pt", weights_only=True)
    assert state["step"] == settings.run.steps
    for name, tensor in one.network.state_dict().items():
        # Sums in another order: float32 rounding, amplified by Adam where the gradient is nearly zero.
        assert torch.allclose(tensor, state["network"][name], atol=2e-4), name
    # Only the first process writes: one log, and each line once.
    assert len((tmp_path / "two" / "log.jsonl").read_text().splitlines()) == settings.run.steps // 2


def test_a_request_to_one_process_ends_all_at_the_same_step(make_settings, tmp_path):
    """A signal may reach one process a step earlier; the others would wait for it for ever."""
    assert start_two(tmp_path, make_settings("two_stage_unet"), stop_at="5") == [0, 0]
    assert torch.load(tmp_path / "two" / "state.pt", weights_only=True)["step"] == 5


def test_alone_there_is_nobody_to_join(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined("cpu") as place:
        assert (place.rank, place.world_size, place.device) == (0, 1, torch.device("cpu"))


if __name__ == "__main__":
    base, stop_after = Path(sys.argv[1]), sys.argv[2]
    read = TrainingSettings.model_validate_json((base / "settings.json").read_text())
    train_part(base / "two", read, int(stop_after) if stop_after else None)
