"""MLPClassifier and MLPRegressor: scikit-learn's names and meanings in front of the training loop.

They validate, translate and delegate: `settings` says what is accepted, `assembly` turns settings into parts,
`targets` turns y into what a loss takes, `tables` turns columns into numbers, `training` trains. Fitted state ends
in an underscore; the weights live in one vector `theta_`, of which `coefs_` and `intercepts_` are views.
"""

from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
