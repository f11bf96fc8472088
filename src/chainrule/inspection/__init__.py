"""A look inside: figures of every block, checked gradients, and advice for a training that does not learn."""
