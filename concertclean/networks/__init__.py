"""Networks, one file per architecture: waveform in, waveform out."""
