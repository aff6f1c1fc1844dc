"""Floor 5: evaluation of recordings, models and tools with metrics, as tables."""
