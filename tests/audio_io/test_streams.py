"""Which sound of a film is read, how long it is said to be, and what takes the place of a file."""
