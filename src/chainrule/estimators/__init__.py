"""MLPClassifier and MLPRegressor: scikit-learn's names and meanings in front of the training loop.

They validate, translate and delegate: `settings` lists what each accepts and turns it into parts, `fitted` holds
inputs, targets, predictions and model files, `fitting` runs the training loop, `loading` reads a model file back.
Fitted state ends in an underscore; the weights live in one vector `theta_`, of which `coefs_` and `intercepts_` are
views.
"""

from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
