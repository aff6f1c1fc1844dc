"""Floor 5: results to see and hear: spectrogram pictures, before/after page, listening test."""
