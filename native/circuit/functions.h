// Functions of two or three bits, as numbers: bit 4 x + 2 y + z is the value at x, y, z. Functions that differ in the
// order of their inputs or by a complement share a form, so that a program needs few kinds of operations.
#pragma once

namespace algonets {

constexpr int kInputs[3] = {0xF0, 0xCC, 0xAA};  // the functions x, y and z
constexpr int kOrders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

// The number of the function that reads at input k what `f` reads at input order[k].
constexpr int reordered(int f, const int* order) {
  int found = 0;
  for (int at = 0; at < 8; ++at) {
    int from = 0;
    for (int k = 0; k < 3; ++k) from |= (at >> (2 - k) & 1) << (2 - order[k]);
    found |= (f >> from & 1) << at;
  }
  return found;
}

// f(x, y), given functions for its first two inputs.
constexpr int composed(int f, int x, int y) {
  int found = 0;
  for (int at = 0; at < 8; ++at) found |= (f >> ((x >> at & 1) << 2 | (y >> at & 1) << 1) & 1) << at;
  return found;
}

// The function of a negated input.
constexpr int negated_input(int f, int input) {
  const int shift = 4 >> input, yes = kInputs[input];
  return (f & yes) >> shift | (f & ~yes & 0xFF) << shift;
}

constexpr bool depends(int f, int input) { return negated_input(f, input) != f; }

// The order of the first `arity` inputs that gives the least number.
constexpr int best_order(int f, int arity) {
  int best = 0;
  for (int k = 1; k < 6; ++k)
    if ((arity == 3 || kOrders[k][2] == 2) && reordered(f, kOrders[k]) < reordered(f, kOrders[best])) best = k;
  return best;
}

// Whether operations have this form: 0 at x = y = z = 0, in the best order, and dependent on all inputs.
constexpr bool is_form(int f) {
  const int arity = depends(f, 2) ? 3 : 2;
  return !(f & 1) && depends(f, 0) && depends(f, 1) && best_order(f, arity) == 0;
}

}  // namespace algonets
