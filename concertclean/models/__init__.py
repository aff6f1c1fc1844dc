"""Floor 3: networks, waveform in and waveform out, and the registry of their weights."""
