"""What everything stands on: array namespaces, named random streams, values that are allowed, files written whole."""
