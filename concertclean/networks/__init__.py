"""Networks, one file an architecture: waveform in, waveform out."""
