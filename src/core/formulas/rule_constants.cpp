// The constants of each rule at one update, worked out in double precision.
#include <algorithm>
#include <cmath>
#include <cstddef>
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

using Settings = const double*;
using Constants = double (&)[CONSTANTS];

constexpr bool same(const char* a, const char* b) {
    while (*a && *a == *b) ++a, ++b;
    return *a == *b;
}

// The place of a setting of a rule, looked up by the compiler: a name that its row has not does not compile.
consteval std::size_t at(Rule rule, const char* name) {
    std::size_t k = 0;
    while (!same(row_of(rule).settings[k], name)) ++k;
    return k;
}

template <Rule rule> void plain(Settings, double rate, double, Constants c) { c[RATE] = rate; }

template <Rule rule> void with_momentum(Settings s, double rate, double, Constants c) {
    c[RATE] = rate;
    c[KEEP] = s[at(rule, "momentum")];
}

template <Rule rule> void with_epsilon(Settings s, double rate, double, Constants c) {
    c[RATE] = rate;
    c[EPSILON] = s[at(rule, "epsilon")];
}

template <Rule rule> void with_square_mean(Settings s, double rate, double t, Constants c) {
    with_epsilon<rule>(s, rate, t, c);
    c[KEEP_SQUARE] = s[at(rule, "rho")];
    c[TAKE_SQUARE] = 1 - s[at(rule, "rho")];
}

// The means, and the divisor with the correction of v for starting at 0; the rate is left to the rule.
template <Rule rule> void means(Settings s, double t, Constants c) {
    const double beta_1 = s[at(rule, "beta_1")], beta_2 = s[at(rule, "beta_2")];
    c[KEEP] = beta_1;
    c[TAKE] = 1 - beta_1;
    c[KEEP_SQUARE] = beta_2;
    c[TAKE_SQUARE] = 1 - beta_2;
    c[ROOT] = 1 / std::sqrt(1 - power(beta_2, t));
    c[EPSILON] = s[at(rule, "epsilon")];
}

template <Rule rule> void adam(Settings s, double rate, double t, Constants c) {
    means<rule>(s, t, c);
    c[RATE] = rate / (1 - power(s[at(rule, "beta_1")], t));
}

template <Rule rule> void adam_with_decay(Settings s, double rate, double t, Constants c) {
    adam<rule>(s, rate, t, c);
    c[DECAY] = rate * s[at(rule, "weight_decay")];
}

template <Rule rule> void nadam(Settings s, double rate, double t, Constants c) {
    means<rule>(s, t, c);
    const double beta_1 = s[at(rule, "beta_1")], decay = s[at(rule, "momentum_decay")];
    const auto momentum = [&](double faded) { return beta_1 * (1 - 0.5 * faded); };
    const double here = momentum(real_power(0.96, decay * t)), ahead = momentum(real_power(0.96, decay * (t + 1)));
    const double share = real_power(0.96, decay);
    double product = 1, faded = share;  // beyond some 60 steps 1 - product does not show the product
    for (double k = 1; k <= t && product > 0x1p-64; ++k, faded *= share) product *= momentum(faded);
    c[RATE] = rate * ahead / (1 - product * ahead);
    c[AHEAD] = rate * (1 - here) / (1 - product);
}

template <Rule rule> void radam(Settings s, double rate, double t, Constants c) {
    adam<rule>(s, rate, t, c);
    const double beta_2 = s[at(rule, "beta_2")];
    const double rest = power(beta_2, t), most = 2 / (1 - beta_2) - 1, rho = most - 2 * t * rest / (1 - rest);
    if (rho > 5) {
        c[RATE] *= std::sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)) * std::sqrt(1 - rest);
        c[ROOT] = 1;
    } else {  // the root of v times 0, plus 1, is no divisor at all
        c[ROOT] = 0;
        c[EPSILON] = 1;
    }
}

template <Rule rule> void lion(Settings s, double rate, double, Constants c) {
    c[RATE] = rate;
    c[KEEP] = s[at(rule, "beta_1")];
    c[TAKE] = 1 - c[KEEP];
    c[KEEP_NEXT] = s[at(rule, "beta_2")];
    c[TAKE_NEXT] = 1 - c[KEEP_NEXT];
    c[DECAY] = rate * s[at(rule, "weight_decay")];
}

template <Rule rule> void rprop(Settings s, double rate, double, Constants c) {
    c[RATE] = rate;
    c[SHRINK] = s[at(rule, "eta_minus")];
    c[GROW] = s[at(rule, "eta_plus")];
    c[SMALLEST] = s[at(rule, "step_min")];
    c[LARGEST] = s[at(rule, "step_max")];
}

using Function = void (*)(Settings s, double rate, double t, Constants c);

// Row for row the rules of tables.hpp.
constexpr Function FUNCTIONS[] = {
    plain<Rule::SGD>,
    with_momentum<Rule::Momentum>,
    with_momentum<Rule::Nesterov>,
    with_epsilon<Rule::AdaGrad>,
    with_square_mean<Rule::AdaDelta>,
    with_square_mean<Rule::RMSProp>,
    adam<Rule::Adam>,
    adam_with_decay<Rule::AdamW>,
    nadam<Rule::NAdam>,
    adam<Rule::AMSGrad>,
    radam<Rule::RAdam>,
    lion<Rule::Lion>,
    rprop<Rule::Rprop>,
    plain<Rule::Gradient>,
};
static_assert(std::size(FUNCTIONS) == std::size(RULE_NAMES));

}  // namespace

void rule_constants(Rule rule, Settings settings, double learning_rate, double t, double (&c)[CONSTANTS]) {
    std::fill(std::begin(c), std::end(c), 0.0);
    FUNCTIONS[static_cast<int>(rule)](settings, learning_rate, t, c);
}

}  // namespace chainrule
