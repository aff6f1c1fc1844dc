"""Floor 5: training of the networks."""
