"""Results to see and hear: spectrogram pictures, before/after page, listening test."""
