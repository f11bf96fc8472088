"""What an estimator is once it is fitted: predictions, targets, a file."""
