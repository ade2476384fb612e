// Weighted automata: sums and best paths over all paths, and how often each arc lies on one. States of all examples of
// a batch in one topological order; in double, without lanes, as every example has its own shape.

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "bindings.h"
#include "lattice/automaton.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;
using std::int64_t;

constexpr double kNone = -std::numeric_limits<double>::infinity();

// The log-sum-exp of numbers as they come.
struct LogSum {
  double top = kNone, sum = 0;
  void add(double x) {
    if (x == kNone) return;
    if (x <= top) {
      sum += std::exp(x - top);
    } else {
      sum = sum * std::exp(top - x) + 1;
      top = x;
    }
  }
  double value(bool maximum) const { return top == kNone || maximum ? top : top + std::log(sum); }
};

// State s of the order has the arcs first[s] .. first[s + 1]; `source` counts in that order too.
template <class In>
void lattice_run(In1<int64_t> first, In1<int64_t> source, In1<In> weight, In1<In> final, In1<std::uint8_t> start,
                 In1<int64_t> example, bool maximum, Out<In> value, std::optional<Out<In>> arcs, std::optional<Out<In>> ends) {
  const int64_t states = final.shape(0), count = weight.shape(0), batch = value.shape(0);
  bool good = int64_t(first.shape(0)) == states + 1 && int64_t(source.shape(0)) == count && int64_t(start.shape(0)) == states &&
              int64_t(example.shape(0)) == states && first.data()[0] == 0 && first.data()[states] == count &&
              (!arcs || int64_t(arcs->shape(0)) == count) && (!ends || int64_t(ends->shape(0)) == states);
  for (int64_t s = 0; good && s < states; ++s) {
    good = first.data()[s] <= first.data()[s + 1] && example.data()[s] >= 0 && example.data()[s] < batch;
    for (int64_t a = first.data()[s]; good && a < first.data()[s + 1]; ++a) good = source.data()[a] >= 0 && source.data()[a] < s;
  }
  if (!good) throw nb::value_error("Lattice: the arrays must fit together, states in topological order");
  nb::gil_scoped_release release;
  const int64_t *from = source.data(), *begin = first.data(), *owner = example.data();
  std::vector<double> alpha(states), adjoint(states, 0);
  std::vector<LogSum> totals(batch);
  for (int64_t s = 0; s < states; ++s) {
    LogSum sum;
    if (start.data()[s]) sum.add(0);
    for (int64_t a = begin[s]; a < begin[s + 1]; ++a) sum.add(alpha[from[a]] + double(weight.data()[a]));
    alpha[s] = sum.value(maximum);
    totals[owner[s]].add(alpha[s] + double(final.data()[s]));
  }
  std::vector<double> total(batch);
  for (int64_t b = 0; b < batch; ++b) value.data()[b] = In(total[b] = totals[b].value(maximum));
  if (!arcs || !ends) return;
  // Of equal maxima the first takes all.
  std::vector<std::uint8_t> done(batch, 0);
  for (int64_t s = 0; s < states; ++s) {
    const double z = total[owner[s]], score = alpha[s] + double(final.data()[s]);
    double p = 0;
    if (z != kNone && score != kNone) p = maximum ? double(score == z && !done[owner[s]]) : std::exp(score - z);
    if (maximum && p > 0) done[owner[s]] = 1;
    adjoint[s] = p;
    ends->data()[s] = In(p);
  }
  for (int64_t s = states - 1; s >= 0; --s) {
    const double g = adjoint[s];
    bool left = !(maximum && start.data()[s] && alpha[s] == 0);
    for (int64_t a = begin[s]; a < begin[s + 1]; ++a) {
      const double score = alpha[from[a]] + double(weight.data()[a]);
      double p = 0;
      if (g != 0 && score != kNone) p = maximum ? (left && score == alpha[s] ? g : 0) : g * std::exp(score - alpha[s]);
      if (maximum && p > 0) left = false;
      arcs->data()[a] = In(p);
      adjoint[from[a]] += p;
    }
  }
}

// An automaton of Python arrays. Python checks them; a mistake must not become a wild read.
Automaton automaton(int64_t states, const In1<int64_t>& arcs, const In1<int64_t>& starts, const In1<int64_t>& finals) {
  const Automaton g{states, arcs.data(), int64_t(arcs.shape(0)), starts.data(), finals.data(), int64_t(starts.shape(0)),
                    int64_t(finals.shape(0))};
  bool good = arcs.ndim() == 2 && arcs.shape(1) == 4 && starts.ndim() == 1 && finals.ndim() == 1;
  const auto inside = [&](int64_t s) { return s >= 0 && s < states; };
  for (int64_t a = 0; good && a < g.count; ++a) good = inside(g.source(a)) && inside(g.target(a));
  for (int64_t k = 0; good && k < g.start_count; ++k) good = inside(g.starts[k]);
  for (int64_t k = 0; good && k < g.final_count; ++k) good = inside(g.finals[k]);
  if (!good) throw nb::value_error("Lattice: states out of range");
  return g;
}

bool lattice_levels(int64_t states, In1<int64_t> arcs, In1<int64_t> none, Out<int64_t> level) {
  const Automaton g = automaton(states, arcs, none, none);
  if (int64_t(level.shape(0)) != states) throw nb::value_error("Lattice: a level for each state");
  return find_levels(g, level.data());
}

nb::bytes bytes_of(const std::vector<int64_t>& x) { return nb::bytes(x.data(), x.size() * sizeof(int64_t)); }

// The composition of two automata: how many states, then arcs, starts, finals, and what arcs and finals come from.
nb::tuple lattice_compose(int64_t states_a, In1<int64_t> arcs_a, In1<int64_t> starts_a, In1<int64_t> finals_a, int64_t states_b,
                          In1<int64_t> arcs_b, In1<int64_t> starts_b, In1<int64_t> finals_b) {
  const Automaton a = automaton(states_a, arcs_a, starts_a, finals_a), b = automaton(states_b, arcs_b, starts_b, finals_b);
  const Composition made = Composer(a, b).run();
  return nb::make_tuple(made.states, bytes_of(made.arcs), bytes_of(made.starts), bytes_of(made.finals), bytes_of(made.left),
                        bytes_of(made.right), bytes_of(made.left_final), bytes_of(made.right_final));
}

template <class In> void bind(nb::module_& m) {
  m.def("lattice_run", lattice_run<In>, nb::arg("first").noconvert(), nb::arg("source").noconvert(), nb::arg("weight").noconvert(),
        nb::arg("final").noconvert(), nb::arg("start").noconvert(), nb::arg("example").noconvert(), "maximum"_a,
        nb::arg("value").noconvert(), nb::arg("arcs").noconvert().none(), nb::arg("ends").noconvert().none());
}

}  // namespace

void bind_lattice(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
  m.def("lattice_levels", lattice_levels, "states"_a, nb::arg("arcs").noconvert(), nb::arg("none").noconvert(),
        nb::arg("level").noconvert());
  m.def("lattice_compose", lattice_compose, "states_a"_a, nb::arg("arcs_a").noconvert(), nb::arg("starts_a").noconvert(),
        nb::arg("finals_a").noconvert(), "states_b"_a, nb::arg("arcs_b").noconvert(), nb::arg("starts_b").noconvert(),
        nb::arg("finals_b").noconvert());
}

}  // namespace algonets
