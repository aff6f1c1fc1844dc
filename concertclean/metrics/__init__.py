"""Floor 3: quality metrics; each module is one family."""
