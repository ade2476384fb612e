// The order in which cells run: next is always one that reads as few values as possible that have left the first-level
// cache, among those that can run; the cache is simulated (least recently used values leave).
#pragma once

#include <cstdint>
#include <vector>

#include "cover.h"

namespace algonets {

// Doubly linked lists of numbers, each number in one list at most.
class Lists {
 public:
  Lists(std::size_t numbers, std::size_t lists) : numbers_(numbers), links_(numbers + lists) {
    for (std::size_t k = numbers; k < links_.size(); ++k) links_[k] = {std::uint32_t(k), std::uint32_t(k)};
  }
  bool empty(std::size_t list) const { return last(list) == numbers_ + list; }
  std::uint32_t last(std::size_t list) const { return links_[numbers_ + list].before; }
  std::uint32_t first(std::size_t list) const { return links_[numbers_ + list].after; }
  void append(std::size_t list, std::uint32_t x) {
    const std::uint32_t end = std::uint32_t(numbers_ + list), before = links_[end].before;
    links_[x] = {before, end};
    links_[before].after = links_[end].before = x;
  }
  void remove(std::uint32_t x) {
    links_[links_[x].before].after = links_[x].after;
    links_[links_[x].after].before = links_[x].before;
  }

 private:
  struct Link {
    std::uint32_t before, after;
  };
  std::size_t numbers_;
  std::vector<Link> links_;
};

class Order {
 public:
  std::vector<std::uint32_t> order;

  Order(std::size_t first, const std::vector<Cell>& cells)
      : cells_(cells), starts_(cells.size() + 1), left_(cells.size()), missing_(cells.size()), cold_(cells.size()), hot_(cells.size()),
        ready_(cells.size(), 4), recent_(cells.size(), 1) {
    find_readers(first);
    for (std::size_t i = first; i < cells.size(); ++i) {
      if (cells[i].inside) continue;
      for (int k = 0; k < cells[i].arity; ++k) missing_[i] += cells[i].in[k] >= first;
      if (!missing_[i]) make_ready(std::uint32_t(i));
    }
    for (int k = 0; k < 4;) {
      if (ready_.empty(k)) {
        ++k;
      } else {
        run(ready_.last(k));
        k = 0;
      }
    }
  }

 private:
  static constexpr std::size_t kHot = 500;  // values that are thought to be in the first-level cache
  const std::vector<Cell>& cells_;
  std::vector<std::uint32_t> starts_, readers_;  // who reads a value
  std::vector<std::uint32_t> left_;              // how many of them have not run
  std::vector<std::uint8_t> missing_, cold_;     // inputs of a cell that are not computed, or not in the cache
  std::vector<std::uint8_t> hot_;                // whether a value is in the cache
  Lists ready_;                                  // cells by cold inputs
  Lists recent_;                                 // values in the cache
  std::size_t count_ = 0;

  void find_readers(std::size_t first) {
    for (std::size_t i = first; i < cells_.size(); ++i)
      if (!cells_[i].inside)
        for (int k = 0; k < cells_[i].arity; ++k) ++left_[cells_[i].in[k]];
    for (std::size_t i = 0; i < cells_.size(); ++i) starts_[i + 1] = starts_[i] + left_[i];
    readers_.resize(starts_.back());
    std::vector<std::uint32_t> at(starts_.begin(), starts_.end() - 1);
    for (std::size_t i = first; i < cells_.size(); ++i)
      if (!cells_[i].inside)
        for (int k = 0; k < cells_[i].arity; ++k) readers_[at[cells_[i].in[k]]++] = std::uint32_t(i);
  }

  template <class F> void each_reader(std::uint32_t value, F f) const {
    for (std::uint32_t k = starts_[value]; k < starts_[value + 1]; ++k) f(readers_[k]);
  }

  void make_ready(std::uint32_t cell) {
    cold_[cell] = 0;
    for (int k = 0; k < cells_[cell].arity; ++k) cold_[cell] += !hot_[cells_[cell].in[k]];
    ready_.append(cold_[cell], cell);
  }

  // A value comes into the cache, or leaves it.
  void change(std::uint32_t value, bool comes) {
    hot_[value] = comes;
    count_ += comes ? 1 : -1;
    if (comes) recent_.append(0, value);
    else recent_.remove(value);
    if (!left_[value]) return;
    each_reader(value, [&](std::uint32_t r) {
      if (missing_[r]) return;  // not ready, or done
      ready_.remove(r);
      cold_[r] += comes ? -1 : 1;
      ready_.append(cold_[r], r);
    });
  }

  void touch(std::uint32_t value) {
    if (hot_[value]) {
      recent_.remove(value);
      recent_.append(0, value);
      return;
    }
    change(value, true);
    if (count_ > kHot) change(recent_.first(0), false);
  }

  void run(std::uint32_t cell) {
    const Cell& c = cells_[cell];
    ready_.remove(cell);
    missing_[cell] = 0xFF;
    order.push_back(cell);
    for (int k = 0; k < c.arity; ++k) touch(c.in[k]);
    for (int k = 0; k < c.arity; ++k)
      if (--left_[c.in[k]] == 0) change(c.in[k], false);
    if (left_[cell]) touch(cell);
    each_reader(cell, [&](std::uint32_t r) {
      if (--missing_[r] == 0) make_ready(r);
    });
  }
};

}  // namespace algonets
