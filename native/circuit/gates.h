// Runs of one operation on slots.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "count.h"
#include "functions.h"

namespace {

// A function of two bits by its number: bit 2 x + y.
template <int F> ALGONETS_INLINE bitsv apply2(bitsv x, bitsv y) {
  if constexpr (F & 1) return ~apply2<15 - F>(x, y);
  else if constexpr (F == 0) return bitsv{};
  else if constexpr (F == 2) return y & ~x;
  else if constexpr (F == 4) return x & ~y;
  else if constexpr (F == 6) return x ^ y;
  else if constexpr (F == 8) return x & y;
  else if constexpr (F == 10) return y;
  else if constexpr (F == 12) return x;
  else return x | y;
}

// A function of three bits, see functions.h.
template <int F> ALGONETS_INLINE bitsv apply3(bitsv x, bitsv y, bitsv z) {
#if defined(__AVX512F__)
  return (bitsv)_mm512_ternarylogic_epi64((__m512i)x, (__m512i)y, (__m512i)z, F);
#else
  constexpr int low = (F & 1) | (F >> 1 & 2) | (F >> 2 & 4) | (F >> 3 & 8), high = (F >> 1 & 1) | (F >> 2 & 2) | (F >> 3 & 4) | (F >> 4 & 8);
  if constexpr (low == high) return apply2<low>(x, y);
  else if constexpr (low == 15 - high) return apply2<low>(x, y) ^ z;
  else if constexpr (low == 0) return apply2<high>(x, y) & z;
  else if constexpr (high == 0) return apply2<low>(x, y) & ~z;
  else if constexpr (high == 15) return apply2<low>(x, y) | z;
  else if constexpr (low == 15) return apply2<high>(x, y) | ~z;
  else return apply2<low>(x, y) ^ (apply2<low ^ high>(x, y) & z);
#endif
}

using RunGates = void (*)(const std::uint32_t* code, const std::uint32_t* end, std::uint64_t* slots);

template <int W, int F> void gates(const std::uint32_t* code, const std::uint32_t* end, std::uint64_t* base) {
  constexpr int arity = algonets::depends(F, 2) ? 3 : 2;
  const Slots<W> slots(base);
#pragma GCC unroll 4
  for (; code < end; code += arity + 1)
    for (std::int64_t at = 0; at < W * 8; at += ALGONETS_BYTES) {
      const bitsv x = slots.piece(code[0], at), y = slots.piece(code[1], at), z = arity == 3 ? slots.piece(code[2], at) : y;
      slots.piece(code[arity], at) = apply3<F>(x, y, z);
    }
}

template <int W, int F> constexpr RunGates gates_of() {
  if constexpr (algonets::is_form(F)) return gates<W, F>;
  else return nullptr;
}

template <int W, int... F> constexpr std::array<RunGates, 256> all_gates(std::integer_sequence<int, F...>) { return {gates_of<W, F>()...}; }

// By the number of the function.
template <int W> constexpr std::array<RunGates, 256> kGates = all_gates<W>(std::make_integer_sequence<int, 256>());

}  // namespace
