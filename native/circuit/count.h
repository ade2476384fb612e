// How many of the listed slots are 1, for each sample: carry-save adders give the count as bit planes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../simd.h"

namespace {

typedef std::uint64_t bitsv __attribute__((vector_size(ALGONETS_BYTES), may_alias));
constexpr int kPlanes = 14;                       // counts below 2^14 at a time
constexpr std::int64_t kSegment = (1 << 12);      // so many slots of either sign at a time
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

// Counts of one piece of the samples, as bit planes, of slots of `stride` bytes from `base` on.
class Counter {
 public:
  Counter(const char* base, std::int64_t stride, int used) : base_(base), stride_(stride), used_(used), planes_{} {}

  // Add the slots of a list, as they are or negated.
  template <bool negated> void add(const std::uint32_t* list, std::int64_t n) {
    const auto at = [&](std::int64_t i) {
      const bitsv v = *reinterpret_cast<const bitsv*>(base_ + list[i] * stride_);
      return negated ? ~v : v;
    };
    bitsv one = planes_[0], two = planes_[1], four = planes_[2], eight = planes_[3];
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
      carry(sixteen, 4);
    }
    planes_[0] = one;
    planes_[1] = two;
    planes_[2] = four;
    planes_[3] = eight;
    for (; i < n; ++i) carry(at(i), 0);
  }

  // Add the counts to one number a sample.
  void add_to(std::int32_t* totals) const {
#if defined(__AVX512F__)
    const __m512i none = _mm512_setzero_si512();
    for (int q = 0; q < kPieceBits / 64; ++q) {  // low and high bytes of 64 counts
      const auto bytes = [&](int from, int to) {
        __m512i sum = none;
        for (int p = from; p < to; ++p) sum = _mm512_mask_add_epi8(sum, word(p, q), sum, _mm512_set1_epi8(char(1 << (p - from))));
        return sum;
      };
      alignas(64) std::uint8_t low[64], high[64];
      _mm512_store_si512(low, bytes(0, std::min(used_, 8)));
      _mm512_store_si512(high, bytes(8, used_));
      std::int32_t* to = totals + 64 * q;
#pragma omp simd
      for (int i = 0; i < 64; ++i) to[i] += low[i] + 256 * high[i];
    }
#else
    alignas(64) std::int16_t counts[kPieceBits] = {};
    for (int p = 0; p < used_; ++p) add_plane(counts, planes_[p], std::int16_t(1 << p));
#pragma omp simd
    for (int i = 0; i < kPieceBits; ++i) totals[i] += counts[i];
#endif
  }

 private:
  const char* base_;
  std::int64_t stride_;
  int used_;
  bitsv planes_[kPlanes];

  ALGONETS_INLINE void carry(bitsv v, int from) {
    for (int p = from; p < used_; ++p) {
      const bitsv next = planes_[p] & v;
      planes_[p] ^= v;
      v = next;
    }
  }

#if defined(__AVX512F__)
  ALGONETS_INLINE std::uint64_t word(int p, int q) const { return reinterpret_cast<const words*>(planes_ + p)->of[q]; }
  struct __attribute__((may_alias)) words {
    std::uint64_t of[8];
  };
#else
  // counts[i] += weight * bit i of the plane, for the samples of a piece.
  static ALGONETS_INLINE void add_plane(std::int16_t* counts, const bitsv& plane, std::int16_t weight) {
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
  }
#endif
};

}  // namespace
