// The order in which cells run: level by level, and within a level from value to value, so that all who read a value
// follow each other; then they are sorted by their functions, few enough at a time to stay in the first-level cache.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cover.h"

namespace algonets {

class Walk {
 public:
  std::vector<std::uint32_t> order;
  std::vector<std::size_t> ends;  // of the chunks

  Walk(std::size_t first, const std::vector<Cell>& cells) : cells_(cells), readers_(cells.size()), more_(3 * cells.size()), done_(cells.size()) {
    std::vector<std::vector<std::uint32_t>> levels;
    std::vector<std::uint32_t> level(cells.size());
    for (std::size_t i = first; i < cells.size(); ++i) {
      if (cells[i].inside) continue;
      for (int k = 0; k < cells[i].arity; ++k) level[i] = std::max(level[i], level[cells[i].in[k]] + 1);
      if (level[i] > levels.size()) levels.emplace_back();
      levels[level[i] - 1].push_back(std::uint32_t(i));
    }
    for (const auto& cells_of_level : levels) walk(cells_of_level);
  }

 private:
  static constexpr std::size_t kChunk = 640;
  const std::vector<Cell>& cells_;
  std::vector<std::uint32_t> readers_, more_;  // lists of 3 cell + which input, by value
  std::vector<std::uint32_t> values_;
  std::vector<std::uint8_t> done_;
  bool up_ = true;

  void walk(const std::vector<std::uint32_t>& level) {
    for (std::size_t i = level.size(); i-- > 0;)
      for (int k = cells_[level[i]].arity; k-- > 0;) {
        std::uint32_t& last = readers_[cells_[level[i]].in[k]];
        more_[3 * level[i] + k] = last;
        last = 3 * level[i] + k;
      }
    const std::size_t start = order.size();
    for (const std::uint32_t cell : level) {
      if (!done_[cell]) values_.push_back(cells_[cell].in[0]);
      while (!values_.empty()) {
        const std::uint32_t value = values_.back();
        values_.pop_back();
        for (std::uint32_t r = readers_[value]; r; r = more_[r])
          if (!done_[r / 3]) take(r / 3, value);
        readers_[value] = 0;
      }
    }
    for (std::size_t k = start; k < order.size(); k += kChunk, up_ = !up_) {  // up and down, so that runs go on in the next chunk
      ends.push_back(std::min(k + kChunk, order.size()));
      std::stable_sort(order.begin() + k, order.begin() + ends.back(), [&](std::uint32_t x, std::uint32_t y) {
        const int a = cells_[x].function, b = cells_[y].function;
        return up_ ? a < b : a > b;
      });
    }
  }

  void take(std::uint32_t cell, std::uint32_t value) {
    done_[cell] = 1;
    order.push_back(cell);
    for (int k = cells_[cell].arity; k-- > 0;)
      if (cells_[cell].in[k] != value) values_.push_back(cells_[cell].in[k]);
  }
};

}  // namespace algonets
