"""Layers and rules shared by networks."""
