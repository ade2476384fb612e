// Inside and outside weights of trees over spans (see cky.h). Spans in double with the examples in the lanes of vectors;
// the labels of spans in the dtype of the scores, as they come.

#include "cky.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "simd.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

using std::int64_t;

constexpr int N = Simd<double>::N;
constexpr double kNone = -std::numeric_limits<double>::infinity();
constexpr double kSafe = 600;  // log of what a tree may weigh, either way: a double holds 708

template <class In> constexpr double kSpread = sizeof(In) == 4 ? 80 : 600;  // of scores whose exponentials are all normal

// The largest of some scores, and the smallest but for -inf.
template <class In> class Range {
  static constexpr int W = Simd<In>::N;
  Vec<In> high_ = splat<In>(minus_inf<In>()), low_ = splat<In>(-minus_inf<In>());

  void add(Vec<In> v) {
    high_ = vmax(high_, v);
    low_ = vmin(low_, v == minus_inf<In>() ? splat<In>(-minus_inf<In>()) : v);
  }

 public:
  void add(const In* p, int64_t count) {
    int64_t k = 0;
    for (; k + W <= count; k += W) add(load<In>(p + k));
    if (k == count) return;
    alignas(64) In rest[W];
    std::fill(rest, rest + W, minus_inf<In>());
    std::copy(p + k, p + count, rest);
    add(load<In>(rest));
  }
  bool empty() const { return !(hmax(high_) > minus_inf<In>()); }
  double spread() const { return empty() ? 0 : double(hmax(high_)) + double(hmax(-low_)); }
  In top() const { return empty() ? In(0) : hmax(high_); }
};

template <class In> void exponentials(const In* from, In* to, int64_t count, In less) {
  constexpr int W = Simd<In>::N;
  int64_t k = 0;
  for (; k + W <= count; k += W) store<In>(to + k, vexp(load<In>(from + k) - less));
  if (k == count) return;
  alignas(64) In rest[W] = {};
  std::copy(from + k, from + count, rest);
  store<In>(rest, vexp(load<In>(rest) - less));
  std::copy(rest, rest + (count - k), to + k);
}

ALGONETS_INLINE f64v at(const double* p, int64_t place) { return load<double>(p + place * N); }
ALGONETS_INLINE void put(double* p, int64_t place, f64v v) { store<double>(p + place * N, v); }
ALGONETS_INLINE void add(double* p, int64_t place, f64v v) { put(p, place, at(p, place) + v); }

// ---- labelled spans ----------------------------------------------------------------------------------------------

// Sums over the labels of neighbouring spans, several at a time: one after the other each addition would wait.
template <class In> void label_sums(const In* each, int64_t labels, int64_t spans, In* sums) {
  constexpr int K = 8;
  int64_t j = 0;
  for (; j + K <= spans; j += K) {
    const In* e = each + j * labels;
    In sum[K] = {};
    for (int64_t l = 0; l < labels; ++l)
      for (int k = 0; k < K; ++k) sum[k] += e[k * labels + l];
    std::copy(sum, sum + K, sums + j);
  }
  for (; j < spans; ++j) {
    In sum = 0;
    for (int64_t l = 0; l < labels; ++l) sum += each[j * labels + l];
    sums[j] = sum;
  }
}

// Weights of one example's spans, less a logarithmic scale, into lane `lane`; false where the scores spread too far.
// The exponentials of the labels stay in `each`, (n, n, L).
template <class In>
bool weigh(const Cky<In>& c, const In* scores, int64_t length, In* each, In* sums, double* weight, int lane, double* scale) {
  const int64_t n = c.n, labels = c.labels;
  Range<In> range;
  for (int64_t i = 0; i < length; ++i) range.add(scores + (i * n + i) * labels, (length - i) * labels);
  if (!(range.spread() <= kSpread<In>)) return false;
  *scale = double(range.top());
  for (int64_t i = 0; i < length; ++i) {
    const int64_t row = i * n + i, spans = length - i;
    exponentials(scores + row * labels, each + row * labels, spans * labels, range.top());
    label_sums(each + row * labels, labels, spans, sums);
    for (int64_t j = 0; j < spans; ++j) weight[(row + j) * N + lane] = double(sums[j]);
  }
  return true;
}

// Divides all weights by the largest of their example and adds it to the scale; false where a tree might leave the range.
bool normalise(int64_t n, const int64_t* last, int64_t used, double* weight, double* scale, double* tops) {
  f64v top = {}, bottom = splat<double>(-kNone);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i; j < n; ++j) {
      const f64v w = at(weight, i * n + j);
      top = vmax(top, w);
      bottom = vmin(bottom, w > 0.0 ? w : splat<double>(-kNone));
    }
  const f64v safe = top > 0.0 ? top : splat<double>(1), inverse = 1.0 / safe;
  store<double>(tops, safe);
  for (int l = 0; l < used; ++l) {
    const double size = double(2 * last[l] + 1);
    if (top[l] > 0 && size * std::log(top[l] / bottom[l]) > kSafe) return false;
    if (double(last[l] + 1) * std::log(4.0) > kSafe) return false;
    scale[l] = size * (scale[l] + std::log(safe[l]));
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i; j < n; ++j) put(weight, i * n + j, at(weight, i * n + j) * inverse);
  return true;
}

void inside_spans(int64_t n, const double* weight, double* inside) {
  for (int64_t i = 0; i < n; ++i) put(inside, i * n + i, at(weight, i * n + i));
  for (int64_t width = 1; width < n; ++width)
    for (int64_t i = 0; i + width < n; ++i) {
      const int64_t j = i + width;
      f64v even = {}, odd = {};
      int64_t k = i;
      for (; k + 1 < j; k += 2) {
        even += at(inside, i * n + k) * at(inside, (k + 1) * n + j);
        odd += at(inside, i * n + k + 1) * at(inside, (k + 2) * n + j);
      }
      if (k < j) even += at(inside, i * n + k) * at(inside, (k + 1) * n + j);
      put(inside, i * n + j, (even + odd) * at(weight, i * n + j));
    }
}

void outside_spans(int64_t n, const double* weight, const double* inside, double* outside) {
  for (int64_t width = n - 1; width > 0; --width)
    for (int64_t i = 0; i + width < n; ++i) {
      const int64_t j = i + width;
      const f64v g = at(outside, i * n + j) * at(weight, i * n + j);
      for (int64_t k = i; k < j; ++k) {
        add(outside, i * n + k, g * at(inside, (k + 1) * n + j));
        add(outside, (k + 1) * n + j, g * at(inside, i * n + k));
      }
    }
}

// What a label's exponential must be multiplied by to be its probability: in place of the weights.
void shares(int64_t n, const double* inside, const double* outside, const double* top, double* weight) {
  const f64v inverse = 1.0 / load<double>(top);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = i; j < n; ++j) {
      const int64_t span = i * n + j;
      const f64v w = at(weight, span);
      const f64v share = at(inside, span) * at(outside, span) * inverse / (w > 0.0 ? w : splat<double>(1));
      put(weight, span, w > 0.0 ? share : f64v{});
    }
}

template <class In> void label_marginals(const Cky<In>& c, int64_t length, const double* share, int lane, In* marginals) {
  const int64_t n = c.n, labels = c.labels;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t begin = i < length ? i : n;
    std::fill(marginals + i * n * labels, marginals + (i * n + begin) * labels, In(0));
    for (int64_t j = begin; j < length; ++j) {
      const In p = In(share[(i * n + j) * N + lane]);
      In* out = marginals + (i * n + j) * labels;
      for (int64_t l = 0; l < labels; ++l) out[l] *= p;
    }
    if (begin < n) std::fill(marginals + (i * n + length) * labels, marginals + (i + 1) * n * labels, In(0));
  }
}

template <class In> bool cky(const Cky<In>& c, int64_t begin, int64_t end) {
  const int64_t n = c.n, square = n * n, size = square * c.labels, used = end - begin;
  Scratch<double> weight(square * N), inside(square * N), outside(c.marginals ? square * N : 0);
  Scratch<In> sums(n), each(c.marginals ? 0 : size);
  std::memset(weight.data, 0, sizeof(double) * square * N);
  double scale[N] = {};
  for (int l = 0; l < used; ++l) {
    In* kept = c.marginals ? c.marginals + (begin + l) * size : each.data;
    if (!weigh(c, c.scores + (begin + l) * size, c.last[begin + l] + 1, kept, sums.data, weight.data, l, scale + l))
      return false;
  }
  alignas(64) double tops[N];
  if (!normalise(n, c.last + begin, used, weight.data, scale, tops)) return false;
  inside_spans(n, weight.data, inside.data);
  if (c.marginals) std::memset(outside.data, 0, sizeof(double) * square * N);
  for (int l = 0; l < used; ++l) {
    const int64_t place = c.last[begin + l] * N + l;
    const double z = inside[place];
    c.value[begin + l] = z > 0 ? In(std::log(z) + scale[l]) : minus_inf<In>();
    if (c.marginals) outside[place] = z > 0 ? 1 / z : 0;
  }
  if (!c.marginals) return true;
  outside_spans(n, weight.data, inside.data, outside.data);
  shares(n, inside.data, outside.data, tops, weight.data);
  for (int l = 0; l < used; ++l)
    label_marginals(c, c.last[begin + l] + 1, weight.data, l, c.marginals + (begin + l) * size);
  return true;
}

// ---- a grammar ---------------------------------------------------------------------------------------------------

// A cell of the chart: symbols of one kind, words or phrases, numbered from `low` among all symbols.
struct Cell {
  double *inside, *outside;
  int64_t low, size;
};

struct Chart {
  int64_t n, words, count;
  double *terms, *phrases, *terms_out, *phrases_out;  // (n, words), (n, n, count), each with lanes
  int64_t symbols() const { return words + count; }
  Cell cell(int64_t i, int64_t j) const {
    if (i == j) return {terms + i * words * N, terms_out + i * words * N, count, words};
    const int64_t place = (i * n + j) * count * N;
    return {phrases + place, phrases_out + place, 0, count};
  }
};

// Weights of all pairs of children of a span, summed over the split.
void pairs_of(const Chart& chart, int64_t i, int64_t j, double* pairs) {
  const int64_t s = chart.symbols();
  std::memset(pairs, 0, sizeof(double) * s * s * N);
  for (int64_t k = i; k < j; ++k) {
    const Cell left = chart.cell(i, k), right = chart.cell(k + 1, j);
    for (int64_t b = 0; b < left.size; ++b) {
      const f64v x = at(left.inside, b);
      double* row = pairs + ((left.low + b) * s + right.low) * N;
      for (int64_t d = 0; d < right.size; ++d) add(row, d, x * at(right.inside, d));
    }
  }
}

void inside_phrases(const Chart& chart, const double* rules, double* pairs) {
  const int64_t n = chart.n, square = chart.symbols() * chart.symbols();
  for (int64_t width = 1; width < n; ++width)
    for (int64_t i = 0; i + width < n; ++i) {
      pairs_of(chart, i, i + width, pairs);
      const Cell cell = chart.cell(i, i + width);
      for (int64_t a = 0; a < cell.size; ++a) {
        const double* rule = rules + a * square * N;
        f64v even = {}, odd = {};
        int64_t p = 0;
        for (; p + 1 < square; p += 2) {
          even += at(rule, p) * at(pairs, p);
          odd += at(rule, p + 1) * at(pairs, p + 1);
        }
        if (p < square) even += at(rule, p) * at(pairs, p);
        put(cell.inside, a, even + odd);
      }
    }
}

// `wanted` holds what a pair of children is worth to their parents.
void outside_phrases(const Chart& chart, const double* rules, double* rules_out, double* pairs, double* wanted) {
  const int64_t n = chart.n, s = chart.symbols(), square = s * s;
  for (int64_t width = n - 1; width > 0; --width)
    for (int64_t i = 0; i + width < n; ++i) {
      const int64_t j = i + width;
      const Cell cell = chart.cell(i, j);
      pairs_of(chart, i, j, pairs);
      std::memset(wanted, 0, sizeof(double) * square * N);
      for (int64_t a = 0; a < cell.size; ++a) {
        const f64v g = at(cell.outside, a);
        const double* rule = rules + a * square * N;
        double* out = rules_out + a * square * N;
        for (int64_t p = 0; p < square; ++p) {
          add(wanted, p, g * at(rule, p));
          add(out, p, g * at(pairs, p));
        }
      }
      for (int64_t k = i; k < j; ++k) {
        const Cell left = chart.cell(i, k), right = chart.cell(k + 1, j);
        for (int64_t b = 0; b < left.size; ++b) {
          const double* row = wanted + ((left.low + b) * s + right.low) * N;
          const f64v x = at(left.inside, b);
          f64v sum = {};
          for (int64_t d = 0; d < right.size; ++d) {
            const f64v w = at(row, d);
            sum += w * at(right.inside, d);
            add(right.outside, d, w * x);
          }
          add(left.outside, b, sum);
        }
      }
    }
}

// Exponentials of one example's scores into lane `lane`; false where a derivation might leave the range of a double.
template <class In> bool weigh(const Pcfg<In>& c, const In* scores, int64_t length, double* terms, double* rules, double* roots, int lane, double* scale) {
  const int64_t symbols = c.words + c.count, square = c.count * symbols * symbols;
  double spread = 0, total = 0;
  const auto part = [&](const In* from, int64_t count, double times, double* to) {
    Range<In> range;
    range.add(from, count);
    spread += times * range.spread();
    total += times * double(range.top());
    for (int64_t k = 0; k < count; ++k) to[k * N + lane] = double(from[k]) - double(range.top());
  };
  for (int64_t i = 0; i < length; ++i) part(scores + i * c.words, c.words, 1, terms + i * c.words * N);
  const In* rest = scores + c.n * c.words;
  part(rest, square, double(length - 1), rules);
  part(rest + square, c.count, 1, roots);
  *scale = total;
  const double many = double(length) * (std::log(4.0) + std::log(double(c.words)) + std::log(double(c.count)));
  return spread < kSafe && many < kSafe;
}

void exponentials(double* p, int64_t count) {
  for (int64_t k = 0; k < count; ++k) put(p, k, vexp(at(p, k)));
}

template <class In> bool pcfg(const Pcfg<In>& c, int64_t begin, int64_t end) {
  const int64_t n = c.n, symbols = c.words + c.count, square = symbols * symbols, used = end - begin;
  const int64_t term_size = n * c.words, rule_size = c.count * square, size = term_size + rule_size + c.count;
  const bool wanted = c.marginals != nullptr;
  Scratch<double> weights(size * N), out(wanted ? size * N : 0), phrases(n * n * c.count * N);
  Scratch<double> phrases_out(wanted ? n * n * c.count * N : 0), pairs(square * N), worth(wanted ? square * N : 0);
  double *terms = weights.data, *rules = weights + term_size * N, *roots = weights + (term_size + rule_size) * N;
  for (int64_t k = 0; k < size * N; ++k) weights[k] = kNone;
  double scale[N] = {};
  for (int l = 0; l < used; ++l)
    if (!weigh(c, c.scores + (begin + l) * size, c.last[begin + l] + 1, terms, rules, roots, l, scale + l)) return false;
  exponentials(weights.data, size);
  std::memset(phrases.data, 0, sizeof(double) * n * n * c.count * N);
  if (wanted) {
    std::memset(out.data, 0, sizeof(double) * size * N);
    std::memset(phrases_out.data, 0, sizeof(double) * n * n * c.count * N);
  }
  const Chart chart{n, c.words, c.count, terms, phrases.data, out.data, phrases_out.data};
  inside_phrases(chart, rules, pairs.data);
  double* roots_out = out.data + (wanted ? (term_size + rule_size) * N : 0);
  for (int l = 0; l < used; ++l) {
    const int64_t place = c.last[begin + l] * c.count;  // of the whole: span 0 .. last, and of one word nothing
    double z = 0;
    for (int64_t a = 0; a < c.count; ++a) z += roots[a * N + l] * phrases[(place + a) * N + l];
    c.value[begin + l] = z > 0 ? In(std::log(z) + scale[l]) : minus_inf<In>();
    if (!wanted || !(z > 0)) continue;
    for (int64_t a = 0; a < c.count; ++a) {
      roots_out[a * N + l] = phrases[(place + a) * N + l] / z;
      phrases_out[(place + a) * N + l] = roots[a * N + l] / z;
    }
  }
  if (!wanted) return true;
  outside_phrases(chart, rules, out + term_size * N, pairs.data, worth.data);
  for (int64_t k = 0; k < size; ++k) put(out.data, k, at(out.data, k) * at(weights.data, k));
  for (int l = 0; l < used; ++l) {
    In* row = c.marginals + (begin + l) * size;
    for (int64_t k = 0; k < size; ++k) row[k] = In(out[k * N + l]);
  }
  return true;
}

}  // namespace

extern const CkyKernels<float> cky_float;
extern const CkyKernels<double> cky_double;
const CkyKernels<float> cky_float = {N, cky<float>, pcfg<float>};
const CkyKernels<double> cky_double = {N, cky<double>, pcfg<double>};

}  // namespace ALGONETS_ISA
}  // namespace algonets
