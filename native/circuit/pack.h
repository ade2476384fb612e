// Samples to slots: 512 samples by 64 features at a time are compared, and their bits transposed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "../circuit.h"
#include "../simd.h"
#include "count.h"

namespace {

using u64 = std::uint64_t;

// Words of 64 features, of eight times 64 samples: sample s of word w is in row s, place w.
struct Tile {
  alignas(64) u64 rows[64][8];
};

// Exchange a bit of the number of a row with the same bit of the place in a word, for rows k and k + J of eight.
template <int J> ALGONETS_INLINE void exchange(bitsv* rows, int shift, u64 low) {
  for (int k = 0; k < 8; ++k)
    if (!(k & J)) {
      const bitsv t = ((rows[k] >> shift) ^ rows[k + J]) & low;
      rows[k] ^= t << shift;
      rows[k + J] ^= t;
    }
}

// Then feature f is in row f, and bit s of its word w is sample s of it. Two rounds, each of eight rows in registers.
inline void transpose(Tile& tile) {
  const auto at = [&](int row, std::size_t part) { return reinterpret_cast<bitsv*>(reinterpret_cast<char*>(tile.rows[row]) + part); };
  bitsv r[8];
  for (std::size_t part = 0; part < 64; part += ALGONETS_BYTES) {
    for (int k = 0; k < 8; ++k) {
      for (int i = 0; i < 8; ++i) r[i] = *at(8 * i + k, part);
      exchange<4>(r, 32, 0x00000000FFFFFFFFull);
      exchange<2>(r, 16, 0x0000FFFF0000FFFFull);
      exchange<1>(r, 8, 0x00FF00FF00FF00FFull);
      for (int i = 0; i < 8; ++i) *at(8 * i + k, part) = r[i];
    }
    for (int k = 0; k < 64; k += 8) {
      for (int i = 0; i < 8; ++i) r[i] = *at(k + i, part);
      exchange<4>(r, 4, 0x0F0F0F0F0F0F0F0Full);
      exchange<2>(r, 2, 0x3333333333333333ull);
      exchange<1>(r, 1, 0x5555555555555555ull);
      for (int i = 0; i < 8; ++i) *at(k + i, part) = r[i];
    }
  }
}

// Bytes of 0 and 1 to bits, eight at a time by a product.
inline u64 bits_of(const std::uint8_t* yes) {
  u64 bits = 0;
  for (int i = 0; i < 64; i += 8) {
    u64 eight;
    std::memcpy(&eight, yes + i, 8);
    bits |= (eight * 0x0102040810204080ull >> 56) << i;
  }
  return bits;
}

// Comparisons of 64 numbers, or of the first n, with one of up to four rows of thresholds: bit i says whether x[i] is
// large enough.
class AtLeast {
 public:
  using Number = std::uint8_t;

#if defined(__AVX512F__)
  AtLeast(const Number* least, std::int64_t step, std::int64_t n, int rows) : lanes_(n >= 64 ? ~0ull : (1ull << n) - 1) {
    for (int k = 0; k < rows; ++k) least_[k] = _mm512_maskz_loadu_epi8(lanes_, least + k * step);
  }
  ALGONETS_INLINE u64 all(const Number* x, int k) const { return _mm512_cmpge_epu8_mask(_mm512_loadu_si512(x), least_[k]); }
  ALGONETS_INLINE u64 some(const Number* x, int k) const { return _mm512_mask_cmpge_epu8_mask(lanes_, _mm512_maskz_loadu_epi8(lanes_, x), least_[k]); }

 private:
  __mmask64 lanes_;
  __m512i least_[4];
#else
  AtLeast(const Number* least, std::int64_t step, std::int64_t n, int) : least_(least), step_(step), n_(n) {}
#if defined(__AVX2__)
  static ALGONETS_INLINE u64 half(const Number* x, const Number* least) {
    const __m256i v = _mm256_loadu_si256((const __m256i*)x), t = _mm256_loadu_si256((const __m256i*)least);
    return std::uint32_t(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(v, t), v)));
  }
  ALGONETS_INLINE u64 all(const Number* x, int k) const { return half(x, least_ + k * step_) | half(x + 32, least_ + k * step_ + 32) << 32; }
#else
  ALGONETS_INLINE u64 all(const Number* x, int k) const { return first(x, least_ + k * step_, 64); }
#endif
  ALGONETS_INLINE u64 some(const Number* x, int k) const { return first(x, least_ + k * step_, n_); }

 private:
  const Number* least_;
  std::int64_t step_, n_;
  static ALGONETS_INLINE u64 first(const Number* x, const Number* least, std::int64_t n) {
    alignas(64) std::uint8_t yes[64] = {};
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) yes[i] = x[i] >= least[i];
    return bits_of(yes);
  }
#endif
};

class Above {
 public:
  using Number = float;
  Above(const Number* threshold, std::int64_t step, std::int64_t n, int) : threshold_(threshold), step_(step), n_(n) {}
  ALGONETS_INLINE u64 all(const Number* x, int k) const { return first(x, threshold_ + k * step_, 64); }
  ALGONETS_INLINE u64 some(const Number* x, int k) const { return first(x, threshold_ + k * step_, n_); }

 private:
  const Number* threshold_;
  std::int64_t step_, n_;
  static ALGONETS_INLINE u64 first(const Number* x, const Number* threshold, std::int64_t n) {
#if defined(__AVX512F__)
    u64 bits = 0;
    for (std::int64_t i = 0; i < n; i += 16) {
      const __mmask16 lanes = n - i >= 16 ? 0xFFFF : (1u << (n - i)) - 1;
      const __m512 v = _mm512_maskz_loadu_ps(lanes, x + i), t = _mm512_maskz_loadu_ps(lanes, threshold + i);
      bits |= u64(_mm512_mask_cmp_ps_mask(lanes, v, t, _CMP_GT_OQ)) << i;
    }
    return bits;
#else
    alignas(64) std::uint8_t yes[64] = {};
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) yes[i] = x[i] > threshold[i];
    return bits_of(yes);
#endif
  }
};

// Lines of memory that the next samples need, to be asked for while gates run.
struct Ahead {
  const char* at = nullptr;
  std::int64_t step = 64, lines = 0;

  // A part of them.
  ALGONETS_INLINE void ask(std::int64_t n) {
    n = std::min(n, lines);
    for (std::int64_t i = 0; i < n; ++i, at += step) __builtin_prefetch(at, 0, 2);
    lines -= n;
  }
};

// Fill the slots of the inputs with samples [start, start + 512); slots have `stride` words.
class Packer {
 public:
  explicit Packer(const algonets::CircuitSource& source)
      : source_(source), tiles_(source.bits == 1 ? 4 : 1), buffer_(source.kind == source.kWords ? 0 : source.bits * tiles_) {}

  void operator()(std::int64_t start, u64* slots, std::int64_t stride) {
    if (source_.kind == source_.kWords) return copy(start, slots, stride);
    for (std::int64_t f0 = 0; f0 < source_.features; f0 += 64 * tiles_) {
      const std::int64_t tiles = std::min(tiles_, (source_.features - f0 + 63) / 64);
      if (start + 512 > source_.samples) std::memset(buffer_.data, 0, sizeof(Tile) * source_.bits * tiles_);
      if (source_.kind == source_.kBytes) compare<AtLeast>(source_.at_least, start, f0, tiles);
      else compare<Above>(source_.above, start, f0, tiles);
      for (std::int64_t t = 0; t < source_.bits; ++t)
        for (std::int64_t q = 0; q < tiles; ++q) {
          Tile& tile = buffer_[t * tiles_ + q];
          transpose(tile);
          write(tile, t, f0 + 64 * q, slots, stride);
        }
    }
  }

  // What samples [start, start + 512 n) need, as far as it fits the second-level cache beside a circuit.
  Ahead ahead(std::int64_t start, std::int64_t n) const {
    const std::int64_t samples = std::min(512 * n, source_.samples - start);
    if (samples <= 0) return {};
    if (source_.kind == source_.kWords)  // whose lines overlap those of the samples before
      return {static_cast<const char*>(source_.x) + start / 8 + 63, source_.width * 8, source_.features * source_.bits};
    const std::int64_t size = source_.features * (source_.kind == source_.kBytes ? 1 : 4);
    return {static_cast<const char*>(source_.x) + start * size, 64, std::min(samples * size, kAheadBytes) / 64};
  }

 private:
  static constexpr std::int64_t kAheadBytes = 512 * 1024;
  const algonets::CircuitSource& source_;
  std::int64_t tiles_;
  Scratch<Tile> buffer_;

  void copy(std::int64_t start, u64* slots, std::int64_t stride) const {
    const u64* x = static_cast<const u64*>(source_.x) + start / 64;
    const std::int64_t inputs = source_.bits * source_.features, have = std::clamp<std::int64_t>(source_.width - start / 64, 0, 8);
    if (have == 8)
      for (std::int64_t i = 0; i < inputs; ++i) std::memcpy(slots + i * stride, x + i * source_.width, 64);
    else
      for (std::int64_t i = 0; i < inputs; ++i) {
        std::memset(slots + i * stride, 0, 64);
        std::memcpy(slots + i * stride, x + i * source_.width, sizeof(u64) * have);
      }
  }

  template <class Compare> void compare(const typename Compare::Number* thresholds, std::int64_t start, std::int64_t f0, std::int64_t tiles) {
    const std::int64_t left = source_.features - f0;
    const auto* least = thresholds + f0;
    if (tiles == 4 && left >= 256) return compare_some<Compare, 4, true>(least, 64, start, f0, 64, buffer_.data);
    for (std::int64_t q = 0; q < tiles; ++q, least += 64, f0 += 64)
      for (std::int64_t t = 0; t < source_.bits;) {
        const auto* here = least + t * source_.features;
        Tile* const to = buffer_ + t * tiles_ + q;
        const std::int64_t n = std::min<std::int64_t>(64, source_.features - f0), more = source_.bits - t;
        if (more >= 3) compare_some<Compare, 3, false>(here, source_.features, start, f0, n, to), t += 3;
        else if (more == 2) compare_some<Compare, 2, false>(here, source_.features, start, f0, n, to), t += 2;
        else compare_some<Compare, 1, false>(here, source_.features, start, f0, n, to), t += 1;
      }
  }

  // N tiles of features, or N thresholds of one. Samples at the same place of a word follow each other: what is written
  // lies together, and no load is at an address that looks like one of a store on its way.
  template <class Compare, int N, bool wide>
  void compare_some(const typename Compare::Number* least, std::int64_t step, std::int64_t start, std::int64_t f, std::int64_t n, Tile* to) const {
    const std::int64_t features = source_.features, samples = source_.samples - start;
    const auto* x = static_cast<const typename Compare::Number*>(source_.x) + start * features + f;
    const Compare enough(least, step, n, N);
    for (std::int64_t s = 0; s < 64; ++s)
      for (std::int64_t w = 0; w < 8 && 64 * w + s < samples; ++w) {
        const auto* row = x + (64 * w + s) * features;
        u64 found[N];
        for (int k = 0; k < N; ++k) found[k] = n == 64 ? enough.all(row + (wide ? 64 * k : 0), k) : enough.some(row, k);
        for (int k = 0; k < N; ++k) to[k].rows[s][w] = found[k];
      }
  }

  void write(const Tile& tile, std::int64_t t, std::int64_t f, u64* slots, std::int64_t stride) const {
    const std::int64_t n = std::min<std::int64_t>(64, source_.features - f);
    const u64 live = source_.kind == source_.kBytes ? source_.live[t * ((source_.features + 63) / 64) + f / 64] : ~u64(0);
    u64* to = slots + (t * source_.features + f) * stride;
    for (std::int64_t i = 0; i < n; ++i) {
      if (live >> i & 1) std::memcpy(to + i * stride, tile.rows[i], 64);
      else std::memset(to + i * stride, 0, 64);
    }
  }
};

}  // namespace
