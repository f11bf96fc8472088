"""The fitted estimator: its inputs, targets, predictions, and its file."""
