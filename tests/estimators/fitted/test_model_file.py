"""Model files: the same bits after reading, and a clear refusal of everything that is not whole."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris, make_multilabel_classification, make_regression
from sklearn.exceptions import NotFittedError

import chainrule as cr
from chainrule import schedules
from chainrule.mathematics import initializers
from chainrule.mathematics.blocks import DropConnect, PReLU
from chainrule.storage.signed_file import UNSIGNED
from chainrule.storage.vocabulary import STORABLE, UnstorableError, decode, encode

IRIS_X, IRIS_Y = load_iris(return_X_y=True)
SHORT = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, "tol": 1e9, "n_iter_no_change": 1}
TABLE = pl.DataFrame(
    {
        "size": [1.5, None, 3.0, 4.0, 2.0, 2.5] * 4,
        "colour": ["red", "blue", None, "red", "grün", "blue"] * 4,
        "yes": [True, False, True, True, False, False] * 4,
    }
)
LABELS = {
    "int": IRIS_Y,
    "text": np.array(["a", "b", "ü"])[IRIS_Y],
    "object": np.array(["a", "b", "c"], object)[IRIS_Y],
    "bool": IRIS_Y > 0,
    "float": IRIS_Y.astype(float),
    "int8": IRIS_Y.astype(np.int8),
}


def _saved(model, path: Path) -> Path:
    model.save(path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    model = cr.MLPClassifier(**SHORT).fit(IRIS_X, LABELS["text"])
    return _saved(model, tmp_path_factory.mktemp("model") / "small.safetensors")


def _resigned(path: Path, change) -> None:
    """Change the description inside a model file and sign it anew, as a forger would."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    document = json.loads(header["__metadata__"]["chainrule"])
    change(document)
    document["sha256"] = UNSIGNED
    header["__metadata__"]["chainrule"] = json.dumps(document)
    text = json.dumps(header).encode()
    unsigned = struct.pack("<Q", len(text)) + text + content[8 + size :]
    path.write_bytes(unsigned.replace(UNSIGNED.encode(), hashlib.sha256(unsigned).hexdigest().encode(), 1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("labels", LABELS)
def test_classifier_predicts_the_same_bits(tmp_path, labels, dtype) -> None:
    model = cr.MLPClassifier(**SHORT).fit(IRIS_X.astype(dtype), LABELS[labels])
    again = cr.load(_saved(model, tmp_path / "m.safetensors"))
    X = IRIS_X.astype(dtype)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.classes_.dtype == model.classes_.dtype
    assert again.get_params() == model.get_params()
    assert again.theta_.dtype == dtype
    assert (again.n_iter_, again.loss_, again.loss_curve_) == (model.n_iter_, model.loss_, model.loss_curve_)


def test_multilabel_and_several_targets(tmp_path) -> None:
    X, Y = make_multilabel_classification(60, random_state=0)
    model = cr.MLPClassifier(**SHORT).fit(X, Y)
    again = cr.load(_saved(model, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    X, Y = make_regression(60, 4, n_targets=3, random_state=0)
    model = cr.MLPRegressor(**SHORT, scale_target=True).fit(X, Y)
    again = cr.load(_saved(model, tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.filterwarnings("ignore::chainrule.tables.TableWarning")
@pytest.mark.parametrize("dtype", ["auto", "float32"])
def test_table_with_its_preprocessing(tmp_path, dtype) -> None:
    y = np.tile([1.0, 5.0, 2.0, 8.0, 3.0, 3.0], 4)
    model = cr.MLPRegressor(**SHORT, dtype=dtype, scale_target=True).fit(TABLE, y)
    model.target_name_ = "price"
    again = cr.load(_saved(model, tmp_path / "m.safetensors"))
    strange = TABLE.with_columns(colour=pl.lit("violet"))
    for frame in (TABLE, strange, TABLE.to_pandas()):
        np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    assert again.target_name_ == "price"
    assert list(again.feature_names_in_) == TABLE.columns


def test_how_the_file_was_read_and_several_targets_are_kept(tmp_path) -> None:
    model = cr.MLPRegressor(**SHORT).fit(IRIS_X, IRIS_X[:, :2])
    model.target_name_ = ["a", "b"]
    model.reading_ = {
        "dialect": {"separator": ";", "decimal": ","},
        "target_form": [{"reads": "number", "form": ""}] * 2,
        "weights": "w",
    }
    again = cr.load(_saved(model, tmp_path / "m.safetensors"))
    assert (again.target_name_, again.reading_) == (model.target_name_, model.reading_)


def test_training_goes_on_after_loading(tmp_path) -> None:
    model = cr.MLPClassifier((6,), solver="sgd", momentum=0, random_state=0)
    for _ in range(3):
        model.partial_fit(IRIS_X, IRIS_Y, classes=[0, 1, 2])
    again = cr.load(_saved(model, tmp_path / "m.safetensors"))
    model.partial_fit(IRIS_X, IRIS_Y)
    again.partial_fit(IRIS_X, IRIS_Y)
    np.testing.assert_array_equal(again.theta_, model.theta_)


def test_objects_among_the_settings_come_back(tmp_path) -> None:
    chosen = {
        "loss": cr.losses.Huber(2.5),
        "solver": cr.optimizers.RMSProp(rho=0.8),
        "learning_rate": schedules.WarmUp(schedules.Cosine(0.01), 5),
        "activation": [cr.Activation("leaky_relu", slope=0.2)],
        "initializer": initializers.Scaled("he", "normal"),
        "n_iter_no_change": np.inf,
    }
    model = cr.MLPRegressor(hidden_layer_sizes=(5,), max_iter=2, callbacks=[lambda event: False], **chosen)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(IRIS_X, IRIS_Y)
    again = cr.load(_saved(model, tmp_path / "m.safetensors"))
    for name in chosen.keys() - {"activation"}:
        assert getattr(again, name) == chosen[name], name
    assert list(again.activation) == chosen["activation"]
    assert again.callbacks is None
    np.testing.assert_array_equal(again.predict(IRIS_X), model.predict(IRIS_X))


def test_any_safetensors_reader_opens_it(small) -> None:
    tensors = safetensors.numpy.load_file(small)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "0.W": (4, 6),
        "0.b": (6,),
        "2.W": (6, 3),
        "2.b": (3,),
    }


def test_one_changed_byte_at_any_position_is_refused(small, tmp_path) -> None:
    content, changed = small.read_bytes(), tmp_path / "changed.safetensors"
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        changed.write_bytes(damaged)
        with pytest.raises(cr.ModelFileError, match=r"changed\.safetensors: it "):
            cr.load(changed)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_cut_and_scrambled_files_are_refused(small, tmp_path_factory, data) -> None:
    content = bytearray(small.read_bytes())
    changed = tmp_path_factory.getbasetemp() / "scrambled.safetensors"
    start = data.draw(st.integers(0, len(content) - 1))
    junk = data.draw(st.binary(max_size=40))
    scrambled = bytes(content[:start]) + junk + bytes(content[start + data.draw(st.integers(0, 200)) :])
    if scrambled == bytes(content):
        return
    changed.write_bytes(scrambled)
    with pytest.raises(cr.ModelFileError):
        cr.load(changed)


FORGERIES = {
    "newer format": (lambda d: d.update(format="2.0"), "it has format 2.0; this version reads format 1"),
    "strange estimator": (lambda d: d.update(estimator="os.system"), "which this version does not know"),
    "strange block": (lambda d: d["network"]["blocks"].append({"kind": "os.system", "fields": {}}), "does not know"),
    "wrong fields": (lambda d: d["network"]["blocks"][0]["fields"].update(evil=1), "its Dense has wrong fields"),
    "huge layer": (lambda d: d["network"]["blocks"][0]["fields"].update(units=10**15), "do not fit its network"),
    "text for a number": (lambda d: d["network"].update(inputs="many"), "not valid"),
    "wrong width": (lambda d: d["network"].update(inputs=5), "its tensors do not fit its network"),
    "too few classes": (lambda d: d["target"].update(labels=["a"], task="binary"), "classes do not fit"),
    "no loss": (lambda d: d.update(loss=d["network"]["blocks"][0]), "its loss is no loss"),
    "missing part": (lambda d: d.pop("training"), "not valid"),
    "unknown setting": (lambda d: d["settings"].update(evil=1), "this version does not know: evil"),
    "strange label type": (lambda d: d["target"].update(dtype="datetime64[s]"), "not valid|labels"),
}

READING = {"dialect": None, "target_form": [{"reads": "number", "form": "$1,234.5"}], "weights": None}

NONSENSE = {
    "count below nothing": (("features", "count"), -1, "features.count must be a whole number of at least 1, got -1"),
    "count of another network": (("features", "count"), 5, "its features do not fit its network"),
    "too few names": (("features", "names"), ["a"], "its features do not fit its network"),
    "names that are numbers": (("features", "names"), [1, 2, 3, 4], "features.names must be a list of text, or None"),
    "width that is text": (("network", "inputs"), "4", "network.inputs must be a whole number"),
    "no reason": (("training", "reason"), None, "training.reason must be one of epochs, .*, got None"),
    "strange reason": (("training", "reason"), "tired", "training.reason must be one of epochs, .*, got 'tired'"),
    "epochs below nothing": (("training", "n_iter"), -3, "training.n_iter must be .* got -3"),
    "seed that is no number": (("training", "seed"), True, "training.seed must be .* got True"),
    "counts that are missing": (("training", "counts"), [1, 2], "training.counts must be three whole numbers"),
    "curve of text": (("training", "loss_curve_"), ["low"], "training.loss_curve_ must be a list of numbers, or None"),
    "curve of strange parts": (("training", "loss_curve_"), [{"number": "1"}], "where a value was expected"),
    "training that is nothing": (("training",), None, "it has no training.seed"),
    "settings that are a list": (("settings",), [], "settings must be an object"),
    "setting out of range": (("settings", "max_iter"), -1, "max_iter must be a whole number of at least 1, got -1"),
    "rule out of range": (
        ("settings", "solver"),
        {"kind": "optimizers.Adam", "fields": {"beta_1": 2}},
        "Adam beta_1 must be a number of at least 0 and below 1, got 2",
    ),
    "layers of another network": (("settings", "hidden_layer_sizes"), [], "disagree: block 0 is Dense"),
    "strange task": (("target", "task"), "regression", "target.task must be one of binary"),
    "labels twice": (("target", "labels"), ["a", "a", "b"], "labels are not distinct, sorted values"),
    "labels out of order": (("target", "labels"), ["c", "b", "a"], "labels are not distinct, sorted values"),
    "labels cut off": (("target", "labels"), ["a", "b", "cd"], "labels are not distinct, sorted values"),
    "target that is a number": (("target", "name"), 5, "target.name must be text or a list of text, or None, got 5"),
    "targets that are numbers": (("target", "name"), [5], "target.name must be text or a list of text, or None, got"),
    "reading that says nothing": (("reading",), {}, "reading must be a dialect, the forms of the target and a column"),
    "a strange dialect": (("reading",), {**READING, "dialect": {"separator": ";;"}}, "reading must be a dialect, the"),
    "a strange form": (("reading",), {**READING, "target_form": ["number"]}, "reading must be a dialect, the forms of"),
    "weights that are no name": (("reading",), {**READING, "weights": 3}, "reading must be a dialect, the forms of"),
}


def _setting(path: tuple[str, ...], value):
    """Return a change that puts a value at a place in a description."""

    def change(document) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


FORGERIES |= {name: (_setting(path, value), words) for name, (path, value, words) in NONSENSE.items()}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_descriptions_are_refused(small, tmp_path, name) -> None:
    change, words = FORGERIES[name]
    forged = tmp_path / "forged.safetensors"
    forged.write_bytes(small.read_bytes())
    _resigned(forged, change)
    with pytest.raises(cr.ModelFileError, match=words) as caught:
        cr.load(forged)
    assert str(caught.value).startswith(str(forged))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("target", "flat"), "yes", "target.flat must be True or False, got 'yes'"),
        (("target", "flat"), True, "its target does not fit its network"),
        (("target", "scale"), [[0.0, 0.0], [1.0, 0.0]], "target.scale must be two lists of numbers, the second"),
        (("target", "scale"), [[0.0], [1.0]], "its target does not fit its network"),
        (("target", "precision"), "float16", "target.precision must be one of float32, float64, got 'float16'"),
        (("features", "count"), 2, "its features do not fit its network"),
    ],
)
def test_forged_regressions_are_refused(tmp_path, path, value, words) -> None:
    model = cr.MLPRegressor(**SHORT, scale_target=True).fit(TABLE, np.arange(48.0).reshape(24, 2) % 5)
    forged = _saved(model, tmp_path / "forged.safetensors")
    _resigned(forged, _setting(path, value))
    with pytest.raises(cr.ModelFileError, match=words) as caught:
        cr.load(forged)
    assert str(caught.value).startswith(str(forged))


def test_settings_that_would_not_load_are_not_written(small, tmp_path) -> None:
    model = cr.load(small).set_params(max_iter=-1)
    with pytest.raises(cr.ModelFileError, match="not written, MLPClassifier: max_iter must be"):
        model.save(tmp_path / "m.safetensors")
    assert os.listdir(tmp_path) == []


def test_a_list_of_class_weights_comes_back_as_a_list(tmp_path) -> None:
    X, Y = make_multilabel_classification(60, n_classes=2, random_state=0)
    weights = [{0: 1.0, 1: 2.0}, {0: 1.0, 1: 1.0}]
    model = cr.MLPClassifier(**SHORT, class_weight=weights).fit(X, Y)
    assert cr.load(_saved(model, tmp_path / "m.safetensors")).class_weight == weights


def test_a_harmless_re_signing_is_accepted(small, tmp_path) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(small.read_bytes())
    _resigned(copy, lambda document: None)
    np.testing.assert_array_equal(cr.load(copy).theta_, cr.load(small).theta_)


def test_weights_that_are_not_finite(small, tmp_path) -> None:
    model = cr.load(small)
    model.theta_[3] = np.nan
    with pytest.raises(cr.ModelFileError, match=r"bad\.safetensors: not written, the weights are not finite"):
        model.save(tmp_path / "bad.safetensors")
    assert os.listdir(tmp_path) == []


def test_files_that_are_no_models(tmp_path) -> None:
    with pytest.raises(cr.ModelFileError, match="no such file"):
        cr.load(tmp_path / "absent")
    with pytest.raises(cr.ModelFileError, match="cannot be read"):
        cr.load(tmp_path)
    for content in (b"", b"12345678", b"\xff" * 100, b"PK\x03\x04" + bytes(200)):
        (tmp_path / "rubbish").write_bytes(content)
        with pytest.raises(cr.ModelFileError, match="not a model file"):
            cr.load(tmp_path / "rubbish")
    safetensors.numpy.save_file({"W": np.zeros(3)}, tmp_path / "other")
    with pytest.raises(cr.ModelFileError, match="not a chainrule model"):
        cr.load(tmp_path / "other")


def test_writing_is_whole_or_not_at_all(small, tmp_path, monkeypatch) -> None:
    target = tmp_path / "kept.safetensors"
    target.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(cr.ModelFileError, match="no space left on device"):
        cr.load(small).save(target)
    assert target.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["kept.safetensors"]
    with pytest.raises(cr.ModelFileError, match="no such file or directory"):
        cr.load(small).save(tmp_path / "absent" / "m.safetensors")


@dataclass(frozen=True)
class OwnAdam(cr.optimizers.Adam):
    """An optimiser of a user's class."""


@dataclass(frozen=True)
class OwnStep(schedules.Step):
    """A schedule of a user's class."""


@dataclass(frozen=True)
class OwnSlope(PReLU):
    """A block of a user's class."""


@dataclass(frozen=True)
class OwnHuber(cr.losses.Huber):
    """A loss of a user's class."""


X_OWN = np.random.default_rng(0).normal(size=(10, 2))


def fitted_with(**own) -> cr.MLPRegressor:
    """A tiny regression with an object of a user's class."""
    settings = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0, **own}
    with warnings.catch_warnings(action="ignore"):
        return cr.MLPRegressor(**settings).fit(X_OWN, X_OWN[:, 0])


@pytest.mark.parametrize(
    ("name", "own", "default"),
    [("solver", OwnAdam(beta_1=0.5), "adam"), ("learning_rate", OwnStep(0.01), "constant")],
)
def test_an_object_of_ones_own_class_is_left_out_with_a_warning(tmp_path, name, own, default) -> None:
    model = fitted_with(**{name: own})
    with pytest.warns(UserWarning, match="is not stored") as caught:
        model.save(tmp_path / "m.safetensors")
    said = [str(w.message) for w in caught]
    assert len(said) == 1
    assert "\n" not in said[0]
    assert f"{name}={own!r} is not stored" in said[0]
    assert f"{name}={default!r}" in said[0]
    assert caught[0].filename == __file__
    assert getattr(cr.load(tmp_path / "m.safetensors"), name) == default


def test_functions_are_left_out_without_a_word(tmp_path) -> None:
    model = fitted_with(callbacks=[lambda event: None])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.save(tmp_path / "m.safetensors")
    assert cr.load(tmp_path / "m.safetensors").callbacks is None


@pytest.mark.parametrize(("name", "own"), [("loss", OwnHuber()), ("activation", OwnSlope())])
def test_a_model_that_computes_with_ones_own_class_is_refused(tmp_path, name, own) -> None:
    model = fitted_with(**{name: own})
    with pytest.raises(cr.ModelFileError, match="not written, a model file has no words for") as refused:
        model.save(tmp_path / "m.safetensors")
    assert repr(own) in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_saving_needs_a_fitted_model(tmp_path) -> None:
    with pytest.raises(NotFittedError):
        cr.MLPClassifier().save(tmp_path / "m.safetensors")


def test_every_kind_is_written_and_read_back() -> None:
    made = {"Dense": cr.Dense(3, bias=False), "Activation": cr.Activation("elu", alpha=0.5)}
    made["DropConnect"] = DropConnect(2, 0.3)
    made["augmentation.Deformation"] = cr.augmentation.Deformation((4, 5), shift=1.0)
    for name, kind in STORABLE.items():
        value = made.get(name) or kind()
        entry = json.loads(json.dumps(encode(value), allow_nan=False))
        assert decode(entry) == value, name


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.integers() | st.text(), inner),
        max_leaves=10,
    )
)
@settings(deadline=None, derandomize=True)
def test_plain_values_are_written_and_read_back(value) -> None:
    assert decode(json.loads(json.dumps(encode(value), allow_nan=False))) == value


def test_functions_have_no_words() -> None:
    with pytest.raises(UnstorableError, match="no words for"):
        encode(print)


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_predictions_keep_the_precision_of_their_target(tmp_path, kind) -> None:
    """A file of 0.1 does not say it: its predictions are in the precision of the weights, as they were."""
    x = np.random.default_rng(0).normal(size=(24, 2)).astype(np.float32)
    y = (1e6 + np.arange(24.0) % 5).astype(kind)
    model = cr.MLPRegressor(**SHORT, scale_target=True).fit(x, y)
    saved = _saved(model, tmp_path / "model.safetensors")
    assert model.predict(x).dtype == cr.load(saved).predict(x).dtype == kind
    assert np.array_equal(model.predict(x), cr.load(saved).predict(x))
    _resigned(saved, lambda document: document["target"].pop("precision"))
    old = cr.load(saved).predict(x)
    assert old.dtype == np.float32
    assert np.array_equal(old, model.predict(x).astype(np.float32))
