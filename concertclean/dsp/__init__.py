"""Pure signal functions on arrays and tensors."""
