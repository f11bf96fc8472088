"""The attributes of fitted estimators: one row each, of which the class docstrings are made."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .row import CLASSIFIER, REGRESSOR


class Attribute(NamedTuple):
    """One row: its type, its words, and the estimators that have it."""

    kind: str
    help: str
    of: tuple[str, ...] = (CLASSIFIER, REGRESSOR)


ATTRIBUTES: Mapping[str, Attribute] = MappingProxyType(
    {
        "classes_": Attribute("array", "the labels, sorted", (CLASSIFIER,)),
        "coefs_": Attribute("list of arrays", "weights of each layer (inputs, units), views of theta_"),
        "intercepts_": Attribute("list of arrays", "biases of each layer (units,), views of theta_"),
        "theta_": Attribute("array", "all parameters in one vector"),
        "network_": Attribute("Network", "the chain of blocks that maps inputs to raw scores"),
        "loss_function_": Attribute("Loss", "the loss that was minimised"),
        "loss_": Attribute("float", "training loss of the last epoch"),
        "best_loss_": Attribute("float or None", "smallest training loss; None with early stopping"),
        "loss_curve_": Attribute("list", "training loss of each epoch"),
        "validation_loss_curve_": Attribute("list or None", "loss of each epoch on the validation rows"),
        "validation_scores_": Attribute("list or None", "score of each epoch on the validation rows"),
        "best_validation_score_": Attribute("float or None", "best score on the validation rows"),
        "n_iter_": Attribute("int", "epochs that were done"),
        "t_": Attribute("int", "rows that were seen in training"),
        "gamma_": Attribute(
            "float", "parameters that the data determine; only where the solver estimates it (bayesian)"
        ),
        "standard_errors_": Attribute(
            "array", "standard error of each entry of theta_; only after levenberg_marquardt or bayesian"
        ),
        "stop_reason_": Attribute("str", "reason why the training ended"),
        "target_scale_": Attribute("Scale or None", "mean and deviation of the target", (REGRESSOR,)),
        "target_name_": Attribute("str or list", "name of the target, or of several; only after `chainrule train`"),
        "reading_": Attribute("dict", "how the file was read; only after `chainrule train` on a table"),
        "encoder_": Attribute("TableEncoder or None", "encoder of the columns, where there is one"),
        "input_scale_": Attribute("float", "factor on every input that the model was fitted with"),
        "n_features_in_": Attribute("int", "number of columns"),
        "feature_names_in_": Attribute("array", "names of the columns; only where they have names"),
        "n_layers_": Attribute("int", "number of layers, the inputs counted"),
        "n_outputs_": Attribute("int", "number of outputs of the network"),
        "out_activation_": Attribute("str", "scikit-learn's name for the link of the loss"),
    }
)
"""The table."""
