"""Restoration: from names and settings to a restorer, and from file to file."""
