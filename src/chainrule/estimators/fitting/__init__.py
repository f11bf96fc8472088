"""How an estimator is fitted."""
