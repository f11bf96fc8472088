"""The parts of a training step beside the update rule: learning rates, recipe, averaging, augmentation."""
