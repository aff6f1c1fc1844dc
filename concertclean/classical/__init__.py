"""Restoration by signal processing, on arrays; no torch, and no weights for a user to choose."""
