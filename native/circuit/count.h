// How many of the listed slots are 1, for each sample: carry-save adders give the count as bit planes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../simd.h"

namespace {

typedef std::uint64_t bitsv __attribute__((vector_size(ALGONETS_BYTES), may_alias));
constexpr int kPieceBits = 8 * ALGONETS_BYTES;  // samples of a piece of a slot

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

// Add a bit to planes.
template <class Plane> ALGONETS_INLINE void carry(bitsv v, int planes, Plane plane) {
  for (int p = 0; p < planes; ++p) {
    bitsv& to = plane(p);
    const bitsv next = to & v;
    to ^= v;
    v = next;
  }
}

// Slots of W words from `base` on; lists name their first words by a slot of 8.
template <int W> class Slots {
 public:
  explicit Slots(std::uint64_t* base) : base_(reinterpret_cast<char*>(base)) {}

  // A piece of a slot, `offset` bytes from its start.
  ALGONETS_INLINE bitsv& piece(std::uint32_t slot, std::int64_t offset) const { return *reinterpret_cast<bitsv*>(base_ + slot * std::int64_t(W) + offset); }

  // Count sixteen slots, as they are or negated, into the planes from slot `plane` on.
  template <bool negated> void count16(const std::uint32_t* list, std::uint32_t plane, int planes) const {
    for (std::int64_t offset = 0; offset < W * 8; offset += ALGONETS_BYTES) {
      const auto at = [&](int i) {
        const bitsv v = piece(list[i], offset);
        return negated ? ~v : v;
      };
      bitsv one = piece(plane, offset), two = piece(plane + 8, offset), four = piece(plane + 16, offset), eight = piece(plane + 24, offset);
      const auto eights = [&](int i) {  // adds slots i .. i + 7; what is carried out of the fours
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
      const bitsv e0 = eights(0), e1 = eights(8);
      bitsv sixteen;
      add3(sixteen, eight, eight, e0, e1);
      piece(plane, offset) = one;
      piece(plane + 8, offset) = two;
      piece(plane + 16, offset) = four;
      piece(plane + 24, offset) = eight;
      carry(sixteen, planes - 4, [&](int p) -> bitsv& { return piece(plane + 8 * (p + 4), offset); });
    }
  }

 private:
  char* base_;
};

// Add the counts of one piece to one number a sample.
template <class Plane> void add_planes(int planes, Plane plane, std::int32_t* totals) {
#if defined(__AVX512F__)
  for (int q = 0; q < kPieceBits / 64; ++q)
    for (int from = 0; from < planes; from += 8) {  // a byte of 64 counts
      __m512i sum = _mm512_setzero_si512();
      for (int p = from; p < std::min(planes, from + 8); ++p) {
        std::uint64_t word;
        std::memcpy(&word, reinterpret_cast<const char*>(&plane(p)) + 8 * q, 8);
        sum = _mm512_mask_add_epi8(sum, word, sum, _mm512_set1_epi8(char(1 << (p - from))));
      }
      alignas(64) std::uint8_t bytes[64];
      _mm512_store_si512(bytes, sum);
      std::int32_t* to = totals + 64 * q;
#pragma omp simd
      for (int i = 0; i < 64; ++i) to[i] += std::int32_t(bytes[i]) << from;
    }
#else
  constexpr int N = ALGONETS_BYTES / 2, most = 14;
  typedef std::int16_t lanes __attribute__((vector_size(ALGONETS_BYTES), may_alias));
  lanes bit;
  for (int k = 0; k < N; ++k) bit[k] = std::int16_t(1 << k);
  for (int from = 0; from < planes; from += most) {
    alignas(64) std::int16_t counts[kPieceBits] = {};
    for (int p = from; p < std::min(planes, from + most); ++p) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(&plane(p));
      for (int q = 0; q < kPieceBits / N; ++q) {
        std::uint16_t chunk = bytes[q * N / 8];
        if (N == 16) chunk = std::uint16_t(chunk | bytes[q * N / 8 + 1] << 8);
        const lanes yes = (((lanes{} + std::int16_t(chunk)) & bit) != 0);
        *reinterpret_cast<lanes*>(counts + N * q) += yes & std::int16_t(1 << (p - from));
      }
    }
#pragma omp simd
    for (int i = 0; i < kPieceBits; ++i) totals[i] += std::int32_t(counts[i]) << from;
  }
#endif
}

}  // namespace
