// Kernels of the linear chain: log-partition, its gradient (all marginals), Viterbi, sampling.
//
// The scaled recursion. With x_t = exp(u_t - max u_t) and E = exp(transition - max), the forward messages
//     q_t = (a_{t-1} E) * x_t,   z_t = sum q_t,   a_t = q_t / z_t
// are one vector-matrix product a step; log Z = sum_t log z_t + shifts. The backward messages are
//     w_t = b_t * x_t / z_t,   b_{t-1} = E w_t,   marginals a_t * b_t,   pairs a_{t-1,i} E_ij w_{t,j}.
// A block of kChainRows sequences shares each load of E. The gradient recomputes the forward messages in
// scratch that stays in cache, so nothing is kept between the two passes. A shared transition gradient is
// E * (A^T W), accumulated as a matrix product over kFlush (sequence, step) rows at a time.
//
// The scaled form can underflow silently. `certify` (chain/scores.h) bounds every ratio of messages by the ranges of the
// scores; a sequence without the certificate runs in double, and beyond that in log space, alone.

#include "chain.h"

#include "chain/log_space.h"
#include "chain/sample.h"
#include "chain/scaled.h"
#include "chain/viterbi.h"

namespace algonets {
namespace ALGONETS_ISA {
namespace {

constexpr int kRows = kChainRows;

template <class In> void log_partition(const Chain<In>& c, const ChainShared& shared, ChainBlock block, In* out) {
  if (block.mode == kLogSpace) return log_space_log_partition<In>(c, block.order[0], out);
  if (block.mode == kScaledDouble) return scaled_log_partition<In, double, 1>(c, shared, block, true, out);
  if (block.count == kRows) return scaled_log_partition<In, In, kRows>(c, shared, block, false, out);
  scaled_log_partition<In, In, 1>(c, shared, block, false, out);
}

template <class In>
void gradient(const Chain<In>& c, const ChainShared& shared, ChainBlock block, const ChainGradient<In>& grad, double* accumulator) {
  if (block.mode == kLogSpace) return log_space_gradient<In>(c, block.order[0], grad, accumulator);
  if (block.mode == kScaledDouble) return scaled_gradient<In, double, 1>(c, shared, block, true, grad, accumulator);
  if (block.count == kRows) return scaled_gradient<In, In, kRows>(c, shared, block, false, grad, accumulator);
  scaled_gradient<In, In, 1>(c, shared, block, false, grad, accumulator);
}

template <class In>
void viterbi(const Chain<In>& c, const In* shared, const In* shared_transposed, ChainBlock block, int64_t* labels) {
  if (block.count == kRows) return viterbi_rows<In, kRows>(c, shared, shared_transposed, block, labels);
  viterbi_rows<In, 1>(c, shared, shared_transposed, block, labels);
}

template <class In> constexpr ChainKernels<In> table() {
  return {certify<In>, shared_size<In>, share<In>, log_partition<In>, gradient<In>, viterbi<In>, pad<In>, sample<In>};
}

}  // namespace

extern const ChainKernels<float> chain_float;
extern const ChainKernels<double> chain_double;
const ChainKernels<float> chain_float = table<float>();
const ChainKernels<double> chain_double = table<double>();

}  // namespace ALGONETS_ISA
}  // namespace algonets
