// The comparators of a network in groups that close on four wires, so that a pass loads and stores a wire once for two
// comparators: quads of the half-cleaners of a bitonic network, triangles of an odd-even one, else pairs.

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "../network.h"

namespace algonets {

namespace {

// The comparators not yet grouped, as a graph: which comparator comes next on a wire.
class Schedule {
 public:
  Schedule(std::int64_t n, const std::vector<std::int32_t>& low, const std::vector<std::int32_t>& high)
      : low(low), high(high), done(low.size()), waits(low.size()), after(2 * low.size(), -1), front(n, -1) {
    const std::int32_t count = std::int32_t(low.size());
    std::vector<std::int32_t> last(n, -1);
    for (std::int32_t c = 0; c < count; ++c)
      for (const std::int32_t wire : {low[c], high[c]}) {
        const std::int32_t before = last[wire];
        if (before < 0) {
          front[wire] = c;
        } else {
          after[2 * before + (wire == high[before])] = c;
          ++waits[c];
        }
        last[wire] = c;
      }
    for (std::int32_t c = 0; c < count; ++c)
      if (!waits[c]) ready.push(c);
  }

  std::vector<NetworkGroup> groups() {
    std::vector<NetworkGroup> made;
    while (!ready.empty()) {
      const std::int32_t c = ready.top();
      ready.pop();
      if (done[c]) continue;
      made.push_back(best(c));
      for (const std::int32_t member : made.back().slot)
        if (member >= 0) finish(member);
    }
    return made;
  }

 private:
  const std::vector<std::int32_t>&low, &high;
  std::vector<char> done;
  std::vector<std::int32_t> waits;  // comparators that must be done before
  std::vector<std::int32_t> after;  // the next comparator on the low and the high wire
  std::vector<std::int32_t> front;  // the next comparator of a wire
  std::priority_queue<std::int32_t, std::vector<std::int32_t>, std::greater<std::int32_t>> ready;

  std::int32_t next(std::int32_t c, std::int32_t wire) const { return after[2 * c + (wire == high[c])]; }
  std::int32_t other(std::int32_t c, std::int32_t wire) const { return low[c] == wire ? high[c] : low[c]; }

  void finish(std::int32_t c) {
    done[c] = 1;
    for (const std::int32_t wire : {low[c], high[c]}) {
      const std::int32_t follower = front[wire] = next(c, wire);
      if (follower >= 0 && !--waits[follower]) ready.push(follower);
    }
  }

  // The largest group that begins with the ready comparator c.
  NetworkGroup best(std::int32_t c) const {
    const std::int32_t ends[2] = {low[c], high[c]};
    NetworkGroup triangle{{}, {-1, -1, -1, -1}};
    for (const bool turned : {true, false}) {  // first the side of the high wire: the low one has had its chance
      const std::int32_t b = ends[turned], a = ends[!turned], joint = next(c, b);
      if (joint < 0) continue;
      const std::int32_t x = other(joint, b), second = front[x];
      if (x == a) continue;
      if (second != joint && waits[second] == 0 && next(second, x) == joint) {
        const std::int32_t y = other(second, x), far = next(c, a);
        if (y == a || y == b) continue;
        if (far >= 0 && far == next(second, y)) return {{a, b, x, y}, {c, second, joint, far}};
        if (triangle.slot[0] < 0) triangle = {{a, b, x, y}, {c, second, joint, -1}};
      }
    }
    if (triangle.slot[0] >= 0) return triangle;
    const std::int32_t a = ends[0], b = ends[1], near = next(c, b), far = next(c, a);
    if (near >= 0 && far >= 0 && near != far) {
      const std::int32_t x = other(near, b), y = other(far, a);
      if (x != y && front[x] == near && front[y] == far) return {{a, b, x, y}, {c, -1, near, far}};
    }
    return {{a, b, a, b}, {c, -1, -1, -1}};
  }
};

}  // namespace

std::vector<NetworkGroup> grouped(std::int64_t n, const std::vector<std::int32_t>& low, const std::vector<std::int32_t>& high) {
  return Schedule(n, low, high).groups();
}

NetworkOrder::NetworkOrder(std::vector<NetworkGroup> with_comparators) : groups(std::move(with_comparators)) {
  for (auto& group : groups)
    for (std::int32_t& member : group.slot) {
      if (member < 0) continue;
      at_slot.push_back(member);
      member = std::int32_t(at_slot.size()) - 1;
    }
  slot.resize(at_slot.size());
  for (std::size_t s = 0; s < at_slot.size(); ++s) slot[at_slot[s]] = std::int32_t(s);
}

// Each comparator's matrix is symmetric, so that the transposed network is the same one backwards.
std::vector<NetworkGroup> transposed(const std::vector<NetworkGroup>& groups) {
  std::vector<NetworkGroup> made;
  made.reserve(groups.size());
  for (auto g = groups.rbegin(); g != groups.rend(); ++g) {
    const auto& [w, c] = *g;
    if (c[2] < 0) made.push_back(*g);
    else if (c[1] < 0) made.push_back({{w[2], w[1], w[0], w[3]}, {c[2], c[3], c[0], -1}});
    else made.push_back({{w[1], w[2], w[3], w[0]}, {c[2], c[3], c[1], c[0]}});
  }
  return made;
}

}  // namespace algonets
