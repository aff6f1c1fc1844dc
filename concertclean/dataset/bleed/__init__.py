"""Bands whose microphones hear each other, made from stems: for training, and fixed ones that judge."""
