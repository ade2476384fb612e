// The gates of a graph as cells of at most three inputs: a gate that one or two others alone read is computed inside of
// them, if they have room for its inputs.
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
  bool inside;   // of those that read it
};

// Cells of all nodes of a graph; those of the constant and of inputs stay empty.
class Cover {
 public:
  std::vector<Cell> cells;

  Cover(std::size_t first, const CircuitGraph& graph) : cells(first + graph.a.size()), first_(first), graph_(graph), readers_(cells.size()) {
    for (std::size_t g = 0; g < graph.a.size(); ++g) cells[first + g] = gate(graph.a[g], graph.b[g], graph.kind[g]);
    find_readers();
    for (std::size_t i = first; i < cells.size(); ++i) take_inputs(cells[i]);
    find_readers();
    for (std::size_t i = first; i < cells.size(); ++i) give_to_two(std::uint32_t(i));
    for (std::size_t i = first; i < cells.size(); ++i)
      if (!cells[i].inside) normalise(cells[i]);
  }

 private:
  // How many cells read a node, and up to two of them. Outputs are read by many.
  struct Readers {
    static constexpr std::uint32_t kMany = 1 << 30;
    std::uint32_t count, cell[2];
  };
  std::size_t first_;
  const CircuitGraph& graph_;
  std::vector<Readers> readers_;

  void find_readers() {
    std::fill(readers_.begin(), readers_.end(), Readers{});
    for (std::size_t i = first_; i < cells.size(); ++i) {
      if (cells[i].inside) continue;
      for (int k = 0; k < cells[i].arity; ++k) {
        Readers& of = readers_[cells[i].in[k]];
        if (of.count < 2) of.cell[of.count] = std::uint32_t(i);
        ++of.count;
      }
    }
    for (const std::uint32_t l : graph_.outputs) readers_[l >> 1].count = Readers::kMany;
  }

  static Cell gate(std::uint32_t a, std::uint32_t b, bool is_xor) {
    const int x = a & 1 ? ~kInputs[0] : kInputs[0], y = b & 1 ? ~kInputs[1] : kInputs[1];
    return {{a >> 1, b >> 1, 0}, 2, std::uint8_t(is_xor ? x ^ y : x & y), false, false};
  }

  bool small(std::uint32_t node) const { return node >= first_ && cells[node].arity == 2 && cells[node].in[0] != cells[node].in[1]; }

  // Inputs that nobody else reads go inside.
  void take_inputs(Cell& cell) {
    const auto alone = [&](std::uint32_t node) { return small(node) && readers_[node].count == 1; };
    const bool first = alone(cell.in[0]), second = alone(cell.in[1]);
    for (const int inner : {3, 1, 2}) {
      if (inner & ~(int(first) | int(second) << 1)) continue;
      const Cell found = merged(cell, inner);
      if (!found.arity) continue;
      for (int k = 0; k < 2; ++k)
        if (inner >> k & 1) cells[cell.in[k]].inside = true;
      cell = found;
      return;
    }
  }

  // A node that two cells read goes inside of both.
  void give_to_two(std::uint32_t node) {
    Cell& cell = cells[node];
    if (cell.inside || !small(node) || readers_[node].count != 2) return;
    Cell found[2];
    for (int r = 0; r < 2; ++r) {
      const std::uint32_t reader = readers_[node].cell[r];
      if (!small(reader)) return;
      found[r] = merged(cells[reader], cells[reader].in[0] == node ? 1 : 2);
      if (!found[r].arity) return;
    }
    for (int r = 0; r < 2; ++r) cells[readers_[node].cell[r]] = found[r];
    cell.inside = true;
    for (int k = 0; k < 2; ++k) readers_[cell.in[k]].count = Readers::kMany;  // others read them now
  }

  // A cell of two inputs with the first of them (1), the second (2) or both (3) inside; of arity 0 if that has more than
  // three inputs, or does not need all of them.
  Cell merged(const Cell& cell, int inner) const {
    Cell found{{}, 0, 0, false, false};
    const auto place = [&](std::uint32_t node) {
      int k = 0;
      while (k < found.arity && found.in[k] != node) ++k;
      if (k == 3) return -1;
      if (k == found.arity) found.in[found.arity++] = node;
      return kInputs[k];
    };
    int values[2];
    for (int k = 0; k < 2; ++k) {
      const std::uint32_t node = cell.in[k];
      if (inner >> k & 1) {
        const int x = place(cells[node].in[0]), y = x < 0 ? -1 : place(cells[node].in[1]);
        values[k] = y < 0 ? -1 : composed(cells[node].function, x, y);
      } else {
        values[k] = place(node);
      }
      if (values[k] < 0) return {};
    }
    found.function = std::uint8_t(composed(cell.function, values[0], values[1]));
    for (int k = 0; k < 3; ++k)
      if (depends(found.function, k) != (k < found.arity)) return {};
    return found.arity < 2 ? Cell{} : found;
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
    for (int k = 0; k < 3; ++k) cell.in[k] = in[order[k]];
    cell.function = std::uint8_t(reordered(f, order));
  }
};

}  // namespace algonets
