"""Everything a training step does beside the update rule: learning rates, recipe, averaging, augmentation."""
