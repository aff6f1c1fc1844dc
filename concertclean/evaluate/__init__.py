"""Floor 5: metrics over many recordings, models and tools, to a table that can be trusted."""
