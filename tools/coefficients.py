"""Fit the polynomials of src/core/vector/math.hpp and print them as C++ constants.

Every entry is the polynomial whose largest weighted error over its interval is smallest, found by the Remez exchange
in 120 digits: solve for the polynomial whose error alternates between +E and -E at n + 2 points, move the points to
where the error peaks, repeat. The error each fit reaches goes to stderr. Needs mpmath.
"""

import sys

from mpmath import (
    atan,
    cos,
    erf,
    erfc,
    exp,
    expm1,
    linspace,
    log,
    log1p,
    lu_solve,
    matrix,
    mp,
    mpf,
    pi,
    polyval,
    sin,
    sqrt,
    tanh,
)

mp.dps = 120


def fit(function, weight, low, high, terms):
    """Return the coefficients, lowest power first, of the best polynomial for `function`, and its weighted error."""
    low, high = mpf(low), mpf(high)
    grid = [(low + high) / 2 - (high - low) / 2 * cos(angle) for angle in linspace(0, pi, 40 * terms + 1)]
    # The point where a formula is 0 / 0 is moved by a hair.
    hair = (high - low) * mpf("1e-12")
    grid = [x if abs(x) > hair else hair for x in grid]
    values = [function(x) for x in grid]
    weights = [weight(x) for x in grid]
    peaks = [round(i * (len(grid) - 1) / terms) for i in range(terms + 1)]
    for _ in range(12):
        rows = [[grid[p] ** power for power in range(terms)] + [(-1) ** i / weights[p]] for i, p in enumerate(peaks)]
        solution = lu_solve(matrix(rows), matrix([values[p] for p in peaks]))
        coefficients = list(solution)[:terms]
        errors = [(polyval(coefficients[::-1], x) - y) * w for x, y, w in zip(grid, values, weights, strict=True)]
        old, peaks = peaks, [0]
        for i, error in enumerate(errors):
            if error * errors[peaks[-1]] < 0:
                peaks.append(i)
            elif abs(error) > abs(errors[peaks[-1]]):
                peaks[-1] = i
        while len(peaks) > terms + 1:
            peaks.pop(0 if abs(errors[peaks[0]]) < abs(errors[peaks[-1]]) else -1)
        if peaks == old or len(peaks) < terms + 1:
            break
    return coefficients, max(map(abs, errors))


def one(x):
    """Return the weight of an absolute error."""
    return mpf(1)


def log_quotient(root):
    """R(s^2) in log(1 + f) = f - f^2/2 + s (f^2/2 + s^2 R), s = f / (2 + f)."""
    s = sqrt(root)
    f = 2 * s / (1 - s)
    return ((log1p(f) - f + f * f / 2) / s - f * f / 2) / root


def mills(s):
    """Phi(-y) e^(y^2/2) (y + 4) as a function of s = (y - 4) / (y + 4)."""
    y = 4 * (1 + s) / (1 - s)
    return erfc(y / sqrt(2)) / 2 * exp(y * y / 2) * (y + 4)


eighth = pi / 4  # of a turn
half = log(2) / 2 * mpf("1.01")
# name: function, weight, interval, terms for float, interval, terms for double
FITS = {
    "EXP": (lambda r: (expm1(r) - r) / r**2, lambda r: r**2, (-half, half), 5, (-half, half), 10),
    "LOG": (
        lambda f: (log1p(f) - f + f * f / 2) / f**3,
        lambda f: f**2,
        (sqrt(mpf("0.5")) - 1, sqrt(2) - 1),
        8,
        None,
        0,
    ),
    "LOG_QUOTIENT": (log_quotient, lambda root: root, None, 0, (0, (3 - 2 * sqrt(2)) ** 2), 7),
    "TANH": (lambda z: (tanh(sqrt(z)) / sqrt(z) - 1) / z, lambda z: z, (0, "0.4"), 5, (0, "0.4"), 11),
    "ERF": (lambda z: erf(sqrt(z)) / sqrt(z) - 1, one, (0, "0.82"), 6, (0, 1), 12),
    "ERFC_LOG": (lambda x: log(erfc(x)), erfc, ("0.9", 4), 7, (1, 6), 18),
    "MILLS": (mills, lambda s: 1 / mills(s), (-1, mpf(10) / 18), 11, (-1, mpf(34) / 42), 22),
    "ARCTAN": (lambda z: (atan(sqrt(z)) / sqrt(z) - 1) / z, lambda z: z, (0, 1), 9, (0, 1), 19),
    "SINE": (lambda z: (sin(sqrt(z)) / sqrt(z) - 1) / z, lambda z: z, (0, eighth**2), 3, (0, eighth**2), 6),
    "COSINE": (lambda z: (cos(sqrt(z)) - 1 + z / 2) / z**2, lambda z: z**2, (0, eighth**2), 3, (0, eighth**2), 6),
}


def show(name, coefficients, digits, suffix):
    """Print a C++ array, in lines of 120 characters."""
    words = [mp.nstr(c, digits) + suffix for c in coefficients]
    print(f"    static constexpr {'float' if suffix else 'double'} {name}[] = {{")
    line = "       "
    for word in words:
        if len(line) + len(word) + 2 > 120:
            print(line)
            line = "       "
        line += f" {word},"
    print(line.rstrip(",") + "};")


for column, digits, suffix in ((2, 9, "f"), (4, 17, "")):
    for name, row in FITS.items():
        function, weight, interval, terms = *row[:2], *row[column : column + 2]
        if terms:
            coefficients, error = fit(function, weight, *interval, terms)
            show(name, coefficients, digits, suffix)
            print(f"{name}: {terms} terms, error {mp.nstr(error, 3)}", file=sys.stderr)
    print()
