// What is derived from the wiring of a network, once.

#include <algorithm>
#include <cstring>
#include <list>
#include <stdexcept>
#include <utility>

#include "../network.h"

namespace algonets {

namespace {

const std::int32_t* checked(std::int64_t n, const std::int32_t* low, const std::int32_t* high, std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c)
    if (low[c] < 0 || low[c] >= n || high[c] < 0 || high[c] >= n || low[c] == high[c])
      throw std::invalid_argument("a comparator of a network must join two different wires in 0 .. n - 1");
  return low;
}

}  // namespace

NetworkPlan::NetworkPlan(std::int64_t n, const std::int32_t* low_wires, const std::int32_t* high_wires, std::int64_t count)
    : n(n), count(count), low(checked(n, low_wires, high_wires, count), low_wires + count), high(high_wires, high_wires + count),
      straight(count) {
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

const NetworkOrder& NetworkPlan::order(bool transposed) const {
  const std::lock_guard<std::mutex> lock(guard);
  auto& found = orders[transposed];
  if (!found) {
    auto groups = grouped(n, low, high);
    found = std::make_unique<const NetworkOrder>(transposed ? algonets::transposed(groups) : std::move(groups));
  }
  return *found;
}

std::shared_ptr<const NetworkRuns> NetworkPlan::runs(std::int64_t width) const {
  const NetworkOrder& order = this->order();
  const std::lock_guard<std::mutex> lock(guard);
  auto& found = by_width[width];
  if (found) return found;
  auto made = std::make_shared<NetworkRuns>();
  made->width = width;
  made->longest = 0;
  made->first.push_back(0);
  std::vector<char> reached(n);
  for (std::int64_t j = 0; j < n; j += width) {
    std::fill(reached.begin(), reached.end(), 0);
    std::fill(reached.begin() + j, reached.begin() + std::min(n, j + width), 1);
    std::int64_t size = 0;
    bool open = false;
    for (std::size_t g = 0; g < order.groups.size(); ++g) {
      bool active = false;
      for (const std::int32_t member : order.groups[g].slot) {
        if (member < 0) continue;
        char &a = reached[low[order.at_slot[member]]], &b = reached[high[order.at_slot[member]]];
        if (a || b) active = a = b = 1;
      }
      if (active) {
        if (open) made->runs.back().end = std::int64_t(g) + 1;
        else made->runs.push_back({std::int64_t(g), std::int64_t(g) + 1});
        for (const std::int32_t member : order.groups[g].slot) size += member >= 0;
      }
      open = active;
    }
    made->first.push_back(std::int64_t(made->runs.size()));
    made->longest = std::max(made->longest, size);
  }
  return found = made;
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
