"""What the program runs on: devices and worker processes."""
