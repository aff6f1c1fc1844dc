"""Layers and rules that more than one network uses."""
