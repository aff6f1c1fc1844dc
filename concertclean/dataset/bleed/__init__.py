"""Bands with bleed between their microphones, made from stems: for training, and fixed ones for evaluation."""
