"""Weights: their cards, where they lie, how they are fetched, read, written, converted and published."""
