"""Synthesis of sounds with too few recordings: crowds, disc noise, and everything between the music and the file."""
