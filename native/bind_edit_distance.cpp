// Hard edit distances of integer sequences: bit-parallel where the weights allow it, and their Python binding.
//
// All weights equal: G. Myers, J. ACM 46(3), 1999, in the form of H. Hyyro, 2003, 64 rows a word. A substitution as
// dear as a deletion and an insertion: the longest common subsequence by bits (H. Hyyro, 2004). Else the plain
// recursion, a row at a time.

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "bindings.h"
#include "parallel.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;
using Word = std::uint64_t;
using std::int64_t;

// Where in the pattern a symbol occurs, as bits.
class Matches {
 public:
  Matches(const int64_t* x, int64_t n) : words_((n + 63) / 64), none_(words_, 0) {
    if (n) low_ = *std::min_element(x, x + n);
    const int64_t high = n ? *std::max_element(x, x + n) : 0;
    direct_ = n && Word(high) - Word(low_) < 4096;  // unsigned: the difference of two extremes overflows
    if (direct_) index_.assign(Word(high) - Word(low_) + 1, -1);
    for (int64_t i = 0; i < n; ++i) {
      int64_t& row = direct_ ? index_[x[i] - low_] : hashed_.emplace(x[i], -1).first->second;
      if (row < 0) {
        row = int64_t(bits_.size());
        bits_.resize(bits_.size() + words_, 0);
      }
      bits_[row + i / 64] |= Word(1) << (i % 64);
    }
  }
  const Word* of(int64_t symbol) const {
    int64_t row = -1;
    if (direct_) {
      const Word place = Word(symbol) - Word(low_);
      row = place < index_.size() ? index_[place] : -1;
    } else if (const auto found = hashed_.find(symbol); found != hashed_.end()) {
      row = found->second;
    }
    return row < 0 ? none_.data() : bits_.data() + row;
  }
  int64_t words() const { return words_; }

 private:
  int64_t words_, low_ = 0;
  bool direct_ = false;
  std::vector<Word> none_, bits_;
  std::vector<int64_t> index_;
  std::unordered_map<int64_t, int64_t> hashed_;
};

int64_t levenshtein(const int64_t* x, int64_t n, const int64_t* y, int64_t m) {
  if (!n || !m) return n + m;
  const Matches matches(x, n);
  const int64_t words = matches.words();
  std::vector<Word> up(words, ~Word(0)), down(words, 0);  // vertical differences +1 and -1
  const Word last = Word(1) << ((n - 1) % 64);
  int64_t distance = n;
  for (int64_t j = 0; j < m; ++j) {
    const Word* match = matches.of(y[j]);
    Word up_in = 1, down_in = 0;  // the first row rises by 1 a column
    for (int64_t w = 0; w < words; ++w) {
      const Word p = up[w], q = down[w], e = match[w] | down_in;
      const Word d = (((e & p) + p) ^ p) | e | q;  // where the diagonal difference is 0
      Word h = q | ~(d | p), g = p & d;            // horizontal differences +1 and -1
      if (w == words - 1) distance += (h & last ? 1 : 0) - (g & last ? 1 : 0);
      const Word h_out = h >> 63, g_out = g >> 63;
      h = (h << 1) | up_in;
      g = (g << 1) | down_in;
      up[w] = g | ~(d | h);
      down[w] = h & d;
      up_in = h_out;
      down_in = g_out;
    }
  }
  return distance;
}

int64_t common_subsequence(const int64_t* x, int64_t n, const int64_t* y, int64_t m) {
  if (!n || !m) return 0;
  const Matches matches(x, n);
  std::vector<Word> s(matches.words(), ~Word(0));
  for (int64_t j = 0; j < m; ++j) {
    const Word* match = matches.of(y[j]);
    Word carry = 0;
    for (std::size_t w = 0; w < s.size(); ++w) {
      const Word u = s[w] & match[w], sum = s[w] + u, all = sum + carry;
      carry = (sum < u) | (all < sum);
      s[w] = all | (s[w] - u);
    }
  }
  int64_t length = 0;
  for (int64_t i = 0; i < n; ++i) length += !(s[i / 64] >> (i % 64) & 1);
  return length;
}

double weighted(const int64_t* x, int64_t n, const int64_t* y, int64_t m, double insertion, double deletion, double substitution) {
  std::vector<double> row(m + 1);
  for (int64_t j = 0; j <= m; ++j) row[j] = double(j) * insertion;
  for (int64_t i = 0; i < n; ++i) {
    double corner = row[0];
    row[0] = double(i + 1) * deletion;
    for (int64_t j = 0; j < m; ++j) {
      const double match = corner + (x[i] == y[j] ? 0 : substitution);
      corner = row[j + 1];
      row[j + 1] = std::min(match, std::min(corner + deletion, row[j] + insertion));
    }
  }
  return row[m];
}

void edit_distance(In1<int64_t> x, In1<int64_t> y, In1<int64_t> rows, In1<int64_t> columns, double insertion, double deletion,
                   double substitution, Out<double> out, int threads) {
  const int64_t batch = x.shape(0), n = x.shape(1), m = y.shape(1);
  bool good = int64_t(y.shape(0)) == batch && int64_t(rows.shape(0)) == batch && int64_t(columns.shape(0)) == batch && int64_t(out.shape(0)) == batch;
  for (int64_t b = 0; good && b < batch; ++b)
    good = rows.data()[b] >= 0 && rows.data()[b] <= n && columns.data()[b] >= 0 && columns.data()[b] <= m;
  if (!good) throw nb::value_error("edit_distance: the arrays must fit together and the lengths lie in 0 .. n and 0 .. m");
  nb::gil_scoped_release release;
  const int worth = std::max(1, std::min(threads, int(double(batch) * double(n) * double(m) / 64 / 1e6)));
  parallel_for(batch, worth, [&](int, int64_t lo, int64_t hi) {
    for (int64_t b = lo; b < hi; ++b) {
      const int64_t *p = x.data() + b * n, *q = y.data() + b * m, N = rows.data()[b], M = columns.data()[b];
      double& result = out.data()[b];
      if (insertion == deletion && substitution == insertion) result = insertion * double(levenshtein(p, N, q, M));
      else if (insertion == deletion && substitution >= 2 * insertion) result = insertion * double(N + M - 2 * common_subsequence(p, N, q, M));
      else result = weighted(p, N, q, M, insertion, deletion, substitution);
    }
  });
}

}  // namespace

void bind_edit_distance(nb::module_& m) {
  m.def("edit_distance", edit_distance, nb::arg("x").noconvert(), nb::arg("y").noconvert(), nb::arg("rows").noconvert(),
        nb::arg("columns").noconvert(), "insertion"_a, "deletion"_a, "substitution"_a, nb::arg("out").noconvert(), "threads"_a);
}

}  // namespace algonets
