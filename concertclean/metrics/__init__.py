"""Floor 3: how good an estimate is; each module one family of metrics."""
