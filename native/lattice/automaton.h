// Weighted automata as graphs: levels of states, and composition. No weights: what an operation makes is described by
// *which* arcs each new arc consists of.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace algonets {

constexpr std::int64_t kEpsilon = -1;

struct Automaton {
  std::int64_t states;
  const std::int64_t* arcs;  // (count, 4): source, target, input, output
  std::int64_t count;
  const std::int64_t *starts, *finals;
  std::int64_t start_count, final_count;

  std::int64_t source(std::int64_t a) const { return arcs[4 * a]; }
  std::int64_t target(std::int64_t a) const { return arcs[4 * a + 1]; }
  std::int64_t input(std::int64_t a) const { return arcs[4 * a + 2]; }
  std::int64_t output(std::int64_t a) const { return arcs[4 * a + 3]; }
};

// Arcs by the state at one of their ends (0: source, 1: target), in order of their numbers.
struct ArcsOf {
  std::vector<std::int64_t> first, arc;
  ArcsOf(const Automaton& g, int end) : first(g.states + 1, 0), arc(g.count) {
    for (std::int64_t a = 0; a < g.count; ++a) ++first[g.arcs[4 * a + end] + 1];
    for (std::int64_t s = 0; s < g.states; ++s) first[s + 1] += first[s];
    std::vector<std::int64_t> at(first.begin(), first.end() - 1);
    for (std::int64_t a = 0; a < g.count; ++a) arc[at[g.arcs[4 * a + end]]++] = a;
  }
};

// The longest way to every state; false where there is a cycle.
inline bool find_levels(const Automaton& g, std::int64_t* level) {
  const ArcsOf leaving(g, 0);
  std::vector<std::int64_t> waiting(g.states, 0), stack;
  for (std::int64_t a = 0; a < g.count; ++a) ++waiting[g.target(a)];
  std::fill(level, level + g.states, 0);
  for (std::int64_t s = 0; s < g.states; ++s)
    if (!waiting[s]) stack.push_back(s);
  std::int64_t seen = 0;
  while (!stack.empty()) {
    const std::int64_t s = stack.back();
    stack.pop_back();
    ++seen;
    for (std::int64_t k = leaving.first[s]; k < leaving.first[s + 1]; ++k) {
      const std::int64_t t = g.target(leaving.arc[k]);
      level[t] = std::max(level[t], level[s] + 1);
      if (!--waiting[t]) stack.push_back(t);
    }
  }
  return seen == g.states;
}

struct Composition {
  std::int64_t states = 0;
  std::vector<std::int64_t> arcs, left, right, starts, finals, left_final, right_final;
};

// Outputs of `a` matched with inputs of `b`. Epsilons move alone, those of `a` before those of `b` between two matches,
// so that no pair of paths is counted twice. States from which no final one is reached are left out.
class Composer {
 public:
  Composer(const Automaton& a, const Automaton& b) : a_(a), b_(b), from_a_(a, 0), from_b_(b, 0) {
    auto& order = from_b_.arc;  // within a state by label, to be searched
    for (std::int64_t s = 0; s < b.states; ++s)
      std::stable_sort(order.begin() + from_b_.first[s], order.begin() + from_b_.first[s + 1],
                       [&](std::int64_t x, std::int64_t y) { return b.input(x) < b.input(y); });
  }

  Composition run() {
    for (std::int64_t i = 0; i < a_.start_count; ++i)
      for (std::int64_t j = 0; j < b_.start_count; ++j) full_.starts.push_back(name(a_.starts[i], b_.starts[j], 0));
    for (std::size_t next = 0; next < names_.size(); ++next) leave(std::int64_t(next));
    std::vector<char> ends_a(a_.states, 0), ends_b(b_.states, 0);
    for (std::int64_t i = 0; i < a_.final_count; ++i) ends_a[a_.finals[i]] = 1;
    for (std::int64_t i = 0; i < b_.final_count; ++i) ends_b[b_.finals[i]] = 1;
    for (std::size_t n = 0; n < names_.size(); ++n)
      if (ends_a[names_[n].p] && ends_b[names_[n].q]) {
        full_.finals.push_back(std::int64_t(n));
        full_.left_final.push_back(names_[n].p);
        full_.right_final.push_back(names_[n].q);
      }
    full_.states = std::int64_t(names_.size());
    return trimmed();
  }

 private:
  struct Pair {
    std::int64_t p, q, blocked;
  };

  std::int64_t name(std::int64_t p, std::int64_t q, std::int64_t blocked) {
    const auto [found, fresh] = number_.try_emplace((p * b_.states + q) * 2 + blocked, std::int64_t(names_.size()));
    if (fresh) names_.push_back({p, q, blocked});
    return found->second;
  }

  void add(std::int64_t source, std::int64_t target, std::int64_t in, std::int64_t out, std::int64_t x, std::int64_t y) {
    full_.arcs.insert(full_.arcs.end(), {source, target, in, out});
    full_.left.push_back(x);
    full_.right.push_back(y);
  }

  void leave(std::int64_t source) {
    const Pair at = names_[source];
    const auto begin = from_b_.arc.begin() + from_b_.first[at.q], end = from_b_.arc.begin() + from_b_.first[at.q + 1];
    const auto matching = [&](std::int64_t label) {
      const auto low = std::partition_point(begin, end, [&](std::int64_t y) { return b_.input(y) < label; });
      return std::pair{low, std::partition_point(low, end, [&](std::int64_t y) { return b_.input(y) <= label; })};
    };
    for (std::int64_t k = from_a_.first[at.p]; k < from_a_.first[at.p + 1]; ++k) {
      const std::int64_t x = from_a_.arc[k], out = a_.output(x);
      if (out == kEpsilon) {
        if (!at.blocked) add(source, name(a_.target(x), at.q, 0), a_.input(x), kEpsilon, x, -1);
        continue;
      }
      const auto [low, high] = matching(out);
      for (auto y = low; y < high; ++y) add(source, name(a_.target(x), b_.target(*y), 0), a_.input(x), b_.output(*y), x, *y);
    }
    const auto [low, high] = matching(kEpsilon);
    for (auto y = low; y < high; ++y) add(source, name(at.p, b_.target(*y), 1), kEpsilon, b_.output(*y), -1, *y);
  }

  Composition trimmed() const {
    const std::int64_t count = std::int64_t(full_.left.size());
    const Automaton all{full_.states, full_.arcs.data(), count, nullptr, nullptr, 0, 0};
    const ArcsOf into(all, 1);
    std::vector<char> alive(full_.states, 0);
    std::vector<std::int64_t> stack(full_.finals), number(full_.states, -1);
    for (const std::int64_t s : stack) alive[s] = 1;
    while (!stack.empty()) {
      const std::int64_t s = stack.back();
      stack.pop_back();
      for (std::int64_t k = into.first[s]; k < into.first[s + 1]; ++k) {
        const std::int64_t from = all.source(into.arc[k]);
        if (!alive[from]) stack.push_back(from);
        alive[from] = 1;
      }
    }
    if (!full_.starts.empty()) alive[full_.starts[0]] = 1;  // an automaton without paths keeps a state
    Composition small;
    for (std::int64_t s = 0; s < full_.states; ++s)
      if (alive[s]) number[s] = small.states++;
    if (!small.states) small.states = 1;
    for (std::int64_t a = 0; a < count; ++a) {
      if (!alive[all.source(a)] || !alive[all.target(a)]) continue;
      small.arcs.insert(small.arcs.end(), {number[all.source(a)], number[all.target(a)], all.input(a), all.output(a)});
      small.left.push_back(full_.left[a]);
      small.right.push_back(full_.right[a]);
    }
    for (const std::int64_t s : full_.starts)
      if (alive[s]) small.starts.push_back(number[s]);
    for (const std::int64_t s : full_.finals) small.finals.push_back(number[s]);
    small.left_final = full_.left_final;
    small.right_final = full_.right_final;
    return small;
  }

  const Automaton &a_, &b_;
  ArcsOf from_a_, from_b_;
  std::vector<Pair> names_;
  std::unordered_map<std::int64_t, std::int64_t> number_;
  Composition full_;
};

}  // namespace algonets
