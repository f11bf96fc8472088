"""The ground floor: array namespaces, named random streams, rules for values, scaling of columns, whole files."""
