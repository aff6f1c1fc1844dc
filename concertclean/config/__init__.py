"""Floor 1: frozen records of what is read from files; unknown keys are refused, and all errors reported together."""
