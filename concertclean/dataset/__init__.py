"""Floor 5: training pairs: clean music, and what a crowd, a disc, a room and a phone add to it."""
