"""Replacing the import is the whole migration: scikit-learn's own tests of its MLP, run on ours."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sklearn.neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from chainrule import MLPClassifier, MLPRegressor

THEIR_TESTS = Path(sklearn.neural_network.__file__).parent / "tests" / "test_mlp.py"
THEIR_IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
OUR_IMPORT = "from chainrule import MLPClassifier, MLPRegressor"

NOT_FOR_OURS = {
    "test_fit": "assigns coefs_ and the private _coef_grads, _intercept_grads, _coef_velocity of a half-built model",
    "test_early_stopping_stratified": "expects a refusal that names 'True' for the label 1; ours trains",
    "test_gradient": "calls the private _loss_grad_lbfgs; tests/mathematics/test_objective.py checks our gradients",
    "test_learning_rate_warmstart": "reads the private _optimizer; tests/steps/test_schedules.py checks invscaling",
    "test_adaptive_learning_rate": "reads the private _optimizer; tests/steps/test_schedules.py checks adaptive",
}
"""Their tests that cannot pass on another implementation, each with its reason."""

FIRST_ORDER = [
    MLPClassifier(max_iter=100),
    MLPClassifier(hidden_layer_sizes=(8, 8), activation="tanh", solver="sgd", learning_rate_init=0.1, max_iter=100),
    MLPRegressor(max_iter=100),
]
QUASI_NEWTON = [
    MLPClassifier(hidden_layer_sizes=(), solver="lbfgs", max_iter=40),
    MLPClassifier(loss="hinge", solver="lbfgs", hidden_layer_sizes=(20,), max_iter=40),
    MLPRegressor(solver="lbfgs", hidden_layer_sizes=(20,), scale_target=True, max_iter=40),
]


def _outcomes(report: Path) -> tuple[set[str], set[str]]:
    """Return the names of the tests that passed, and of those that did not, from a JUnit file."""
    passed, other = set(), set()
    for case in ElementTree.parse(report).iter("testcase"):
        name = re.sub(r"\[.*", "", case.attrib["name"])
        (other if len(case) else passed).add(name)
    return passed - other, other


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.skipif(not THEIR_TESTS.exists(), reason="this scikit-learn was installed without its tests")
def test_their_tests_pass_on_our_estimators(tmp_path: Path) -> None:
    theirs = THEIR_TESTS.read_text()
    assert theirs.count(THEIR_IMPORT) == 1
    (tmp_path / "test_theirs.py").write_text(theirs.replace(THEIR_IMPORT, OUR_IMPORT))
    (tmp_path / "conftest.py").write_text(
        "import pytest\n\n\n@pytest.fixture\ndef global_random_seed():\n    return 42\n"
    )
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", "test_theirs.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    passed, other = _outcomes(report)
    assert other == NOT_FOR_OURS.keys(), result.stdout[-4000:]
    assert len(passed) >= 35


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(FIRST_ORDER)
def test_estimator_checks(estimator, check) -> None:
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(QUASI_NEWTON)
def test_estimator_checks_of_lbfgs(estimator, check) -> None:
    check(estimator)


def test_the_convergence_warning_is_theirs() -> None:
    with pytest.warns(ConvergenceWarning, match=r"Maximum iterations \(2\) reached"):
        MLPClassifier(max_iter=2, random_state=0).fit([[0.0], [1.0]], [0, 1])
