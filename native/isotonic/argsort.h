// Stable descending argsort of a row: by counting smaller keys while that is cheap, else least-significant-digit radix.
#pragma once

#include <algorithm>
#include <cstring>

#include "../simd.h"

namespace {

template <class In> struct SortKey;
template <> struct SortKey<float> {
  using Signed = std::int32_t;
  using Unsigned = std::uint32_t;
  using V = i32v;
};
template <> struct SortKey<double> {
  using Signed = std::int64_t;
  using Unsigned = std::uint64_t;
  using V = i64v;
};

// An integer that grows as x falls; -0 equals 0.
template <class In> ALGONETS_INLINE typename SortKey<In>::Signed descending_key(In x) {
  using S = typename SortKey<In>::Signed;
  constexpr S sign = std::numeric_limits<S>::min();
  S bits;
  std::memcpy(&bits, &x, sizeof(bits));
  bits = bits == sign ? 0 : bits;
  return ~(bits ^ ((bits >> (8 * sizeof(S) - 1)) & ~sign));
}

template <class In> class Argsort {
  using Signed = typename SortKey<In>::Signed;
  using Unsigned = typename SortKey<In>::Unsigned;
  using V = typename SortKey<In>::V;
  struct Item {
    Unsigned key;
    std::int32_t index;
  };
  static constexpr int kLanes = ALGONETS_BYTES / sizeof(In);
  static constexpr std::int64_t kCounted = 8 * kLanes;  // rows up to this length are counted

 public:
  explicit Argsort(std::int64_t n)
      : n_(n), keys_(n <= kCounted ? padded<In>(n) : 0), below_(n <= kCounted ? padded<In>(n) : 0),
        items_(n <= kCounted ? 0 : n), other_(n <= kCounted ? 0 : n) {}

  // order[0] is the index of the largest of sign * x.
  void operator()(const In* x, In sign, std::int32_t* order) {
    if (n_ <= kCounted) return count(x, sign, order);
    if (n_ < 4096) return radix<8>(x, sign, order);
    radix<11>(x, sign, order);
  }

 private:
  void count(const In* x, In sign, std::int32_t* order) {
    const std::int64_t width = padded<In>(n_);
    for (std::int64_t i = 0; i < n_; ++i) keys_[i] = descending_key<In>(sign * x[i]);
    for (std::int64_t i = n_; i < width; ++i) keys_[i] = 0;
    for (std::int64_t i = 0; i < width; i += kLanes) {
      V mine, below{};
      std::memcpy(&mine, keys_ + i, sizeof(V));
      for (std::int64_t j = 0; j < n_; ++j) below -= (V{} + keys_[j]) < mine;
      std::memcpy(below_ + i, &below, sizeof(V));
    }
    // Equal items share a count; they take places in turn, so their order is kept.
    std::fill(order, order + n_, -1);
    for (std::int64_t i = 0; i < n_; ++i) {
      std::int64_t place = below_[i];
      while (order[place] >= 0) place += 1;
      order[place] = static_cast<std::int32_t>(i);
    }
  }

  template <int Bits> void radix(const In* x, In sign, std::int32_t* order) {
    constexpr int passes = (8 * int(sizeof(In)) + Bits - 1) / Bits, size = 1 << Bits;
    constexpr Unsigned top = Unsigned(1) << (8 * sizeof(In) - 1);
    std::uint32_t counts[passes][size];
    std::memset(counts, 0, sizeof(counts));
    for (std::int64_t i = 0; i < n_; ++i) {
      const Unsigned key = Unsigned(descending_key<In>(sign * x[i])) ^ top;
      items_[i] = {key, static_cast<std::int32_t>(i)};
      for (int pass = 0; pass < passes; ++pass) counts[pass][(key >> (pass * Bits)) & (size - 1)] += 1;
    }
    Item *from = items_.data, *to = other_.data;
    for (int pass = 0; pass < passes; ++pass) {
      std::uint32_t* count = counts[pass];
      if (std::int64_t(count[(from[0].key >> (pass * Bits)) & (size - 1)]) == n_) continue;  // all share this digit
      std::uint32_t before = 0;
      for (int digit = 0; digit < size; ++digit) {
        const std::uint32_t here = count[digit];
        count[digit] = before;
        before += here;
      }
      for (std::int64_t i = 0; i < n_; ++i) to[count[(from[i].key >> (pass * Bits)) & (size - 1)]++] = from[i];
      std::swap(from, to);
    }
    for (std::int64_t i = 0; i < n_; ++i) order[i] = from[i].index;
  }

  std::int64_t n_;
  Scratch<Signed> keys_, below_;
  Scratch<Item> items_, other_;
};

}  // namespace
