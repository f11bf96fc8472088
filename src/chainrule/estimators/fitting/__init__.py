"""The fit of an estimator: its start, its held-out rows, its end."""
