"""Files that are safe to read: signed tensors with one plain document, in a closed vocabulary."""
