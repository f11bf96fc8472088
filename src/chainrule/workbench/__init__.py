"""From data on disk to a tested model, without a screen."""
