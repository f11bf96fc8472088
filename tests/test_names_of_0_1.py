"""The names of version 0.1 are there, and are the objects that stand in the rooms: faces hand on, they hold nothing."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

import chainrule as cr
import house

PACKAGE = """
    PCA Activation Advice Averaging BatchNorm BlockStatistics CSVLogger Checkpoint CheckpointError Dense DivergenceError
    DropConnect Dropout GaussianNoise JSONLinesLogger LayerNorm MLPClassifier MLPRegressor ModelFileError MovingAverage
    Network NoisyReLU Objective PReLU Progress RReLU RangeTest Recipe Result Scaling Stopping TensorBoardLogger
    TrainingAdvice TrainingState augmentation block_statistics diagnose fit_blocks gradient_check load losses optimizers
    penalties range_test save schedules train training unit_variance
"""
"""All of `chainrule.__all__`."""

MODULES = {
    "losses": """
        LOSSES AbsoluteError CrossEntropy ElementLoss Hinge Huber Logistic Loss MulticlassHinge Perceptron Poisson
        Quantile SigmoidCrossEntropy SquaredError SquaredHinge SquaredMulticlassHinge jeffreys_divergence kl_divergence
        log_softmax one_hot softmax
    """,
    "penalties": "KINDS Penalty L2 L1 ElasticNet PENALTIES",
    "schedules": """
        Schedule Constant InverseTime InverseScaling Step Exponential Cosine OneCycle Adaptive WarmUp SCHEDULES
    """,
    "augmentation": "Augmentation Noise Mask Deformation AUGMENTATIONS augmented",
    "gradient_check": "ArrayCheck check_gradients",
    "optimizers": """
        LBFGS OPTIMIZERS SGD AMSGrad AdaDelta AdaGrad Adam AdamW Lion Momentum NAdam Nesterov RAdam RMSProp Rprop
        UpdateRule
    """,
    "engines": "ENGINES EngineNotice NativeEngine ReferenceEngine threads report",
    "estimators": "MLPClassifier MLPRegressor",
    "tables": """
        CategoryColumn DroppedColumn NumberColumn SourceError TableEncoder needs_encoding read_table write_table
    """,
    "cli": "main",
}
"""The names that a user's program takes from the modules of the design; machinery, such as `Minimizer`, apart."""

PAIRS = [(module, name) for module, names in MODULES.items() for name in names.split()]


def test_the_package_has_every_name_of_0_1() -> None:
    assert len(PACKAGE.split()) == 49
    assert set(PACKAGE.split()) <= set(cr.__all__)
    assert all(getattr(cr, name) is not None for name in PACKAGE.split())


@pytest.mark.parametrize("module", MODULES)
def test_a_dotted_module_is_the_attribute_of_the_package(module: str) -> None:
    found = importlib.import_module(f"chainrule.{module}")
    assert getattr(cr, module) is found
    assert set(MODULES[module].split()) <= set(found.__all__)


def home(value: Any) -> Any:
    """Return the object under a class's or function's name in the module that defines it."""
    return getattr(importlib.import_module(value.__module__), value.__qualname__)


@pytest.mark.parametrize(("module", "name"), [*PAIRS, *(("", name) for name in PACKAGE.split())])
def test_a_name_is_the_object_of_its_room(module: str, name: str) -> None:
    value = getattr(importlib.import_module(f"chainrule.{module}".rstrip(".")), name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert home(value) is value
        assert value.__module__.startswith("chainrule.")


@pytest.mark.parametrize("door", [name for name in house.DOORS if name != "__init__"])
def test_a_face_hands_on_the_objects_of_one_room(door: str) -> None:
    files = house.python_files()
    (target,) = {arrow.target for arrow in house.python_arrows(files) if arrow.source == door}
    face = importlib.import_module(f"chainrule.{door}")
    room = importlib.import_module("chainrule." + target.removesuffix("/__init__").replace("/", "."))
    assert all(getattr(face, name) is getattr(room, name) for name in face.__all__)
    assert {name for name in vars(face) if not name.startswith("_")} == set(face.__all__)
