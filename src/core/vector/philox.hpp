// The random streams of randomness.py, Philox-4x64-10 named by (seed, purpose, step, block), and what is drawn from
// them.
#pragma once

#include "vector/math.hpp"
#include "vector/panels.hpp"
#include "vector/stream.hpp"

namespace chainrule::CHAINRULE_SET {

constexpr int BITS = 16;     // numbers of 16 bits from one count of the generator
constexpr int NORMALS = 32;  // normal numbers from four counts

struct Words {
    std::uint64_t w[4];
};

// The four words of one count; NumPy counts before it draws, so the first count is 1.
INLINE Words philox(const Stream& stream, std::uint64_t count) {
    constexpr std::uint64_t MULTIPLIER[] = {0xD2E7470EE14C6C93, 0xCA5A826395121157};
    constexpr std::uint64_t WEYL[] = {0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B};
    std::uint64_t c0 = count + 1, c1 = stream.step, c2 = stream.block, c3 = 0, k0 = stream.seed, k1 = stream.purpose;
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round, k0 += WEYL[0], k1 += WEYL[1]) {
        const auto p0 = static_cast<unsigned __int128>(MULTIPLIER[0]) * c0;
        const auto p1 = static_cast<unsigned __int128>(MULTIPLIER[1]) * c2;
        c0 = static_cast<std::uint64_t>(p1 >> 64) ^ c1 ^ k0;
        c2 = static_cast<std::uint64_t>(p0 >> 64) ^ c3 ^ k1;
        c1 = static_cast<std::uint64_t>(p1);
        c3 = static_cast<std::uint64_t>(p0);
    }
    return {{c0, c1, c2, c3}};
}

// The first counts of a row of `columns` numbers.
INLINE std::uint64_t bits_begin(Index row, Index columns) {
    return static_cast<std::uint64_t>(row * panels(columns, BITS));
}
INLINE std::uint64_t normals_begin(Index row, Index columns) {
    return static_cast<std::uint64_t>(row * panels(columns, NORMALS) * 4);
}

// BITS numbers from 0 to 65535, as numbers of type T.
template <class T> INLINE void draw_bits(const Stream& stream, std::uint64_t count, T (&to)[BITS]) {
    const Words words = philox(stream, count);
    for (int i = 0; i < BITS; ++i)
        to[i] = static_cast<T>(static_cast<std::int32_t>(words.w[i / 4] >> (16 * (i % 4)) & 0xFFFF));
}

// NORMALS standard normal numbers, by Box and Muller: BITS with the cosine, then BITS with the sine.
template <class T> INLINE void draw_normals(const Stream& stream, std::uint64_t count, T (&to)[NORMALS]) {
    T u[BITS], v[BITS];
    for (int k = 0; k < 4; ++k) {
        const Words words = philox(stream, count + static_cast<std::uint64_t>(k));
        for (int i = 0; i < 4; ++i) {
            u[4 * k + i] = static_cast<T>(static_cast<std::int32_t>(words.w[i] >> 8 & 0xFFFFFF) + 1) * T(0x1p-24);
            v[4 * k + i] = static_cast<T>(static_cast<std::int32_t>(words.w[i] >> 40)) * T(0x1p-24);
        }
    }
    for (int i = 0; i < BITS; i += LANES<T>) {
        const auto turn = turned(load<Vector<T>>(v + i));
        const Vector<T> radius = square_root(log(load<Vector<T>>(u + i)) * T(-2));
        store(to + i, radius * turn.cosine);
        store(to + BITS + i, radius * turn.sine);
    }
}

}  // namespace chainrule::CHAINRULE_SET
