"""Frozen records of what is read from files; unknown keys are refused, and all errors reported together."""
