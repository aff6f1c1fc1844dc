"""Floor 2: pure signal functions on arrays and tensors."""
