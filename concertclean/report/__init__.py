"""Floor 5: what a person sees and hears of a result: spectrogram pictures, before/after page, listening test."""
