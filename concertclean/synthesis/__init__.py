"""What recordings there are too few of: crowds, disc noise, and what lies between the music and the file."""
