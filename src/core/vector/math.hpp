// Elementary functions over Vector<T>, from arithmetic, fused multiply-add and integer operations alone.
//
// Every function computes all lanes the same way and selects where formulas differ: no branches, no tables, no libm.
// Where fused multiply-add exists the bits are the same on every set.
//
// Each function says its valid range and its largest error there, float / double: the worst ones measured with fused
// multiply-add (float: a sweep of bit patterns; double: random points), in units in the last place (ulp). Results below
// the smallest normal number may be flushed to 0 where they come out of exp.
#pragma once

#include "vector/simd.hpp"

namespace chainrule::CHAINRULE_SET {

// Best-fit polynomials, lowest power first, printed by tools/coefficients.py; and what the number format fixes.
template <class T> struct Coefficients;

template <> struct Coefficients<float> {
    static constexpr int MANTISSA_BITS = 23;
    static constexpr float ROUNDER = 12582912;  // 1.5 * 2^23: added, it leaves an integer in the low bits
    static constexpr float SMALLEST_NORMAL = 0x1p-126f;
    static constexpr float LN2_HIGH = 0.693359375f;  // few enough bits for an exact product with an exponent
    static constexpr float LN2_LOW = -2.12194440e-4f;
    static constexpr float EXP_LOWEST = -87.3365448f, EXP_HIGHEST = 88.7228317f;  // log of the range of normal numbers
    static constexpr float ERF_SWITCH = 0.9f, ERF_END = 4, TAIL_END = 13.2f;
    static constexpr float HALF_PI_HIGH = 1.57079637f, HALF_PI_LOW = -4.37113883e-8f;
    static constexpr float EXP[] = {0.50000001f, 0.166665129f, 0.0416661863f, 0.00836959866f, 0.00139517657f};
    static constexpr float LOG[] = {0.333333167f, -0.250008104f, 0.200022859f, -0.166245535f,
                                    0.141811991f, -0.131287708f, 0.128816047f, -0.0785951104f};
    static constexpr float TANH[] = {-0.333332783f, 0.133313287f, -0.0537292111f, 0.0206019562f, -0.00566073963f};
    static constexpr float ERF[] = {0.128379154f,   -0.376125262f,  0.112821576f,
                                    -0.0267791016f, 0.00501170685f, -0.000608656106f};
    static constexpr float ERFC_LOG[] = {-0.000177486753f, -1.12774959f,    -0.637059733f,  -0.104037355f,
                                         0.0222770714f,    -0.00305559947f, 0.000197180389f};
    static constexpr float MILLS[] = {0.755285131f,    -0.60789665f,     0.387137332f,    -0.186521541f,
                                      0.0603979355f,   -0.00754315459f,  -0.00349028889f, 0.00163864773f,
                                      0.000169813243f, -0.000225000606f, -4.76199292e-5f};
    static constexpr float ARCTAN[] = {-0.333333019f, 0.199986387f,  -0.142652449f, 0.109575702f,   -0.0841943431f,
                                       0.0582340373f, -0.031455126f, 0.011064106f,  -0.00182713367f};
    static constexpr float SINE[] = {-0.166666549f, 0.00833217823f, -0.000195173053f};
    static constexpr float COSINE[] = {0.0416666469f, -0.00138873674f, 2.44384392e-5f};
};

template <> struct Coefficients<double> {
    static constexpr int MANTISSA_BITS = 52;
    static constexpr double ROUNDER = 6755399441055744;  // 1.5 * 2^52
    static constexpr double SMALLEST_NORMAL = 0x1p-1022;
    static constexpr double LN2_HIGH = 6.93147180369123816490e-01;
    static constexpr double LN2_LOW = 1.90821492927058770002e-10;
    static constexpr double EXP_LOWEST = -708.39641853226408, EXP_HIGHEST = 709.78271289338397;
    static constexpr double ERF_SWITCH = 1, ERF_END = 6, TAIL_END = 37.6;
    static constexpr double HALF_PI_HIGH = 1.5707963267948966, HALF_PI_LOW = 6.123233995736766e-17;
    static constexpr double EXP[] = {0.50000000000000141,   0.16666666666666703,   0.041666666666503049,
                                     0.0083333333333049411, 0.0013888888950548736, 0.00019841269922253968,
                                     2.4801486033820405e-5, 2.755721197785645e-6,  2.7632751344521509e-7,
                                     2.5119221428080997e-8};
    static constexpr double LOG_QUOTIENT[] = {0.66666666666667344, 0.39999999999414648, 0.28571428742391584,
                                              0.22222198572882994, 0.18183564340760026, 0.15314050148670045,
                                              0.14795954280494387};
    static constexpr double TANH[] = {-0.33333333333332755,   0.1333333333324842,     -0.053968253924885842,
                                      0.021869487429753434,   -0.0088632190874110673, 0.0035919737603689185,
                                      -0.0014548799799677932, 0.00058605899698743935, -0.00022804522552477685,
                                      7.6556179669667372e-5,  -1.5785867197482542e-5};
    static constexpr double ERF[] = {0.12837916709551257,    -0.37612638903183547,   0.11283791670945253,
                                     -0.026866170643276218,  0.0052239776074234678,  -0.0008548325989696758,
                                     0.00012055295320494294, -1.4924744663335483e-5, 1.64475176778718e-6,
                                     -1.6209175911748179e-7, 1.3722976265922435e-8,  -7.8011888740941543e-10};
    static constexpr double ERFC_LOG[] = {-5.1330241760153431e-7, -1.1283739911225354,    -0.63664405773769184,
                                          -0.1027022825088341,    0.018988028131690183,   0.00041355599158156065,
                                          -0.0019189662000517425, 0.0007730599595626687,  -0.00013656504120441414,
                                          -1.9518313247530549e-5, 2.2531065099885176e-5,  -8.578214369501787e-6,
                                          2.1146618973522985e-6,  -3.6953995309340246e-7, 4.5929766073931189e-8,
                                          -3.8896920762884021e-9, 2.0201588222277531e-10, -4.8646134825550691e-12};
    static constexpr double MILLS[] = {
        0.75528513041575147,   -0.60789664197189083,    0.38713740074222174,    -0.18652185795979166,
        0.060396574890594558,  -0.007540188962622713,   -0.0034796923606655479, 0.0016308184006425195,
        0.0001333442399484151, -0.00023109450369617436, -1.9077756936207767e-6, 3.5142734366325226e-5,
        7.1456979602045588e-7, -5.9147005141421789e-6,  -6.236775713124171e-7,  1.0120828535973163e-6,
        2.6052071233288058e-7, -1.4547768513096616e-7,  -7.2171865443578436e-8, 8.9421293093088344e-9,
        1.0824324940979873e-8, 1.6337622953002643e-9};
    static constexpr double ARCTAN[] = {
        -0.33333333333331994,   0.19999999999774865,    -0.14285714272357031,   0.1111111070559092,
        -0.090909016586005196,  0.076922173248448304,   -0.066658922142394741,  0.058774753013295794,
        -0.052398894316199414,  0.046758991242550024,   -0.040970719355361677,  0.034145342874273396,
        -0.025930825294932765,  0.01708415744389602,    -0.0092653632680390386, 0.003900433241376017,
        -0.0011807633543559932, 0.00022684787238823116, -2.0662218258271346e-5};
    static constexpr double SINE[] = {-0.16666666666666632,  0.0083333333333224251,  -0.00019841269829817129,
                                      2.7557313695247908e-6, -2.5050758653634547e-8, 1.5896827869205722e-10};
    static constexpr double COSINE[] = {0.0416666666666666,     -0.0013888888888874139, 2.4801587289491697e-5,
                                        -2.7557314355192244e-7, 2.0875723676508717e-9,  -1.1359669413176908e-11};
};

// c[0] + c[1] x + c[2] x^2 + ... by Horner's rule: independent vectors hide its latency.
template <class V, int N> INLINE V polynomial(V x, const typename V::Lane (&c)[N]) {
    V sum = all<V>(c[N - 1]);
#pragma GCC unroll 32
    for (int i = N - 2; i >= 0; --i) sum = fma(sum, x, c[i]);
    return sum;
}

template <class T> constexpr auto bits_of_number(T x) { return __builtin_bit_cast(typename IntegerOf<T>::type, x); }

template <class V> constexpr typename V::Lane INFINITE = __builtin_inf();

// x = k ln 2 + r with k an integer and |r| <= ln(2)/2.
template <class V> struct Reduced {
    V k, r;
    Integers<V> shifted_k;  // k in the place of the exponent bits
};

template <class V> INLINE Reduced<V> reduce(V x) {
    using C = Coefficients<typename V::Lane>;
    V rounded = fma(x, static_cast<typename V::Lane>(1.4426950408889634), all<V>(C::ROUNDER));
    V k = rounded - C::ROUNDER;
    V r = fma(k, -C::LN2_LOW, fma(k, -C::LN2_HIGH, x));
    return {k, r, bits_of(rounded) << C::MANTISSA_BITS};
}

// e^(x - less) for EXP_LOWEST <= x <= EXP_HIGHEST and a small correction: 2^k e^r, where
// e^r = 1 + (r + r^2 P(r)) and k is added to the exponent. 1.1 / 1.1 ulp, as exp.
template <class V> INLINE V exp_inside(V x, V less = zero<V>()) {
    using T = typename V::Lane;
    Reduced<V> part = reduce(x);
    V r = part.r - less;
    V power = fma(r * r, polynomial(r, Coefficients<T>::EXP), r) + T(1);
    return from_bits<V>(bits_of(power) + part.shifted_k);
}

// e^x: 0 below EXP_LOWEST, infinite above EXP_HIGHEST.
// Valid for every x; 1.1 / 1.1 ulp.
template <class V> INLINE V exp(V x) {
    using C = Coefficients<typename V::Lane>;
    V inside = select(x <= C::EXP_HIGHEST, exp_inside(x), x * INFINITE<V>);
    return select(x < C::EXP_LOWEST, zero<V>(), inside);
}

// e^x - 1 = 2^k (e^r - 1) + (2^k - 1), halved until the end so that 2^k does not overflow.
// Valid for every x; 1.3 / 1.6 ulp.
template <class V> INLINE V expm1(V x) {
    using T = typename V::Lane;
    using C = Coefficients<T>;
    Reduced<V> part = reduce(maximum(all<V>(-40), x));
    V r = part.r, half_scale = from_bits<V>(part.shifted_k + bits_of_number(T(0.5)));
    V half = fma(half_scale * (r * r), polynomial(r, C::EXP), fma(half_scale, r, half_scale - T(0.5)));
    V result = half + half;
    return with_sign(select(x > C::EXP_HIGHEST, all<V>(INFINITE<V>), result), x);
}

// k ln 2 + log(1 + f) for sqrt(1/2) <= 1 + f < sqrt(2), as f - (f^2/2 - t): for float t = f^3 P(f), for double
// t = s (f^2/2 + s^2 R(s^2)) with s = f / (2 + f).
template <class V> INLINE V log_sum(V k, V f) {
    using T = typename V::Lane;
    using C = Coefficients<T>;
    V half_square = T(0.5) * f * f, t;
    if constexpr (sizeof(T) == 4) {
        t = f * f * f * polynomial(f, C::LOG);
    } else {
        V s = f / (f + T(2)), root = s * s;
        t = s * fma(root, polynomial(root, C::LOG_QUOTIENT), half_square);
    }
    return fma(k, C::LN2_HIGH, f - (half_square - fma(k, C::LN2_LOW, t)));
}

// x = 2^k (1 + f) with k an integer and sqrt(1/2) <= 1 + f < sqrt(2), for a normal x > 0.
template <class V> struct Split {
    V k, f;
    Integers<V> biased_k;  // k + the exponent bias in the place of the exponent bits
};

template <class V> INLINE Split<V> split(V x) {
    using T = typename V::Lane;
    using C = Coefficients<T>;
    constexpr auto one = bits_of_number(T(1)), root_half = bits_of_number(T(0.70710678118654752));
    constexpr auto mantissa = bits_of_number(C::SMALLEST_NORMAL) - 1;
    Integers<V> biased = bits_of(x) + (one - root_half);
    Integers<V> exponent = map<Integers<V>>(
        [](auto bits) LAMBDA {
            using Unsigned = typename Register<std::make_unsigned_t<decltype(one + 0)>, sizeof(bits) / sizeof(T)>::type;
            return (decltype(bits))((Unsigned)bits >> C::MANTISSA_BITS);
        },
        biased);
    V k = from_bits<V>(exponent | bits_of_number(C::ROUNDER)) - (C::ROUNDER + T(one >> C::MANTISSA_BITS));
    return {k, from_bits<V>((biased & mantissa) + root_half) - T(1), biased & ~mantissa};
}

// log x = k ln 2 + log(1 + f); a denormal x is scaled up first.
// Valid for every x: -infinite at 0, NaN below; 0.9 / 0.8 ulp.
template <class V> INLINE V log(V x) {
    using T = typename V::Lane;
    using C = Coefficients<T>;
    auto denormal = x < C::SMALLEST_NORMAL;
    Split<V> part = split(select(denormal, x * T(1ll << C::MANTISSA_BITS), x));
    V k = select(denormal, part.k - T(C::MANTISSA_BITS), part.k);
    V result = select(x < INFINITE<V>, log_sum(k, part.f), x);
    V edge = select(x == T(0), all<V>(-INFINITE<V>), all<V>(__builtin_nan("")));
    return select(x <= T(0), edge, result);
}

// log(1 + x): splits u = 1 + x and adds what that sum lost, x - (u - 1), to f.
// Valid for every x: -infinite at -1, NaN below; 1.5 / 1.4 ulp.
template <class V> INLINE V log1p(V x) {
    using T = typename V::Lane;
    V u = x + T(1), lost = x - (u - T(1));
    Split<V> part = split(u);
    Integers<V> inverse = bits_of_number(T(1)) * 2 - minimum(part.biased_k, all<Integers<V>>(bits_of_number(T(1e30f))));
    V result = log_sum(part.k, fma(lost, from_bits<V>(inverse), part.f));
    V edge = select(x == T(-1), all<V>(-INFINITE<V>), all<V>(__builtin_nan("")));
    result = select(x < INFINITE<V>, with_sign(result, x), x);
    return select(x <= T(-1), edge, result);
}

// x + x^3 P(x^2) near 0, else 1 - 2 / (e^(2x) + 1), which is 1 beyond 20.
// Valid for every x; 1.3 / 1.4 ulp.
template <class V> INLINE V tanh(V x) {
    using T = typename V::Lane;
    V a = absolute(x), square = a * a;
    V near = fma(a * square, polynomial(square, Coefficients<T>::TANH), a);
    V far = T(1) - T(2) / (exp_inside(T(2) * minimum(all<V>(20), a)) + T(1));
    return with_sign(select(a > T(0.625), far, near), x);
}

// 1 / (1 + e^-x).
// Valid for every x, 0 below -EXP_HIGHEST; 2.3 / 2.5 ulp.
template <class V> INLINE V sigmoid(V x) {
    using T = typename V::Lane;
    return T(1) / (exp(-x) + T(1));
}

// log(1 + e^x) = max(x, 0) + log(1 + z) with z = e^-|x|; for the larger z, log(1 + z) is
// ln 2 + log(1 + (z - 1) / 2).
// Valid for every x, 0 below EXP_LOWEST; 1.7 / 1.7 ulp.
template <class V> INLINE V softplus(V x) {
    using T = typename V::Lane;
    V minus = -absolute(x);
    V z = select(minus < Coefficients<T>::EXP_LOWEST, zero<V>(), exp_inside(minus));
    auto larger = z > T(0.41421356);
    V f = select(larger, fma(z, T(0.5), all<V>(-0.5)), z);
    return maximum(zero<V>(), x) + log_sum(select(larger, all<V>(1), zero<V>()), f);
}

// x + x P(x^2) near 0, else 1 - e^Q(x), Q the logarithm of erfc.
// Valid for every x; 1.1 / 1.3 ulp.
template <class V> INLINE V erf(V x) {
    using T = typename V::Lane;
    using C = Coefficients<T>;
    V a = absolute(x);
    V near = fma(a, polynomial(a * a, C::ERF), a);
    V far = T(1) - exp_inside(polynomial(minimum(all<V>(C::ERF_END), a), C::ERFC_LOG));
    return with_sign(select(a > C::ERF_SWITCH, far, near), x);
}

// Phi(-y) = e^(-y^2/2) P(s) / (y + 4) with s = (y - 4) / (y + 4) for y = |x|, and Phi(y) = 1 - Phi(-y).
// Near 0 it is 1/2 + erf(x / sqrt 2) / 2. The square's rounding error is carried along where fused multiply-add exists.
// Valid for every x, 0 below -TAIL_END; 6.2 / 6.8 ulp for x < -0.67 and 1.9 / 1.6 above. Without fused multiply-add the
// error grows with x^2, to 66 ulp at -13 and 510 at -37.
template <class V> INLINE V normal_cdf(V x) {
    using T = typename V::Lane;
    using C = Coefficients<T>;
    V y = minimum(all<V>(C::TAIL_END), absolute(x));
    V square = y * y, rest = fma(y, y, -square);
    V inverse = T(1) / (y + T(4));
    V ratio = inverse * polynomial(fma(inverse, T(-8), all<V>(1)), C::MILLS);
    V tail = exp_inside(T(-0.5) * square, T(0.5) * rest) * ratio;
    tail = select(y >= C::TAIL_END, zero<V>(), tail);
    V half_root = x * T(0.35355339059327376);
    V near = fma(half_root, polynomial(T(0.5) * square, C::ERF), half_root) + T(0.5);
    return select(y > T(0.674), select(x < T(0), tail, T(1) - tail), near);
}

// x + x^3 P(x^2) up to 1, else pi/2 - arctan(1/x).
// Valid for every x; 1.3 / 1.8 ulp.
template <class V> INLINE V arctan(V x) {
    using T = typename V::Lane;
    using C = Coefficients<T>;
    V a = absolute(x);
    auto inverted = a > T(1);
    V t = select(inverted, T(1) / a, a), square = t * t;
    V angle = fma(t * square, polynomial(square, C::ARCTAN), t);
    return with_sign(select(inverted, C::HALF_PI_HIGH - (angle - C::HALF_PI_LOW), angle), x);
}

template <class V> struct Turned {
    V cosine, sine;
};

// cos 2 pi v and sin 2 pi v: v = k/4 + f exactly, |f| <= 1/8; then a + a^3 P(a^2) and
// 1 - a^2/2 + a^4 Q(a^2) with a = 2 pi f, exchanged in odd quarters.
// Valid for 0 <= v < 2^20 turns; absolute errors below 1e-7 / 2e-16.
template <class V> INLINE Turned<V> turned(V v) {
    using T = typename V::Lane;
    using C = Coefficients<T>;
    const V rounded = fma(v, T(4), all<V>(C::ROUNDER)), quarter = rounded - C::ROUNDER;
    const V a = fma(quarter, T(-0.25), v) * T(6.283185307179586), z = a * a;
    const V sine = fma(a * z, polynomial(z, C::SINE), a);
    const V cosine = fma(z * z, polynomial(z, C::COSINE), fma(z, T(-0.5), T(1)));
    const auto bits = bits_of(rounded);  // the quarter in the low bits
    using I = typename Integers<V>::Lane;
    const auto odd = (bits & I(1)) != I(0), minus_sine = (bits & I(2)) != I(0),
               minus_cosine = ((bits + I(1)) & I(2)) != I(0);
    const V c = select(odd, sine, cosine), s = select(odd, cosine, sine);
    return {select(minus_cosine, -c, c), select(minus_sine, -s, s)};
}

}  // namespace chainrule::CHAINRULE_SET
