"""The settings of the estimators, and what each becomes."""
