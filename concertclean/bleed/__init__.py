"""Reduces bleed between the tracks of one recording: checks the tracks, chooses the method, writes the files."""
