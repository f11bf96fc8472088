"""Random streams: the words of Philox-4x64-10 itself, and the laws of what is derived from them."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from chainrule.foundation.randomness import PURPOSES, Stream

WORD = 2**64 - 1
N = 100_000
SIGMAS = 5
"""A statistic may stray so many of its own standard deviations: by chance once in two million seeds."""

KNOWN_ANSWERS = [
    (
        (0, 0, 0, 0),
        (0, 0),
        (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
    ),
    (
        (WORD, WORD, WORD, WORD),
        (WORD, WORD),
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
]
"""Counter, key and words of philox4x64-10 as published with Random123 (its file kat_vectors)."""

seeds = st.integers(0, 2**32 - 1)


def philox(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """Return the four words for one counter and key, in whole numbers, from the paper."""
    a, b, c, d = counter
    k, l = key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * a, 0xCA5A826395121157 * c
        a, b, c, d = (second >> 64) ^ b ^ k, second & WORD, (first >> 64) ^ d ^ l, first & WORD
        k, l = (k + 0x9E3779B97F4A7C15) & WORD, (l + 0xBB67AE8584CAA73B) & WORD
    return a, b, c, d


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_the_oracle_gives_the_published_answers(counter: tuple[int, ...], key: tuple[int, ...], words: object) -> None:
    assert philox(counter, key) == words


@given(seed=seeds, purpose=st.sampled_from(sorted(PURPOSES)), step=st.integers(0, 2**40), block=st.integers(0, 1000))
def test_words_are_philox_with_the_name_as_key_and_counter(seed: int, purpose: str, step: int, block: int) -> None:
    words = Stream(seed, purpose, step, block).words(11)
    wanted = [w for count in (1, 2, 3) for w in philox((count, step, block, 0), (seed, PURPOSES[purpose]))]
    assert words.dtype == np.uint64
    assert words.tolist() == wanted[:11]


def test_words_of_one_stream_for_ever() -> None:
    """Regression values: a change here changes every trained network."""
    assert Stream(42, "shuffle", step=3, block=1).words(5).tolist() == [
        10182416243817808400,
        18446423105168963641,
        11698723099536451621,
        528223688840965724,
        14547865663046728588,
    ]


def test_purposes_keep_their_numbers() -> None:
    """A new purpose takes the next number; an old one never changes."""
    names = (
        "weights",
        "shuffle",
        "split",
        "dropout",
        "noise",
        "slope",
        "connection",
        "augmentation",
        "mixup",
        "curvature",
    )
    assert dict(PURPOSES) == {name: number for number, name in enumerate(names, 1)}


def test_streams_of_different_names_differ() -> None:
    names = [(0, "weights", 0, 0), (1, "weights", 0, 0), (0, "shuffle", 0, 0), (0, "weights", 1, 0)]
    names += [(0, "weights", 0, 1), (1, "noise", 2, 3), (3, "noise", 2, 1), (2, "noise", 1, 3)]
    words = [word for name in names for word in Stream(*name).words(1000).tolist()]
    assert len(set(words)) == len(words)


@given(seed=seeds, first=st.integers(0, 20), second=st.integers(0, 20))
def test_two_pieces_equal_one(seed: int, first: int, second: int) -> None:
    for method in ("words", "uniform"):
        whole, pieces = Stream(seed, "noise"), Stream(seed, "noise")
        drawn = [getattr(pieces, method)(n) for n in (first, second)]
        np.testing.assert_array_equal(np.concatenate(drawn), getattr(whole, method)(first + second))


def test_uniform_is_the_upper_53_bits() -> None:
    words, u = Stream(5, "noise").words(1000), Stream(5, "noise").uniform(1000)
    assert u.dtype == np.float64
    assert [int(x * 2**53) for x in u] == [w >> 11 for w in words.tolist()]
    assert [x * 2**53 % 1 for x in u] == [0.0] * 1000


def test_uniform_law() -> None:
    u = Stream(6, "noise").uniform(N)
    assert 0 <= u.min() < 15 / N  # fails by chance with probability e^-15
    assert 1 - 15 / N < u.max() < 1
    assert abs(u.mean() - 0.5) <= SIGMAS * sqrt(1 / 12 / N)
    assert abs(u.var() * 12 - 1) <= SIGMAS * sqrt(0.8 / N)
    assert scipy.stats.kstest(u, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) <= SIGMAS / sqrt(N)


def test_normal_law() -> None:
    z = Stream(7, "noise").normal(N)
    variances = {1: 1, 2: 2, 3: 15, 4: 96}  # of z^k: E z^2k - (E z^k)^2, with E z^2k = 1, 3, 15, 105
    for k, moment in {1: 0, 2: 1, 3: 0, 4: 3}.items():
        assert abs(np.mean(z**k) - moment) <= SIGMAS * sqrt(variances[k] / N)
    assert scipy.stats.kstest(z, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(z[: N // 2], z[N // 2 :])[0, 1]) <= SIGMAS / sqrt(N // 2)


@given(seed=seeds, n=st.integers(0, 50))
def test_normal_numbers_are_finite_for_any_count(seed: int, n: int) -> None:
    z = Stream(seed, "noise").normal(n)
    assert z.shape == (n,)
    assert np.isfinite(z).all()


@given(seed=seeds, n=st.integers(0, 300))
def test_permutation_holds_every_number_once(seed: int, n: int) -> None:
    order = Stream(seed, "shuffle").permutation(n)
    assert order.dtype == np.intp
    assert sorted(order.tolist()) == list(range(n))


def test_permutations_are_all_equally_likely() -> None:
    seen = [tuple(Stream(9, "shuffle", step=step).permutation(4).tolist()) for step in range(24 * 200)]
    counts = [seen.count(order) for order in set(seen)]
    assert len(counts) == 24
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_permutation_is_repeatable_and_differs_by_step() -> None:
    first, again, next_step = (Stream(0, "shuffle", step=step).permutation(1000) for step in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first == next_step).mean() < 0.02  # one place in a thousand agrees on average


@given(seed=seeds, rows=st.integers(1, 5), columns=st.integers(1, 70))
def test_bits_are_quarters_of_words_and_rows_stand_alone(seed: int, rows: int, columns: int) -> None:
    stream = Stream(seed, "dropout", 3, 1)
    bits = stream.bits(rows, columns)
    words = Stream(seed, "dropout", 3, 1).words(rows * -(-columns // 16) * 4).reshape(rows, -1)
    for r in range(rows):
        for c in range(columns):
            assert bits[r, c] == int(words[r, c // 4]) >> 16 * (c % 4) & 0xFFFF
    np.testing.assert_array_equal(bits, stream.bits(rows, columns))
    np.testing.assert_array_equal(bits[:1], stream.bits(1, columns))


@given(seed=seeds, rows=st.integers(1, 4), columns=st.integers(1, 70))
def test_normals_are_box_and_muller_and_rows_stand_alone(seed: int, rows: int, columns: int) -> None:
    stream = Stream(seed, "noise", 3, 1)
    normals = stream.normals(rows, columns)
    words = Stream(seed, "noise", 3, 1).words(rows * -(-columns // 32) * 16).reshape(rows, -1)
    for r in range(rows):
        for c in range(columns):
            word = int(words[r, c // 32 * 16 + c % 16])
            u, v = ((word >> 8 & 0xFFFFFF) + 1) / 2**24, (word >> 40) / 2**24
            turn = np.cos(2 * np.pi * v) if c % 32 < 16 else np.sin(2 * np.pi * v)
            assert normals[r, c] == pytest.approx(sqrt(-2 * np.log(u)) * turn, rel=1e-12, abs=1e-15)
    np.testing.assert_array_equal(normals[:1], stream.normals(1, columns))


def test_bits_are_uniform_and_normals_normal() -> None:
    bits = Stream(0, "dropout").bits(1000, 100).ravel()
    assert scipy.stats.kstest(bits / 2**16, "uniform").pvalue > 1e-6
    normals = Stream(0, "noise").normals(1000, 100)
    assert scipy.stats.kstest(normals.ravel(), "norm").pvalue > 1e-6
    assert abs(np.corrcoef(normals[:, :16].ravel(), normals[:, 32:48].ravel())[0, 1]) < SIGMAS / sqrt(16_000)
