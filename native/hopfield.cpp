// Asynchronous updates of binary units, and distances of bit-packed patterns.
//
// The fields h = W s - theta are kept in double, whatever the weights are, and up to date: a flip of unit k adds
// 2 s_k W_k to them, so that a sweep costs n looks and one row of the weights for each unit that flips.

#include "hopfield.h"

#include <algorithm>

#include "simd.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

constexpr std::int64_t kTogether = 4;  // states that share the loads of the weights when their fields are made

template <class In> void add_row(const In* row, double factor, double* fields, std::int64_t n) {
#pragma omp simd
  for (std::int64_t j = 0; j < n; ++j) fields[j] += factor * double(row[j]);
}

template <class In> void first_fields(const Settling<In>& c, std::int64_t first, std::int64_t count, double* fields) {
  const std::int64_t n = c.n;
  for (std::int64_t b = 0; b < count; ++b)
    for (std::int64_t j = 0; j < n; ++j) fields[b * n + j] = -c.threshold[j];
  const In* s = c.states + first * n;
  for (std::int64_t k = 0; k < n; ++k) {
    const In* row = c.weights + k * n;
    if (count < kTogether) {
      for (std::int64_t b = 0; b < count; ++b) add_row(row, double(s[b * n + k]), fields + b * n, n);
      continue;
    }
    const double s0 = double(s[k]), s1 = double(s[n + k]), s2 = double(s[2 * n + k]), s3 = double(s[3 * n + k]);
    double *f0 = fields, *f1 = f0 + n, *f2 = f1 + n, *f3 = f2 + n;
#pragma omp simd
    for (std::int64_t j = 0; j < n; ++j) {
      const double w = double(row[j]);
      f0[j] += s0 * w;
      f1[j] += s1 * w;
      f2[j] += s2 * w;
      f3[j] += s3 * w;
    }
  }
}

template <class In> bool settle_one(const Settling<In>& c, In* s, double* fields) {
  bool changed = true;
  for (std::int64_t sweep = 0; changed && sweep < c.max_sweeps; ++sweep) {
    changed = false;
    for (std::int64_t at = 0; at < c.n; ++at) {
      const std::int64_t k = c.order ? c.order[at] : at;
      if (!(fields[k] * double(s[k]) < -c.zero[k])) continue;
      s[k] = -s[k];
      add_row(c.weights + k * c.n, 2 * double(s[k]), fields, c.n);
      changed = true;
    }
  }
  return changed;
}

template <class In> bool settle(const Settling<In>& c, StateRange range) {
  Scratch<double> fields(kTogether * c.n);
  bool changed = false;
  for (std::int64_t first = range.begin; first < range.end; first += kTogether) {
    const std::int64_t count = std::min(kTogether, range.end - first);
    first_fields(c, first, count, fields.data);
    for (std::int64_t b = 0; b < count; ++b)
      changed |= settle_one(c, c.states + (first + b) * c.n, fields + b * c.n);
  }
  return changed;
}

void distance(const PackedDistance& c, StateRange range) {
  // Blocks of b that stay in the first cache while all of a pass by.
  const std::int64_t block = std::max<std::int64_t>(1, 2048 / std::max<std::int64_t>(1, c.words));
  for (std::int64_t start = 0; start < c.count; start += block) {
    const std::int64_t stop = std::min(c.count, start + block);
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      const std::int64_t* x = c.a + i * c.words;
      for (std::int64_t j = start; j < stop; ++j) {
        const std::int64_t* y = c.b + j * c.words;
        std::int64_t differ = 0;
        for (std::int64_t k = 0; k < c.words; ++k)
          differ += __builtin_popcountll(static_cast<unsigned long long>(x[k] ^ y[k]));
        c.out[i * c.count + j] = static_cast<std::int32_t>(differ);
      }
    }
  }
}

}  // namespace

extern const HopfieldKernels<float> hopfield_float;
extern const HopfieldKernels<double> hopfield_double;
extern void (*const packed_distance)(const PackedDistance&, StateRange);
const HopfieldKernels<float> hopfield_float = {settle<float>};
const HopfieldKernels<double> hopfield_double = {settle<double>};
void (*const packed_distance)(const PackedDistance&, StateRange) = distance;

}  // namespace ALGONETS_ISA
}  // namespace algonets
