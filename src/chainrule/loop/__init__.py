"""The one training loop, its events, checkpoints, loggers and restarts."""
