"""The core's own functions, on every instruction set, against formulas in eighty digits.

Errors are counted in units in the last place (ulp) of the exact result: the distance between the neighbouring
numbers of its size. Results below the smallest normal number may be flushed to 0: they count by the ulp there.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import special

from chainrule.engines.native import core as native
from chainrule.mathematics.activations import ACTIVATIONS
from support.oracles import decimal_arctan, decimal_normal_distribution

if native.MISSING:
    pytest.skip(f"no native engine: {native.MISSING}", allow_module_level=True)

core: Any = native._core
SETS = native.instruction_sets()
FUSED = tuple(name for name in SETS if name != "baseline")
"""The sets with fused multiply-add, whose bits agree."""

DTYPES = (np.float32, np.float64)
LARGEST = {dtype: float(np.finfo(dtype).max) for dtype in DTYPES}
SMALLEST = {dtype: float(np.finfo(dtype).tiny) for dtype in DTYPES}

every_set = pytest.mark.parametrize("chosen", SETS)
both_dtypes = pytest.mark.parametrize("dtype", DTYPES)


def evaluate(chosen: str, name: str, x: NDArray[Any], setting: float = 0.0) -> NDArray[Any]:
    """Return one of the core's functions at each entry of x."""
    y = np.full_like(x, 77)
    core.evaluate(chosen, name, np.ascontiguousarray(x), y, setting)
    return y


def setting_of(name: str) -> float:
    return float(sum(ACTIVATIONS[name].settings.values()))


Oracle = Callable[[NDArray[Any]], NDArray[Any]]
Formula = Callable[[Decimal], Decimal]


class Row(NamedTuple):
    """A function of the core: in double (or extended) precision, in eighty digits, its domain, its bounds in ulp.

    The bounds hold for float32 and float64. `loose` are those of the set without fused multiply-add, where they
    differ. The first domain is where the bounds hold.
    """

    wide: Oracle
    exact: Formula
    low: float
    high: float
    bounds: tuple[float, float]
    loose: tuple[float, float] | None = None


def _erf(x: Decimal) -> Decimal:
    if abs(x) > Decimal("1e-3"):
        return 2 * decimal_normal_distribution(x * Decimal(2).sqrt()) - 1
    root_pi = Decimal("1.7724538509055160272981674833411451827975494561223871282138077898529112845910321813749507")
    return 2 / root_pi * sum(term * x for term in _small_erf(x * x))


def _small_erf(square: Decimal) -> list[Decimal]:
    terms, power, factorial = [], Decimal(1), 1
    for k in range(12):
        factorial *= max(k, 1)
        terms.append(power / (factorial * (2 * k + 1)))
        power *= -square
    return terms


def _tanh(x: Decimal) -> Decimal:
    if abs(x) < Decimal("1e-20"):
        return x
    up, down = x.exp(), (-x).exp()
    return (up - down) / (up + down)


def _expm1(x: Decimal) -> Decimal:
    return x + x * x / 2 if abs(x) < Decimal("1e-20") else x.exp() - 1


def _log1p(x: Decimal) -> Decimal:
    return x - x * x / 2 if abs(x) < Decimal("1e-20") else (1 + x).ln()


def _arctan(x: Decimal) -> Decimal:
    return x - x**3 / 3 if abs(x) < Decimal("1e-20") else decimal_arctan(x)


def _mish(x: Any) -> Any:
    return x * np.tanh(np.logaddexp(x, 0))


ROWS: dict[str, Row] = {
    "exp": Row(np.exp, Decimal.exp, -708.0, 709.7, (2, 2)),
    "expm1": Row(np.expm1, _expm1, -800, 709.7, (2, 2)),
    "log": Row(np.log, Decimal.ln, 0, np.inf, (2, 2)),
    "log1p": Row(np.log1p, _log1p, -1, np.inf, (2, 2)),
    "erf": Row(special.erf, _erf, -np.inf, np.inf, (2, 2)),
    "normal_cdf": Row(special.ndtr, decimal_normal_distribution, -12.9, np.inf, (8, 8), (80, 600)),
    "f tanh": Row(np.tanh, _tanh, -np.inf, np.inf, (2, 2)),
    "f sigmoid": Row(special.expit, lambda x: 1 / (1 + (-x).exp()), -87, np.inf, (3, 3)),
    "f softplus": Row(lambda x: np.logaddexp(x, 0), lambda x: (1 + x.exp()).ln(), -87, np.inf, (2, 2)),
    "f arctan": Row(np.arctan, _arctan, -np.inf, np.inf, (2, 2)),
}
"""The bounds: 2 ulp for exp, log, tanh and erf by contract; the others as the comments of math.hpp state them, the
next whole number above. expm1, log1p, softplus and arctan are stated below 2, sigmoid 2.3 and 2.5, normal_cdf 6.8."""

rows = pytest.mark.parametrize("name", list(ROWS))


def ulps(got: NDArray[Any], wanted: NDArray[Any]) -> NDArray[Any]:
    """Return |got - wanted| in units in the last place of `wanted`, which has more precision than `got`."""
    kind = got.dtype
    size = np.maximum(np.abs(wanted), SMALLEST[kind.type]).astype(np.longdouble)
    unit = np.exp2(np.floor(np.log2(size)) - np.finfo(kind).nmant)
    return (np.abs(got.astype(np.longdouble) - wanted) / unit).astype(float)


def every_size(dtype: Any, low: float, high: float, count: int) -> NDArray[Any]:
    """Return numbers evenly spaced among the normal numbers of a dtype, in (low, high), and evenly on [-20, 20]."""
    bits = np.uint32 if dtype is np.float32 else np.uint64
    first, last = (np.array([SMALLEST[dtype], LARGEST[dtype]], dtype).view(bits)).astype(object)
    sizes = np.array([first + (last - first) * k // count for k in range(count + 1)], bits).view(dtype)
    near = np.linspace(-20, 20, count).astype(dtype) + dtype(1e-3)
    wide = np.linspace(max(low, -750), min(high, 750), count).astype(dtype)
    around = np.concatenate([sizes, -sizes, near, wide])
    return around[(around > low) & (around < high)]


@cache
def dense(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return 400,000 float32 numbers and the function there, worked out in float64."""
    row = ROWS[name]
    high = min(row.high, 88.7) if name in ("exp", "expm1") else row.high
    x = every_size(np.float32, max(row.low, -87.3) if name == "exp" else row.low, high, 100_000)
    with np.errstate(all="ignore"):
        return x, row.wide(x.astype(np.float64)).astype(np.longdouble)


@cache
def sparse(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return some float64 numbers and the function there: the nearest long double of its value in eighty digits."""
    row = ROWS[name]
    low = max(row.low, -36.0) if name == "normal_cdf" else row.low
    x = every_size(np.float64, low, row.high, 120)
    x = np.concatenate([x, np.random.default_rng(0).uniform(max(low, -6), 6, 400)])
    x = x[np.abs(x) < 1e6] if name not in ("log", "log1p", "exp", "expm1") else x
    with localcontext(prec=80):
        return x, np.array([np.longdouble(str(row.exact(Decimal(float(entry))))) for entry in x])


def bound(name: str, chosen: str, dtype: Any) -> float:
    row = ROWS[name]
    bounds = row.loose if chosen == "baseline" and row.loose else row.bounds
    return bounds[dtype is np.float64]


def assert_within(got: NDArray[Any], wanted: NDArray[Any], name: str, chosen: str, slack: float = 0) -> None:
    """Compare with a function's bound, and print the worst error (-s shows it)."""
    worst = ulps(got, wanted).max()
    print(f"{name:12} {chosen:8} {got.dtype} {worst:8.2f} ulp")
    assert worst <= bound(name, chosen, got.dtype.type) + slack


@every_set
@rows
def test_float32_everywhere(name: str, chosen: str) -> None:
    x, wanted = dense(name)
    assert_within(evaluate(chosen, name, x), wanted, name, chosen)


@every_set
@rows
def test_float64_everywhere(name: str, chosen: str) -> None:
    x, wanted = sparse(name)
    assert_within(evaluate(chosen, name, x), wanted, name, chosen)


@every_set
@pytest.mark.parametrize("name", ["exp", "log", "log1p", "expm1", "f tanh", "f arctan"])
def test_float64_densely_against_extended_precision(name: str, chosen: str) -> None:
    if np.finfo(np.longdouble).nmant < 60:
        pytest.skip("long double is no wider than double here")
    row = ROWS[name]
    x = every_size(np.float64, row.low, row.high, 20_000)
    with np.errstate(all="ignore"):
        wanted = row.wide(x.astype(np.longdouble))
    assert_within(evaluate(chosen, name, x), wanted, name, chosen)


@every_set
@pytest.mark.parametrize("name", ["erf", "f sigmoid", "f softplus"])
def test_float64_densely_against_scipy(name: str, chosen: str) -> None:
    row = ROWS[name]
    x = every_size(np.float64, -5.0, row.high, 20_000)
    wanted = row.wide(x).astype(np.longdouble)
    assert_within(evaluate(chosen, name, x), wanted, name, chosen, slack=3)  # for scipy's own rounding


INF, NAN = np.inf, np.nan
SPECIALS: dict[str, list[tuple[float, float]]] = {
    "exp": [(0, 1), (-0.0, 1), (INF, INF), (-INF, 0), (NAN, NAN), (1e5, INF), (-1e5, 0)],
    "expm1": [(0, 0), (-0.0, -0.0), (INF, INF), (-INF, -1), (NAN, NAN), (1e5, INF), (-1e5, -1)],
    "log": [(0, -INF), (-0.0, -INF), (1, 0), (INF, INF), (-INF, NAN), (-1, NAN), (NAN, NAN)],
    "log1p": [(0, 0), (-0.0, -0.0), (-1, -INF), (INF, INF), (-INF, NAN), (-1.5, NAN), (NAN, NAN)],
    "erf": [(0, 0), (-0.0, -0.0), (INF, 1), (-INF, -1), (NAN, NAN), (1e5, 1), (-1e5, -1)],
    "normal_cdf": [(0, 0.5), (-0.0, 0.5), (INF, 1), (-INF, 0), (NAN, NAN), (1e5, 1), (-1e5, 0)],
    "f tanh": [(0, 0), (-0.0, -0.0), (INF, 1), (-INF, -1), (NAN, NAN), (1e5, 1), (-1e5, -1)],
    "f sigmoid": [(0, 0.5), (-0.0, 0.5), (INF, 1), (-INF, 0), (NAN, NAN), (1e5, 1), (-1e5, 0)],
    "f softplus": [(INF, INF), (-INF, 0), (NAN, NAN), (1e5, 1e5), (-1e5, 0)],
    "f arctan": [(0, 0), (-0.0, -0.0), (INF, np.pi / 2), (-INF, -np.pi / 2), (NAN, NAN)],
}


def test_every_function_has_its_special_values() -> None:
    assert SPECIALS.keys() == ROWS.keys()


@every_set
@both_dtypes
@rows
def test_special_values(name: str, dtype: Any, chosen: str) -> None:
    x, wanted = np.array(SPECIALS[name], dtype).T.copy()
    got = evaluate(chosen, name, x)
    np.testing.assert_array_equal(got, wanted)
    zeros = wanted == 0
    same = np.signbit(x[zeros & (x == 0)]) == np.signbit(got[zeros & (x == 0)])
    assert same.all()


@every_set
@both_dtypes
@rows
def test_the_ends_of_the_range(name: str, dtype: Any, chosen: str) -> None:
    ends = [LARGEST[dtype], SMALLEST[dtype], -SMALLEST[dtype], -LARGEST[dtype]]
    x = np.array(
        [end for end in ends if name not in ("log", "log1p") or (end > -1 and (name != "log" or end > 0))], dtype
    )
    with np.errstate(all="ignore"):
        wanted = ROWS[name].wide(x.astype(np.longdouble if name in ("exp", "expm1", "log", "log1p") else np.float64))
        wanted = wanted.astype(dtype)
    np.testing.assert_allclose(evaluate(chosen, name, x), wanted, rtol=3 * np.finfo(dtype).eps, atol=SMALLEST[dtype])


@every_set
@both_dtypes
def test_the_logarithm_of_denormal_numbers(dtype: Any, chosen: str) -> None:
    x = np.array([SMALLEST[dtype] * 2.0**-k for k in range(1, np.finfo(dtype).nmant)], dtype)
    assert ulps(evaluate(chosen, "log", x), np.log(x.astype(np.longdouble))).max() <= 2


@every_set
@both_dtypes
def test_what_exp_makes_of_its_borders(dtype: Any, chosen: str) -> None:
    border = dtype(np.log(np.longdouble(LARGEST[dtype])))
    x = np.array([np.nextafter(border, dtype(0)), np.nextafter(border, dtype(np.inf)) * dtype(1.001)], dtype)
    got = evaluate(chosen, "exp", x)
    assert np.isfinite(got[0])
    assert got[1] == np.inf
    lowest = np.linspace(np.log(np.longdouble(SMALLEST[dtype])) - 5, np.log(np.longdouble(SMALLEST[dtype])), 999)
    low = evaluate(chosen, "exp", lowest.astype(dtype))
    assert ((low >= 0) & (low <= 1.001 * SMALLEST[dtype])).all()


@every_set
@both_dtypes
@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_activations_and_their_slopes(name: str, dtype: Any, chosen: str) -> None:
    row, x = ACTIVATIONS[name], np.concatenate([np.linspace(-30, 30, 4001), [-1e4, 1e4, -100, 100]]).astype(dtype)
    exact = x.astype(np.float64)
    f = row.f(exact, **row.settings)
    df = row.df(exact, f, **row.settings)
    bound, floor = 16 * np.finfo(dtype).eps, 1e-30
    loose = 400 * bound if chosen == "baseline" and name == "gelu" else bound
    inside = exact > -4  # below, gelu's tail is also scipy's, which loses digits: eighty digits judge normal_cdf
    got, slope = evaluate(chosen, f"f {name}", x, setting_of(name)), evaluate(chosen, f"df {name}", x, setting_of(name))
    np.testing.assert_allclose(got[inside], f[inside], rtol=loose, atol=floor)
    np.testing.assert_allclose(got[~inside], f[~inside], rtol=60 * loose, atol=1e-30)
    np.testing.assert_allclose(slope, df, rtol=bound, atol=bound)


@both_dtypes
@pytest.mark.parametrize(
    "name", [*(n for n in ROWS if n[:2] != "f "), *(f"{k} {n}" for n in ACTIVATIONS for k in ("f", "df"))]
)
def test_fused_sets_agree_bit_for_bit(name: str, dtype: Any) -> None:
    if len(FUSED) < 2:
        pytest.skip("fewer than two instruction sets with fused multiply-add here")
    x = np.concatenate([every_size(dtype, -INF, INF, 20_000), [x for x, _ in SPECIALS["f tanh"]]]).astype(dtype)
    x = np.concatenate([x, x[:7] * dtype(SMALLEST[dtype])])
    setting = setting_of(name.split()[-1]) if " " in name else 0.0
    first, *others = (evaluate(chosen, name, x, setting) for chosen in FUSED)
    assert all(np.array_equal(first, other, equal_nan=True) for other in others)
    assert all(np.array_equal(np.signbit(first), np.signbit(other)) for other in others if not np.isnan(first).any())


@given(
    st.sampled_from(DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, st.integers(0, 70))),
    st.sampled_from([*ROWS, *(f"df {name}" for name in ACTIVATIONS)]),
    st.sampled_from(SETS),
)
@settings(max_examples=150)
def test_an_entry_does_not_see_its_neighbours(x: NDArray[Any], name: str, chosen: str) -> None:
    together = evaluate(chosen, name, x, 0.5)
    alone = [evaluate(chosen, name, entry, 0.5) for entry in x.reshape(-1, 1)]
    np.testing.assert_array_equal(together, np.array(alone, x.dtype).reshape(-1))


def test_an_unknown_function_is_refused() -> None:
    for name in ("", "tangent", "f", "f sine", "df", "exp ", "df exp"):
        with pytest.raises(ValueError, match="the core has no function"):
            evaluate(SETS[0], name, np.ones(3))
    with pytest.raises(ValueError, match="no instruction set sse1"):
        evaluate("sse1", "exp", np.ones(3))


@every_set
@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1e-7), (np.float64, 2.3e-16)])
def test_cosine_and_sine_of_turns(chosen: str, dtype: Any, bound: float) -> None:
    turns = np.concatenate([np.arange(0, 2**24, 997), np.arange(2**24 - 9, 2**24), [2**21, 2**22, 2**23]]) * 2.0**-24
    angle = 2 * np.arccos(np.longdouble(-1)) * turns.astype(np.longdouble)
    for name, wanted in (("cosine", np.cos(angle)), ("sine", np.sin(angle))):
        worst = np.abs(evaluate(chosen, name, turns.astype(dtype)) - wanted).max()
        print(f"{name} {chosen} {worst:.2g}")
        assert worst <= bound
