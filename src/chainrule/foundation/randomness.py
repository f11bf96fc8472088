"""Named, counter-based random streams.

Everything random is drawn from a stream named by (seed, purpose, step, block). The words of a stream are
Philox-4x64-10 with key (seed, purpose) and counters (1, step, block, 0), (2, step, block, 0), ... (NumPy counts
before it draws): they depend on nothing drawn before, so
any engine, any thread and any resumed run draws the same bits. Uniforms, normals and permutations are derived
from the raw words here, because NumPy promises its words across versions, but not its distributions.

Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; Box and Muller 1958.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

PURPOSES: Mapping[str, int] = MappingProxyType(
    {
        "weights": 1,
        "shuffle": 2,
        "split": 3,
        "dropout": 4,
        "noise": 5,
        "slope": 6,
        "connection": 7,
        "augmentation": 8,
        "mixup": 9,
        "curvature": 10,
    }
)
"""Each purpose has its own key, fixed for ever: a new one takes the next number."""


_FRESH = {"bit_generator": "Philox", "buffer": np.zeros(4, np.uint64), "buffer_pos": 4, "has_uint32": 0, "uinteger": 0}
"""The state of a Philox whose words are all used: it counts before the next."""

_local = threading.local()


def _generator() -> np.random.Philox:
    """Return this thread's generator: setting its state takes a tenth of the time that making one takes."""
    if not hasattr(_local, "philox"):
        _local.philox = np.random.Philox(0)
    return _local.philox  # type: ignore[no-any-return]  # a thread's attributes are untyped


class Stream:
    """One random stream, named by (seed, purpose, step, block).

    >>> Stream(0, "weights", block=2).uniform(3)
    array([0.8982049 , 0.2517217 , 0.70579296])
    """

    def __init__(self, seed: int, purpose: str, step: int = 0, block: int = 0) -> None:
        if not 0 <= seed < 2**64:
            raise ValueError(f"a seed must be a whole number from 0 to 2**64 - 1, got {seed!r}")
        self._key = np.array([seed, PURPOSES[purpose]], np.uint64)
        self._counter = np.array([0, step, block, 0], np.uint64)
        self._drawn = 0

    def words(self, n: int) -> NDArray[np.uint64]:
        """Return the next n raw 64-bit words."""
        spent = self._drawn % len(self._counter)  # each count gives four words
        self._counter[0] = self._drawn // len(self._counter)
        philox = _generator()
        philox.state = dict(_FRESH, state={"counter": self._counter, "key": self._key})  # type: ignore[assignment]
        self._drawn += n
        return np.asarray(philox.random_raw(spent + n)[spent:], np.uint64)

    def uniform(self, n: int) -> NDArray[np.float64]:
        """Return n numbers from [0, 1): the upper 53 bits of each word, times 2⁻⁵³."""
        return np.asarray((self.words(n) >> np.uint64(11)) * 2.0**-53, np.float64)

    def normal(self, n: int) -> NDArray[np.float64]:
        """Return n standard normal numbers: √(-2 log u) (cos 2πv, sin 2πv), u in (0, 1] and v in [0, 1)."""
        half = (n + 1) // 2
        u, v = 1 - self.uniform(half), self.uniform(half)
        radius, angle = np.sqrt(-2 * np.log(u)), 2 * np.pi * v
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:n]

    def bits(self, rows: int, columns: int, first_row: int = 0) -> NDArray[np.uint16]:
        """Return (rows, columns) random numbers of 16 bits, from the stream's words for these rows.

        Each row begins with four new words, of which each gives four numbers, its low bits first: any row can be
        drawn by itself.
        """
        groups = -(-columns // 16)
        words = self._from(first_row * groups * 4).words(rows * groups * 4)
        return words.astype("<u8", copy=False).view("<u2").reshape(rows, groups * 16)[:, :columns].astype(np.uint16)

    def normals(self, rows: int, columns: int, first_row: int = 0) -> NDArray[np.float64]:
        """Return (rows, columns) standard normal numbers, from the stream's words for these rows.

        Each word gives u in (0, 1] by its low half and v in [0, 1) by its high half, 24 bits each, so that float32
        holds them; 16 words give 16 numbers √(-2 log u) cos 2πv, and then 16 with the sine. Each row begins with
        16 new words: any row can be drawn by itself.
        """
        groups = -(-columns // 32)
        words = self._from(first_row * groups * 16).words(rows * groups * 16).reshape(rows, groups, 16)
        u = (((words >> np.uint64(8)) & np.uint64(0xFFFFFF)) + np.uint64(1)) * 2.0**-24
        angle = 2 * np.pi * (words >> np.uint64(40)) * 2.0**-24
        radius = np.sqrt(-2 * np.log(u))
        pairs = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
        return pairs.reshape(rows, groups * 32)[:, :columns]

    def _from(self, drawn: int) -> Stream:
        """Return the same stream with so many words drawn."""
        stream = object.__new__(Stream)
        stream._key, stream._counter, stream._drawn = self._key, self._counter.copy(), drawn
        return stream

    def permutation(self, n: int) -> NDArray[Any]:
        """Return the numbers 0 ... n-1 in random order.

        Each number sits in the low bits of a random word; sorting the words shuffles the numbers. No two words
        are equal, so every sorting algorithm gives the same order.
        """
        mask = np.uint64((1 << max(n - 1, 0).bit_length()) - 1)
        keys = (self.words(n) & ~mask) | np.arange(n, dtype=np.uint64)
        keys.sort()
        return (keys & mask).astype(np.intp)
