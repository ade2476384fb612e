// SoftSort with p = 1 in linear time: sums under W_ij = exp(-|s_i - s_j|) of sorted points s.
//
// In sorted order W_ij is a product of the decays e_k = exp(-gap_k) between i and j, so for any f
//     lower_i = f_i + e_i lower_{i-1},   upper_i = f_i + e_{i+1} upper_{i+1},   (W f)_i = lower_i + upper_i - f_i.
// Y = (W v) / (W 1). For its gradient let h = g / (W 1). Then g_v = W h, and e_k stands in every W_ij with i >= k > j,
// whose share of dL is h_i (v_j - Y_i) + h_j (v_i - Y_j); the sums over i and j part:
//     dL/dgap_k = -e_k [upper(h)_k lower(v)_{k-1} - upper(hY)_k lower(1)_{k-1}
//                       + lower(h)_{k-1} upper(v)_k - lower(hY)_{k-1} upper(1)_k].
// Everything is summed in double: the brackets are small differences of large sums.

#include "softsort.h"

#include "simd.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

// e[i] = exp(-gap[i - 1]) for i = 1 .. n - 1, e[0] = 0; e has room for a vector beyond.
template <class In> void decays(const In* gap, std::int64_t n, double* e) {
  for (std::int64_t i = 1; i < n; ++i) e[i] = -double(gap[i - 1]);
  for (std::int64_t i = 1; i < n; i += Simd<double>::N) store<double>(e + i, vexp(load<double>(e + i)));
  e[0] = 0;
}

// Lower sums of 1 and of v, each with its own place.
template <class In, int D> void lower_sums(const double* e, const In* v, std::int64_t n, std::int64_t d, double* one, double* sums) {
  const std::int64_t width = D ? D : d;
  double count = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    one[i] = count = 1.0 + e[i] * count;
    const double* before = sums + (i ? i - 1 : 0) * width;
    for (std::int64_t c = 0; c < width; ++c) {
      const double carried = i ? e[i] * before[c] : 0.0;
      sums[i * width + c] = double(v[i * width + c]) + carried;
    }
  }
}

template <class In, int D> void smooth_rows(const Smoothing<In>& a, SmoothingRange r) {
  const std::int64_t n = r.n, d = D ? D : r.d;
  Scratch<double> e(n + 2 * Simd<double>::N), one(n), sums(n * d), above(d);
  for (std::int64_t row = r.begin; row < r.end; ++row) {
    const In* v = a.v + row * n * d;
    In* y = a.y + row * n * d;
    decays(a.gap + row * (n - 1), n, e.data);
    lower_sums<In, D>(e.data, v, n, d, one.data, sums.data);
    double count = 0;  // upper sums of what comes after i, seen from i
    for (std::int64_t c = 0; c < d; ++c) above[c] = 0;
    for (std::int64_t i = n - 1; i >= 0; --i) {
      const double weight = 1.0 / (one[i] + count);
      count = e[i] * (1.0 + count);
      for (std::int64_t c = 0; c < d; ++c) {
        y[i * d + c] = In((sums[i * d + c] + above[c]) * weight);
        above[c] = e[i] * (double(v[i * d + c]) + above[c]);
      }
    }
  }
}

template <class In, int D> void gradient_rows(const SmoothingGradient<In>& a, SmoothingRange r) {
  const std::int64_t n = r.n, d = D ? D : r.d;
  Scratch<double> e(n + 2 * Simd<double>::N), one(n), sums(n * d);              // lower sums of 1, v
  Scratch<double> one_up(n), sums_up(n * d), h_up(n * d), hy_up(n);             // upper sums of 1, v, h, hY
  Scratch<double> h(n * d), hy(n), zero(d), h_low(d);
  for (std::int64_t c = 0; c < d; ++c) zero[c] = 0;
  for (std::int64_t row = r.begin; row < r.end; ++row) {
    const In *v = a.v + row * n * d, *g = a.g + row * n * d;
    In *g_gap = a.g_gap ? a.g_gap + row * (n - 1) : nullptr, *g_v = a.g_v + row * n * d;
    decays(a.gap + row * (n - 1), n, e.data);
    lower_sums<In, D>(e.data, v, n, d, one.data, sums.data);
    for (std::int64_t i = n - 1; i >= 0; --i) {
      const bool last = i == n - 1;
      const double decay = last ? 0.0 : e[i + 1];
      const double* v_after = last ? zero.data : sums_up + (i + 1) * d;
      const double* h_after = last ? zero.data : h_up + (i + 1) * d;
      const double count = last ? 0.0 : decay * one_up[i + 1];
      one_up[i] = 1.0 + count;
      const double weight = 1.0 / (one[i] + count);
      double dot = 0;
      for (std::int64_t c = 0; c < d; ++c) {
        const double carried = decay * v_after[c], hc = double(g[i * d + c]) * weight;
        dot += hc * (sums[i * d + c] + carried) * weight;
        sums_up[i * d + c] = double(v[i * d + c]) + carried;
        h[i * d + c] = hc;
        h_up[i * d + c] = hc + decay * h_after[c];
      }
      hy[i] = dot;
      hy_up[i] = dot + (last ? 0.0 : decay * hy_up[i + 1]);
    }
    double hy_low = 0;  // lower sums of h and hY up to i - 1
    for (std::int64_t c = 0; c < d; ++c) h_low[c] = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      if (i && g_gap) {
        double bracket = -hy_up[i] * one[i - 1] - hy_low * one_up[i];
        for (std::int64_t c = 0; c < d; ++c) bracket += h_up[i * d + c] * sums[(i - 1) * d + c] + h_low[c] * sums_up[i * d + c];
        g_gap[i - 1] = In(-e[i] * bracket);
      }
      for (std::int64_t c = 0; c < d; ++c) {
        const double carried = e[i] * h_low[c];
        g_v[i * d + c] = In(h_up[i * d + c] + carried);
        h_low[c] = h[i * d + c] + carried;
      }
      hy_low = hy[i] + e[i] * hy_low;
    }
  }
}

template <class In> void smooth(const Smoothing<In>& a, SmoothingRange r) {
  r.d == 1 ? smooth_rows<In, 1>(a, r) : smooth_rows<In, 0>(a, r);
}
template <class In> void gradient(const SmoothingGradient<In>& a, SmoothingRange r) {
  r.d == 1 ? gradient_rows<In, 1>(a, r) : gradient_rows<In, 0>(a, r);
}

template <class In> constexpr SoftSortKernels<In> table() { return {smooth<In>, gradient<In>}; }

}  // namespace

extern const SoftSortKernels<float> softsort_float;
extern const SoftSortKernels<double> softsort_double;
const SoftSortKernels<float> softsort_float = table<float>();
const SoftSortKernels<double> softsort_double = table<double>();

}  // namespace ALGONETS_ISA
}  // namespace algonets
