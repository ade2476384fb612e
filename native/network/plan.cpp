// What is derived from the wiring of a network, once.

#include <algorithm>
#include <cstring>
#include <list>
#include <stdexcept>

#include "../network.h"

namespace algonets {

NetworkPlan::NetworkPlan(std::int64_t n, const std::int32_t* low, const std::int32_t* high, std::int64_t count)
    : n(n), count(count), low(low, low + count), high(high, high + count), straight(count) {
  for (std::int64_t c = 0; c < count; ++c)
    if (low[c] < 0 || low[c] >= n || high[c] < 0 || high[c] >= n || low[c] == high[c])
      throw std::invalid_argument("a comparator of a network must join two different wires in 0 .. n - 1");
  // A wire that comes up again starts a new layer.
  std::vector<std::int64_t> layer_of(n, -1);
  std::int64_t layer = 0;
  for (std::int64_t c = 0; c < count; ++c) {
    const std::int32_t a = low[c], b = high[c];
    if (layer_of[a] == layer || layer_of[b] == layer) {
      ends.push_back(c);
      ++layer;
    }
    layer_of[a] = layer_of[b] = layer;
  }
  if (count) ends.push_back(count);
  for (std::int64_t c = count, next = std::int64_t(ends.size()); c-- > 0;) {
    const bool last = c + 1 == (next > 0 ? ends[next - 1] : 0);
    if (last) --next;
    const bool joined = !last && low[c + 1] == low[c] + 1 && high[c + 1] == high[c] + 1;
    straight[c] = joined ? straight[c + 1] + 1 : 1;
  }
  if (n > kBySamples) return;
  std::vector<std::int32_t> from(n), to(n);
  for (std::int64_t i = 0; i < n; ++i) from[i] = std::int32_t(i), to[i] = std::int32_t(i + 1);
  for (std::int64_t c = 0; c < count; ++c) {
    const std::int32_t a = low[c], b = high[c];
    left.push_back(from[a] = from[b] = std::min(from[a], from[b]));
    right.push_back(to[a] = to[b] = std::max(to[a], to[b]));
    spans += right[c] - left[c];
  }
}

namespace {

// Which comparators each block of columns has to pass, in runs of at most `most`.
NetworkRuns runs_of(std::int64_t n, std::int64_t width, const std::vector<std::int32_t>& low, const std::vector<std::int32_t>& high,
                    std::int64_t most) {
  NetworkRuns made{width, {}, {0}, 0};
  const auto count = std::int64_t(low.size());
  std::vector<char> reached(n);
  for (std::int64_t j = 0; j < n; j += width) {
    std::fill(reached.begin(), reached.end(), 0);
    std::fill(reached.begin() + j, reached.begin() + std::min(n, j + width), 1);
    std::int64_t size = 0;
    bool open = false;
    for (std::int64_t c = 0; c < count; ++c) {
      const bool active = reached[low[c]] || reached[high[c]];
      if (active) {
        reached[low[c]] = reached[high[c]] = 1;
        if (open && c - made.runs.back().begin < most) made.runs.back().end = c + 1;
        else made.runs.push_back({c, c + 1});
        ++size;
      }
      open = active;
    }
    made.first.push_back(std::int64_t(made.runs.size()));
    made.longest = std::max(made.longest, size);
  }
  return made;
}

// Follow the wire of a minimum as long as it goes on as the wire of a maximum and nothing else is waited for; then go
// on with the first comparator that is left, which waits for none.
std::vector<std::int32_t> chains(std::int64_t n, const std::vector<std::int32_t>& low, const std::vector<std::int32_t>& high) {
  const auto count = std::int32_t(low.size());
  std::vector<std::int32_t> last(n, -1), before_low(count), before_high(count), after_low(count, -1), order;
  for (std::int32_t c = 0; c < count; ++c) {
    before_low[c] = last[low[c]];
    before_high[c] = last[high[c]];
    for (const std::int32_t wire : {low[c], high[c]}) {
      if (last[wire] >= 0 && low[last[wire]] == wire) after_low[last[wire]] = c;
      last[wire] = c;
    }
  }
  std::vector<char> done(count, 0);
  const auto ready = [&](std::int32_t c) {
    return !done[c] && (before_low[c] < 0 || done[before_low[c]]) && (before_high[c] < 0 || done[before_high[c]]);
  };
  for (std::int32_t begin = 0; begin < count; ++begin)
    for (std::int32_t c = begin; c >= 0 && ready(c);) {
      done[c] = 1;
      order.push_back(c);
      const std::int32_t next = after_low[c];
      c = next >= 0 && high[next] == low[c] ? next : -1;
    }
  return order;
}

}  // namespace

std::shared_ptr<const NetworkRuns> NetworkPlan::runs(std::int64_t width) const {
  const std::lock_guard<std::mutex> lock(guard);
  auto& found = by_width[width];
  if (!found) found = std::make_shared<NetworkRuns>(runs_of(n, width, low, high, count));
  return found;
}

std::shared_ptr<const NetworkStrips> NetworkPlan::strips() const {
  const std::lock_guard<std::mutex> lock(guard);
  if (by_strip) return by_strip;
  auto made = std::make_shared<NetworkStrips>();
  made->order = chains(n, low, high);
  for (const std::int32_t c : made->order) {
    made->low.push_back(low[c]);
    made->high.push_back(high[c]);
  }
  for (std::size_t r = 0; r < made->order.size(); ++r)
    made->linked.push_back(r + 1 < made->order.size() && made->high[r + 1] == made->low[r]);
  made->runs = runs_of(n, kStrip, made->low, made->high, n);
  return by_strip = made;
}

std::shared_ptr<const NetworkPlan> NetworkPlan::of(std::int64_t n, const std::int32_t* low, const std::int32_t* high, std::int64_t count) {
  constexpr std::size_t kKept = 16;
  static std::mutex guard;
  static std::list<std::shared_ptr<const NetworkPlan>> recent;
  const auto same = [&](const NetworkPlan& plan) {
    const std::size_t bytes = std::size_t(count) * sizeof(std::int32_t);
    return plan.n == n && plan.count == count &&
           (!count || (!std::memcmp(plan.low.data(), low, bytes) && !std::memcmp(plan.high.data(), high, bytes)));
  };
  {
    const std::lock_guard<std::mutex> lock(guard);
    for (auto it = recent.begin(); it != recent.end(); ++it)
      if (same(**it)) {
        recent.splice(recent.begin(), recent, it);
        return recent.front();
      }
  }
  auto made = std::make_shared<const NetworkPlan>(n, low, high, count);
  const std::lock_guard<std::mutex> lock(guard);
  recent.push_front(made);
  if (recent.size() > kKept) recent.pop_back();
  return made;
}

}  // namespace algonets
