"""Evaluation of recordings, models and tools with metrics, as tables."""
