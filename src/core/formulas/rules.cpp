// The constants of each rule at one update, worked out in double precision.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>

#include "formulas/rule_constants.hpp"
#include "formulas/tables.hpp"

namespace chainrule {

namespace {

// x^n by repeated squaring: the same bits on every machine.
double power(double x, double n) {
    double result = 1;
    for (auto k = static_cast<std::uint64_t>(n); k; k >>= 1, x *= x)
        if (k & 1) result *= x;
    return result;
}

// x^n for any n >= 0 and x from 0 to 1: square roots for the binary digits after the point.
double real_power(double x, double n) {
    n = std::min(n, 1e9);  // beyond it there is nothing left of x, and n must fit a whole number
    double result = power(x, std::floor(n));
    for (n -= std::floor(n); n > 0 && x != 1; n -= std::floor(n)) {
        x = std::sqrt(x);
        if ((n *= 2) >= 1) result *= x;
    }
    return result;
}

using Settings = const std::vector<double>&;

void moments(Settings s, double rate, double t, double* c) {
    const double numbers[] = {rate / (1 - power(s[0], t)), s[0], 1 - s[0], s[1], 1 - s[1],
                              1 / std::sqrt(1 - power(s[1], t)), s[2]};
    std::copy(std::begin(numbers), std::end(numbers), c);
}

void with_rest(Settings s, double rate, double, double* c) {
    c[0] = rate;
    if (!s.empty()) c[1] = s[0];
}

void with_mean(Settings s, double rate, double, double* c) {
    const double numbers[] = {rate, s[0], 1 - s[0], s[1]};
    std::copy(std::begin(numbers), std::end(numbers), c);
}

void moments_and_decay(Settings s, double rate, double t, double* c) {
    moments(s, rate, t, c);
    c[7] = rate * s[3];
}

void moments_ahead(Settings s, double rate, double t, double* c) {
    moments(s, rate, t, c);
    const auto momentum = [&](double faded) { return s[0] * (1 - 0.5 * faded); };
    const double here = momentum(real_power(0.96, s[3] * t)), ahead = momentum(real_power(0.96, s[3] * (t + 1)));
    const double share = real_power(0.96, s[3]);
    double product = 1, faded = share;  // beyond some 60 steps 1 - product does not show the product
    for (double k = 1; k <= t && product > 0x1p-64; ++k, faded *= share) product *= momentum(faded);
    c[0] = rate * ahead / (1 - product * ahead);
    c[7] = rate * (1 - here) / (1 - product);
}

void rectified_moments(Settings s, double rate, double t, double* c) {
    moments(s, rate, t, c);
    const double rest = power(s[1], t), most = 2 / (1 - s[1]) - 1, rho = most - 2 * t * rest / (1 - rest);
    if (rho > 5) {
        c[0] *= std::sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)) * std::sqrt(1 - rest);
        c[5] = 1;
    } else {  // the root of v times 0, plus 1, is no divisor at all
        c[5] = 0;
        c[6] = 1;
    }
}

void signs(Settings s, double rate, double, double* c) {
    const double numbers[] = {rate, s[0], 1 - s[0], s[1], 1 - s[1], rate * s[2]};
    std::copy(std::begin(numbers), std::end(numbers), c);
}

void resilient(Settings s, double rate, double, double* c) {
    c[0] = rate;
    std::copy(s.begin(), s.end(), c + 1);
}

// Row for row the rules of tables.hpp; the settings are theirs in the order of their fields.
constexpr void (*CONSTANTS[])(Settings s, double rate, double t, double* c) = {
    with_rest,     with_rest, with_rest,         with_rest, with_mean, with_mean, moments, moments_and_decay,
    moments_ahead, moments,   rectified_moments, signs,     resilient, with_rest};
static_assert(std::size(CONSTANTS) == std::size(RULE_NAMES));

}  // namespace

void rule_constants(int rule, Settings settings, double learning_rate, double t, double (&c)[8]) {
    CONSTANTS[rule](settings, learning_rate, t, c);
}

}  // namespace chainrule
