"""Files to compare and a small dataset to judge on."""

import numpy as np
import pytest
import soundfile

RATE = 16_000


def tones(seed, seconds=1.0, channels=2):
    """Tones that swell, `(channel, time)`."""
    rng = np.random.default_rng(seed)
    time_axis = np.arange(round(seconds * RATE)) / RATE
    return np.array([
        sum(np.sin(2 * np.pi * rng.uniform(100, 3000) * time_axis + rng.uniform(0, 6)) for _ in range(4))
        * 0.05 * (1.5 + np.sin(2 * np.pi * time_axis))
        for _ in range(channels)
    ])  # fmt: skip


@pytest.fixture
def save(tmp_path):
    """Writes `(channel, time)` to a file below the test's folder."""

    def write(name, waveform, rate=RATE, subtype=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, waveform.T, rate, subtype=subtype or ("PCM_24" if path.suffix != ".ogg" else None))
        return path

    return write


@pytest.fixture
def triple(save):
    """A reference, an estimate 20 dB above its noise, and a noisy one at 10 dB, under one name."""

    def make(name="a.wav", seed=1):
        truth = tones(seed)
        noise = np.random.default_rng(seed + 100).standard_normal(truth.shape)
        noise *= np.sqrt(np.square(truth).mean() / np.square(noise).mean())
        return (
            save(f"reference/{name}", truth),
            save(f"estimate/{name}", truth + 0.1 * noise),
            save(f"noisy/{name}", truth + 10**-0.5 * noise),
        )

    return make
