"""Quality metrics; each module is one family."""
