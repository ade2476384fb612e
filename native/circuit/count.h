// How many of the listed slots are 1, for each sample: carry-save adders give the count as bit planes.
#pragma once

#include <cstdint>

#include "../simd.h"

namespace {

typedef std::uint64_t bitsv __attribute__((vector_size(ALGONETS_BYTES), may_alias));
constexpr int kPlanes = 14;                       // counts below 2^14 at a time
constexpr std::int64_t kSegment = (1 << 13);      // so many slots at a time
constexpr int kPieceBits = 8 * ALGONETS_BYTES;    // samples of a piece of a slot

// high, low = the two bits of a + b + c.
ALGONETS_INLINE void add3(bitsv& high, bitsv& low, bitsv a, bitsv b, bitsv c) {
#if defined(__AVX512F__)
  high = (bitsv)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0xE8);
  low = (bitsv)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0x96);
#else
  const bitsv u = a ^ b;
  high = (a & b) | (u & c);
  low = u ^ c;
#endif
}

ALGONETS_INLINE int planes_of(std::int64_t n) {
  int planes = 4;
  while ((std::int64_t(1) << planes) <= n) ++planes;
  return planes;
}

// Bit planes of the counts of one piece: slots list[0..n), each `stride` bytes, piece at `offset` bytes.
inline void count_planes(const char* slots, std::int64_t stride, std::int64_t offset, const std::uint32_t* list, std::int64_t n,
                         bitsv* planes, int used) {
  const auto at = [&](std::int64_t i) { return *reinterpret_cast<const bitsv*>(slots + list[i] * stride + offset); };
  for (int p = 0; p < used; ++p) planes[p] = bitsv{};
  bitsv one{}, two{}, four{}, eight{};
  const auto carry_in = [&](bitsv carry, int from) {
    for (int p = from; p < used; ++p) {
      const bitsv next = planes[p] & carry;
      planes[p] ^= carry;
      carry = next;
    }
  };
  const auto eights = [&](std::int64_t i) {  // adds slots i .. i + 7; what is carried out of the fours
    bitsv t0, t1, f0, f1, out;
    add3(t0, one, one, at(i), at(i + 1));
    add3(t1, one, one, at(i + 2), at(i + 3));
    add3(f0, two, two, t0, t1);
    add3(t0, one, one, at(i + 4), at(i + 5));
    add3(t1, one, one, at(i + 6), at(i + 7));
    add3(f1, two, two, t0, t1);
    add3(out, four, four, f0, f1);
    return out;
  };
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const bitsv e0 = eights(i), e1 = eights(i + 8);
    bitsv sixteen;
    add3(sixteen, eight, eight, e0, e1);
    carry_in(sixteen, 4);
  }
  planes[0] = one;
  planes[1] = two;
  planes[2] = four;
  planes[3] = eight;
  for (; i < n; ++i) carry_in(at(i), 0);
}

// counts[i] += weight * bit i of the plane, for the samples of a piece.
ALGONETS_INLINE void add_plane(std::int16_t* counts, const bitsv& plane, std::int16_t weight) {
#if defined(__AVX512F__)
  alignas(64) std::uint32_t words[16];
  *reinterpret_cast<bitsv*>(words) = plane;
  const __m512i w = _mm512_set1_epi16(weight);
  for (int q = 0; q < 16; ++q) {
    const __m512i c = _mm512_load_si512(counts + 32 * q);
    _mm512_store_si512(counts + 32 * q, _mm512_mask_add_epi16(c, words[q], c, w));
  }
#else
  constexpr int N = ALGONETS_BYTES / 2;
  typedef std::int16_t lanes __attribute__((vector_size(ALGONETS_BYTES), may_alias));
  lanes bit;
  for (int k = 0; k < N; ++k) bit[k] = std::int16_t(1 << k);
  const auto* words = reinterpret_cast<const std::uint8_t*>(&plane);
  for (int q = 0; q < kPieceBits / N; ++q) {
    std::uint16_t chunk = words[q * N / 8];
    if (N == 16) chunk = std::uint16_t(chunk | words[q * N / 8 + 1] << 8);
    const lanes yes = (((lanes{} + std::int16_t(chunk)) & bit) != 0);
    *reinterpret_cast<lanes*>(counts + N * q) += yes & weight;
  }
#endif
}

}  // namespace
