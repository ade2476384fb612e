// Sorting networks with soft comparators: arguments of the kernels and the table through which an instruction set is
// chosen. A comparator c maps the wires a = [low], b = [high] to [low] = alpha a + (1 - alpha) b and
// [high] = (1 - alpha) a + alpha b, where alpha = F((b - a) / scale).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace algonets {

// The laws with a kernel. `kGiven` means that the caller has the alphas.
enum NetworkLaw : int {
  kGiven = -1, kLogistic, kGaussian, kCauchy, kReciprocal, kOptimal, kLaplace, kUniform, kCubicHermite, kGudermannian,
  kLogisticART, kLaws
};

// Up to so many wires the matrix is made by samples: its n * n vectors and their tape stay in L2. Above, by columns.
constexpr std::int64_t kBySamples = 40;

// Comparators that a pass runs together, in registers: (w0, w1) and (w2, w3), then (w1, w2) and (w0, w3). Each has a slot
// for its weight, numbered in the order of the groups; missing ones are -1: the second, or the last, or all but the
// first (then w2 = w0 and w3 = w1).
struct NetworkGroup {
  std::int32_t wire[4], slot[4];
};
inline int members(const NetworkGroup& group) { return group.slot[2] < 0 ? 1 : 2 + (group.slot[1] >= 0) + (group.slot[3] >= 0); }

// All comparators of a network in groups, in an order of execution.
struct NetworkOrder {
  std::vector<NetworkGroup> groups;
  std::vector<std::int32_t> slot, at_slot;  // of a comparator, and the comparator of a slot

  // Takes groups whose slots are still comparators.
  explicit NetworkOrder(std::vector<NetworkGroup> groups);
};

// Which groups a block of columns of the permutation matrix has to pass: the others see zeros on all wires.
struct NetworkRuns {
  struct Run { std::int64_t begin, end; };
  std::int64_t width;               // columns in a block
  std::vector<Run> runs;            // of consecutive groups
  std::vector<std::int64_t> first;  // runs of block k: first[k] .. first[k + 1]
  std::int64_t longest;             // comparators of the longest block
};

// A network with what is derived from its wiring, shared by all calls on it.
struct NetworkPlan {
  std::int64_t n, count;
  std::vector<std::int32_t> low, high;
  std::vector<std::int32_t> straight;  // how many comparators from c on, in its layer, have wires at stride 1
  std::vector<std::int64_t> ends;      // of the layers of disjoint comparators
  std::vector<std::int32_t> left, right;  // to kBySamples wires: columns left[c] .. right[c] of the matrix can be non-zero
  std::int64_t spans = 0;                 // sum of right - left

  // Throws std::invalid_argument for a wire that does not exist or is compared with itself.
  NetworkPlan(std::int64_t n, const std::int32_t* low, const std::int32_t* high, std::int64_t count);

  // The plan of a network; recent ones are kept.
  static std::shared_ptr<const NetworkPlan> of(std::int64_t n, const std::int32_t* low, const std::int32_t* high, std::int64_t count);

  // The groups of the network, or of its transpose. Made when first wanted: they take more memory than the wiring.
  const NetworkOrder& order(bool transposed = false) const;
  std::shared_ptr<const NetworkRuns> runs(std::int64_t width) const;

 private:
  mutable std::mutex guard;
  mutable std::unique_ptr<const NetworkOrder> orders[2];
  mutable std::map<std::int64_t, std::shared_ptr<const NetworkRuns>> by_width;
};

// Groups whose slots are still comparators.
std::vector<NetworkGroup> grouped(std::int64_t n, const std::vector<std::int32_t>& low, const std::vector<std::int32_t>& high);
std::vector<NetworkGroup> transposed(const std::vector<NetworkGroup>& groups);

template <class In> struct NetworkCall {
  const NetworkPlan* plan;
  int law;
  double power;          // lambda of LogisticART
  const In* keys;        // (B, n) items, or with kGiven (B, C) alphas
  const In* scale;       // [b * scale_b], or null: `width` for all
  std::int64_t scale_b;
  double width;
  std::int64_t batch;
};

// Where the gradient of the keys goes: items (B, n) with scale (B,) or null, or with kGiven alphas (B, C) alone.
template <class In> struct NetworkGradient {
  In* keys;
  In* scale;
};

// Each kernel does the samples begin .. end.
template <class In> struct NetworkKernels {
  int lanes;
  std::int64_t (*block_width)(std::int64_t n, std::int64_t batch);  // columns in a block of the matrix; 0: no blocks
  void (*values)(const NetworkCall<In>&, std::int64_t begin, std::int64_t end, In* y);
  void (*alphas)(const NetworkCall<In>&, std::int64_t begin, std::int64_t end, In* alphas);
  // Of the sorted values or of the alphas; the other is null.
  void (*keys_gradient)(const NetworkCall<In>&, std::int64_t begin, std::int64_t end, const In* by_values,
                        const In* by_alphas, const NetworkGradient<In>&);
  void (*matrix)(const NetworkCall<In>&, const NetworkRuns*, std::int64_t begin, std::int64_t end, In* matrix);
  void (*matrix_gradient)(const NetworkCall<In>&, const NetworkRuns*, std::int64_t begin, std::int64_t end, const In* by,
                          const NetworkGradient<In>&);
  void (*apply)(const NetworkCall<In>&, std::int64_t begin, std::int64_t end, const In* payload, std::int64_t columns,
                bool transposed, In* out);
  void (*apply_gradient)(const NetworkCall<In>&, std::int64_t begin, std::int64_t end, const In* payload,
                         std::int64_t columns, bool transposed, const In* by, In* payload_out, const NetworkGradient<In>&);
  // `gradient.keys` null: the loss alone.
  void (*cross_entropy)(const NetworkCall<In>&, const NetworkRuns&, std::int64_t begin, std::int64_t end,
                        const std::int64_t* target, In* loss, const NetworkGradient<In>&);
};

#define ALGONETS_DECLARE(isa)                     \
  namespace isa {                                 \
  extern const NetworkKernels<float> network_float;   \
  extern const NetworkKernels<double> network_double; \
  }
ALGONETS_DECLARE(baseline)
ALGONETS_DECLARE(avx2)
ALGONETS_DECLARE(avx512)
#undef ALGONETS_DECLARE

}  // namespace algonets
