"""A small network, items that are only noise, and what a run needs from outside."""

import numpy as np
import pytest
import torch

from concertclean.config.training import TrainingSettings
from concertclean.train.loop import Environment
from concertclean.weights.building import build_model

N_SAMPLES = 2000
STEREO = {"channels": 1, "sample_rate": 8000, "n_fft": 128, "hop_length": 32, "base": 2, "eca_frames": 3, "bands": 20}
MONO = {
    "sample_rate": 8000,
    "n_fft": 128,
    "hop_length": 64,
    "depth": 1,
    "widths": [8, 8],
    "padding": "zeros",
    "bands": 20,
}


@pytest.fixture
def make_settings():
    """Settings of a short run, changed by nested keyword tables."""

    def make(architecture="kanunet_eca", **changes):
        tables = {
            "network": {"architecture": architecture, "config": STEREO if architecture == "kanunet_eca" else MONO},
            "data": {"dataset": "nowhere", "batch": 4},
            "mixing": {"task": "gramophone", "snr_db": (0, 5)},
            "loss": {"name": "relative"},
            "optimizer": {"warmup": 2, "learning_rate": 1e-2},
            "run": {"steps": 8, "precision": "fp32", "save_every": 3, "log_every": 2, "validate_every": 0},
        }
        for name, table in changes.items():
            tables[name] = {**tables.get(name, {}), **table}
        return TrainingSettings.model_validate({"name": "tiny", **tables})

    return make


def make_batch(number, size=4):
    """Tones under noise; depends on the number alone."""
    rng = np.random.default_rng(number)
    time = np.arange(N_SAMPLES) / 8000
    tones = np.sin(2 * np.pi * rng.uniform(200, 2000, (size, 1, 1)) * time) * 0.2
    noise = 0.1 * rng.standard_normal((size, 1, N_SAMPLES))
    clean = torch.from_numpy(tones.astype(np.float32))
    return clean + torch.from_numpy(noise.astype(np.float32)), clean, [f"item {number}.{i}" for i in range(size)]


@pytest.fixture
def make_around(tmp_path):
    """Environment that logs its lines into `lines` and stops after `stop_after` steps."""

    def make(folder="run", stop_after=None, batch=make_batch, **more):
        (tmp_path / folder).mkdir(exist_ok=True)
        lines = []

        def give(first, end):
            for number in range(first, end):
                around.n_given = number + 1
                yield batch(number)

        around = Environment(tmp_path / folder, give, log=lines.append, **more)
        around.lines, around.n_given = lines, 0
        if stop_after is not None:
            around.stop = lambda: around.n_given >= stop_after
        return around

    return make


@pytest.fixture
def make_network():
    def make(settings):
        torch.manual_seed(settings.run.seed)
        return build_model(settings.network.architecture, settings.network.config, "test")

    return make
