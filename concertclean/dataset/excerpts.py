"""Adjusts the length of excerpts."""

import numpy as np

from concertclean.synthesis.shaping import Waveform

_JOINT_SAMPLES = 2205  # 50 ms at 44.1 kHz


def filled(waveform: Waveform, n_samples: int) -> Waveform:
    """A waveform extended or cut to exactly `n_samples`; repetitions are joined by equal-power cross-fades.

    Args:
        waveform: `(channel, time)`, not empty.
        n_samples: length of the result.
    """
    if waveform.shape[1] >= n_samples:
        return waveform[:, :n_samples]
    fade = min(_JOINT_SAMPLES, waveform.shape[1] // 4)
    angle = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
    parts, length = [waveform], waveform.shape[1]
    while length < n_samples:
        joint = parts[-1][:, parts[-1].shape[1] - fade :] * np.cos(angle) + waveform[:, :fade] * np.sin(angle)
        parts[-1] = parts[-1][:, : parts[-1].shape[1] - fade]
        parts.append(np.concatenate([joint, waveform[:, fade:]], axis=1))
        length += waveform.shape[1] - fade
    return np.concatenate(parts, axis=1)[:, :n_samples]
