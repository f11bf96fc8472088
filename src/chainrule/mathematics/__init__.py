"""The textbook: blocks, losses, penalties, the network and its objective. Pure functions over arrays."""
