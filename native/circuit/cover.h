// The gates of a graph as cells: a gate that one other gate alone reads is computed inside of that, while the two have
// at most three inputs together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../circuit.h"
#include "functions.h"

namespace algonets {

struct Cell {
  std::uint32_t in[3];  // nodes
  std::uint8_t arity, function;
  bool negated;  // the value is stored as its complement
  bool inside;   // of the only gate that reads it
};

// Cells of all nodes of a graph; those of the constant and of inputs stay empty.
class Cover {
 public:
  std::vector<Cell> cells;

  Cover(std::size_t first, const CircuitGraph& graph) : cells(first + graph.a.size()), first_(first), graph_(graph), readers_(cells.size()) {
    for (std::size_t g = 0; g < graph.a.size(); ++g) {
      ++readers_[graph.a[g] >> 1];
      ++readers_[graph.b[g] >> 1];
    }
    for (const std::uint32_t l : graph.outputs) readers_[l >> 1] = kMany;
    for (std::size_t g = 0; g < graph.a.size(); ++g) cover(g);
    for (std::size_t i = first; i < cells.size(); ++i)
      if (!cells[i].inside) normalise(cells[i]);
  }

 private:
  static constexpr std::uint32_t kMany = 1 << 30;
  std::size_t first_;
  const CircuitGraph& graph_;
  std::vector<std::uint32_t> readers_;

  bool may_go_inside(std::uint32_t node) const {
#ifdef NOJOIN
    return false;
#endif
    return node >= first_ && readers_[node] == 1 && cells[node].arity == 2 && cells[node].in[0] != cells[node].in[1];
  }

  void cover(std::size_t g) {
    const std::uint32_t a = graph_.a[g] >> 1, b = graph_.b[g] >> 1;
    const bool first = may_go_inside(a), second = may_go_inside(b);
    Cell& cell = cells[first_ + g];
    if (first && second && join(cell, g, true, true)) return;
    if (first && join(cell, g, true, false)) return;
    if (second && join(cell, g, false, true)) return;
    cell = {{a, b, 0}, 2, function(g, kInputs[0], kInputs[1]), false, false};
  }

  // Of gate g, given the functions of the nodes that it reads.
  std::uint8_t function(std::size_t g, int a, int b) const {
    if (graph_.a[g] & 1) a ^= 0xFF;
    if (graph_.b[g] & 1) b ^= 0xFF;
    return std::uint8_t(graph_.kind[g] ? a ^ b : a & b);
  }

  // The cell of gate g with one or both of its inputs inside, if it has at most three inputs and needs all of them.
  bool join(Cell& cell, std::size_t g, bool first, bool second) {
    const std::uint32_t a = graph_.a[g] >> 1, b = graph_.b[g] >> 1;
    Cell found{{}, 0, 0, false, false};
    const auto place = [&](std::uint32_t node) {
      int k = 0;
      while (k < found.arity && found.in[k] != node) ++k;
      if (k == found.arity && k < 3) found.in[found.arity++] = node;
      return k;  // 3: there is no place
    };
    const auto reads = [&](std::uint32_t node, bool inside) {
      if (!inside) {
        const int k = place(node);
        return k < 3 ? kInputs[k] : -1;
      }
      const int x = place(cells[node].in[0]), y = place(cells[node].in[1]);
      if (x > 2 || y > 2) return -1;
      const int order[3] = {x, y, 3 - x - y};
      int moved = 0;
      for (int at = 0; at < 8; ++at) {
        const int from = (at >> (2 - order[0]) & 1) << 2 | (at >> (2 - order[1]) & 1) << 1;
        moved |= (cells[node].function >> from & 1) << at;
      }
      return moved;
    };
    const int x = reads(a, first), y = x < 0 ? -1 : reads(b, second);
    if (y < 0) return false;
    found.function = function(g, x, y);
    for (int k = 0; k < 3; ++k)
      if (depends(found.function, k) != (k < found.arity)) return false;
    if (found.arity < 2) return false;
    if (first) cells[a].inside = true;
    if (second) cells[b].inside = true;
    cell = found;
    return true;
  }

  // Bring a cell into its form, for inputs as they are stored.
  void normalise(Cell& cell) {
    int f = cell.function;
    for (int k = 0; k < cell.arity; ++k)
      if (cells[cell.in[k]].negated) f = negated_input(f, k);
    cell.negated = f & 1;
    if (cell.negated) f ^= 0xFF;
    const int* order = kOrders[best_order(f, cell.arity)];
    const std::uint32_t in[3] = {cell.in[0], cell.in[1], cell.in[2]};
    for (int k = 0; k < 3; ++k) cell.in[order[k]] = in[k];
    cell.function = std::uint8_t(reordered(f, order));
  }
};

}  // namespace algonets
