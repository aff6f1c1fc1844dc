"""Bleed reduction of recordings: which tracks belong together, by which method, from files to files."""
