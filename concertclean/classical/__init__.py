"""Floor 3: restoration without learned weights."""
