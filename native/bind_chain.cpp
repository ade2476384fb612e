// Python bindings of the linear chain.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "bindings.h"
#include "chain.h"
#include "parallel.h"

namespace algonets {
namespace {

using nb::literals::operator""_a;

template <class In> const ChainKernels<In>& chain_kernels();
template <> const ChainKernels<float>& chain_kernels() { return ALGONETS_PICK(chain_float); }
template <> const ChainKernels<double>& chain_kernels() { return ALGONETS_PICK(chain_double); }

template <class In>
Chain<In> make_chain(const In1<In>& unary, const In1<In>& transition, const std::optional<In1<In>>& start,
                     const std::optional<In1<In>>& end, const In1<std::int64_t>& lengths) {
  Chain<In> c{};
  c.unary = unary.data();
  c.transition = transition.data();
  c.lengths = lengths.data();
  c.batch = unary.shape(0);
  c.steps = unary.shape(1);
  c.states = unary.shape(2);
  // Python checks all this with better words; under vmap and torch.compile it cannot read the lengths.
  const auto rows_fit = [&](std::size_t n) { return n == 1 || std::int64_t(n) == c.batch; };
  bool good = lengths.shape(0) == unary.shape(0) && transition.ndim() == 4 && rows_fit(transition.shape(0)) &&
              std::int64_t(transition.shape(2)) == c.states && std::int64_t(transition.shape(3)) == c.states &&
              (transition.shape(1) <= 1 || std::int64_t(transition.shape(1)) == c.steps - 1) &&
              (!start || rows_fit(start->shape(0))) && (!end || rows_fit(end->shape(0)));
  for (std::int64_t b = 0; good && b < c.batch; ++b) good = c.lengths[b] >= 1 && c.lengths[b] <= c.steps;
  if (!good) throw nb::value_error("LinearChain: the factors must fit together and the lengths lie in 1 .. T");
  const std::int64_t square = c.states * c.states, per_step = transition.shape(1) > 1 ? square : 0;
  // transition is (1 | B, 1 | T - 1, S, S); with T = 2 one matrix serves the only step.
  c.transition_t = per_step;
  c.transition_b = transition.shape(0) > 1 ? std::int64_t(transition.shape(1)) * square : 0;
  c.start = start ? start->data() : nullptr;
  c.start_b = start && start->shape(0) > 1 ? c.states : 0;
  c.end = end ? end->data() : nullptr;
  c.end_b = end && end->shape(0) > 1 ? c.states : 0;
  return c;
}

// Order the sequences by mode, longest first, and cut them into blocks.
struct Plan {
  std::vector<std::int8_t> mode;
  std::vector<std::int64_t> order;
  std::vector<ChainBlock> blocks;
  bool any[3] = {false, false, false};

  template <class In> Plan(const Chain<In>& c, const ChainKernels<In>& kernels, int threads, bool certified) : mode(c.batch), order(c.batch) {
    if (certified)
      parallel_for(c.batch, threads, [&](int, std::int64_t lo, std::int64_t hi) { kernels.certify(c, lo, hi, mode.data()); });
    for (std::int64_t b = 0; b < c.batch; ++b) order[b] = b;
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return mode[a] != mode[b] ? mode[a] < mode[b] : c.lengths[a] > c.lengths[b];
    });
    const bool shared = !c.transition_b && !c.transition_t;
    for (std::size_t i = 0; i < order.size();) {
      const std::int8_t m = mode[order[i]];
      const bool full = shared && m == kScaled && i + kChainRows <= order.size() && mode[order[i + kChainRows - 1]] == m;
      const int count = full ? kChainRows : 1;
      blocks.push_back({&order[i], count, ChainMode(m)});
      any[m] = true;
      i += count;
    }
  }
};

// exp(transition), where all sequences share it.
template <class In> struct Shared {
  ChainShared view;
  Aligned scaled, scaled_transposed, wide, wide_transposed;
  Shared(const Chain<In>& c, const ChainKernels<In>& kernels, bool need_scaled, bool need_wide) {
    if (c.transition_b || c.transition_t || c.steps < 2) return;
    In top = c.transition[0];
    for (std::int64_t i = 1; i < c.states * c.states; ++i) top = c.transition[i] > top ? c.transition[i] : top;
    view.shift = double(top);
    if (need_scaled) {
      const std::size_t bytes = kernels.shared_size(c.states, false) * sizeof(In);
      scaled.allocate(bytes);
      scaled_transposed.allocate(bytes);
      kernels.share(c, scaled.data, scaled_transposed.data, view.shift, false);
    }
    if (need_wide) {
      const std::size_t bytes = kernels.shared_size(c.states, true) * sizeof(double);
      wide.allocate(bytes);
      wide_transposed.allocate(bytes);
      kernels.share(c, wide.data, wide_transposed.data, view.shift, true);
    }
    view.scaled = scaled.data;
    view.scaled_transposed = scaled_transposed.data;
    view.wide = wide.data;
    view.wide_transposed = wide_transposed.data;
  }
};

// Threads pay only above about a millisecond of work each.
template <class In> int useful_threads(const Chain<In>& c, int threads) {
  const double work = double(c.batch) * c.steps * (double(c.states) * c.states + 20.0 * c.states);
  return std::max(1, std::min(threads, int(work / 4e6)));
}

template <class In>
void chain_log_partition(In1<In> unary, In1<In> transition, std::optional<In1<In>> start, std::optional<In1<In>> end,
                         In1<std::int64_t> lengths, Out<In> out, int threads) {
  const auto c = make_chain<In>(unary, transition, start, end, lengths);
  if (!c.batch) return;
  const auto& kernels = chain_kernels<In>();
  nb::gil_scoped_release release;
  threads = useful_threads(c, threads);
  const Plan plan(c, kernels, threads, true);
  const Shared<In> shared(c, kernels, plan.any[kScaled], plan.any[kScaledDouble]);
  parallel_for(plan.blocks.size(), threads, [&](int, std::int64_t lo, std::int64_t hi) {
    for (std::int64_t k = lo; k < hi; ++k) kernels.log_partition(c, shared.view, plan.blocks[k], out.data());
  });
}

// `transition_out` is (1, 1, S, S) summed, (B, 1, S, S) per sequence, or (B, T - 1, S, S); zeroed, as `unary_out`.
template <class In>
void chain_gradient(In1<In> unary, In1<In> transition, std::optional<In1<In>> start, std::optional<In1<In>> end,
                    In1<std::int64_t> lengths, In1<In> weight, Out<In> unary_out, std::optional<Out<In>> transition_out,
                    bool summed, int threads) {
  const auto c = make_chain<In>(unary, transition, start, end, lengths);
  if (!c.batch) return;
  const auto& kernels = chain_kernels<In>();
  const std::int64_t square = c.states * c.states;
  ChainGradient<In> grad{weight.data(), unary_out.data(), nullptr, 0, 0};
  if (transition_out && c.steps > 1) {
    grad.transition = transition_out->data();
    const std::int64_t rows = transition_out->shape(1);
    // One matrix a sequence is also one a step if there is a single step.
    grad.transition_t = !summed && (rows > 1 || c.steps == 2) ? square : 0;
    grad.transition_b = summed ? 0 : rows * square;
  }
  nb::gil_scoped_release release;
  threads = useful_threads(c, threads);
  const Plan plan(c, kernels, threads, true);
  const Shared<In> shared(c, kernels, plan.any[kScaled], plan.any[kScaledDouble]);
  const int workers = static_cast<int>(std::min<std::int64_t>(threads, plan.blocks.size()));
  std::vector<std::vector<double>> sums(summed && grad.transition ? std::max(workers, 1) : 0, std::vector<double>(square, 0.0));
  parallel_for(plan.blocks.size(), threads, [&](int worker, std::int64_t lo, std::int64_t hi) {
    double* sum = sums.empty() ? nullptr : sums[worker].data();
    for (std::int64_t k = lo; k < hi; ++k) kernels.gradient(c, shared.view, plan.blocks[k], grad, sum);
  });
  for (const auto& sum : sums)
    for (std::int64_t i = 0; i < square; ++i) grad.transition[i] += In(sum[i]);
}

template <class In>
void chain_viterbi(In1<In> unary, In1<In> transition, std::optional<In1<In>> start, std::optional<In1<In>> end,
                   In1<std::int64_t> lengths, Out<std::int64_t> labels, int threads) {
  const auto c = make_chain<In>(unary, transition, start, end, lengths);
  if (!c.batch) return;
  const auto& kernels = chain_kernels<In>();
  nb::gil_scoped_release release;
  threads = useful_threads(c, threads);
  const Plan plan(c, kernels, threads, false);
  Aligned matrix, transposed;
  if (!c.transition_b && !c.transition_t && c.steps > 1) {
    const std::size_t bytes = kernels.shared_size(c.states, false) * sizeof(In);
    matrix.allocate(bytes);
    transposed.allocate(bytes);
    kernels.pad(c, static_cast<In*>(matrix.data), static_cast<In*>(transposed.data));
  }
  parallel_for(plan.blocks.size(), threads, [&](int, std::int64_t lo, std::int64_t hi) {
    for (std::int64_t k = lo; k < hi; ++k)
      kernels.viterbi(c, static_cast<const In*>(matrix.data), static_cast<const In*>(transposed.data), plan.blocks[k], labels.data());
  });
}

// `uniforms` and `labels` are (samples, B, T).
template <class In>
void chain_sample(In1<In> unary, In1<In> transition, std::optional<In1<In>> start, std::optional<In1<In>> end,
                  In1<std::int64_t> lengths, In1<double> uniforms, Out<std::int64_t> labels, int threads) {
  const auto c = make_chain<In>(unary, transition, start, end, lengths);
  if (!c.batch) return;
  const auto& kernels = chain_kernels<In>();
  const std::int64_t samples = uniforms.shape(0);
  nb::gil_scoped_release release;
  threads = useful_threads(c, threads);
  const Plan plan(c, kernels, threads, true);
  const Shared<In> shared(c, kernels, false, plan.any[kScaled] || plan.any[kScaledDouble]);
  parallel_for(plan.order.size(), threads, [&](int, std::int64_t lo, std::int64_t hi) {
    for (std::int64_t k = lo; k < hi; ++k) {
      const ChainBlock one{&plan.order[k], 1, ChainMode(plan.mode[plan.order[k]])};
      kernels.sample(c, shared.view, one, uniforms.data(), samples, labels.data());
    }
  });
}

template <class In>
void chain_modes(In1<In> unary, In1<In> transition, std::optional<In1<In>> start, std::optional<In1<In>> end,
                 In1<std::int64_t> lengths, Out<std::int8_t> modes) {
  const auto c = make_chain<In>(unary, transition, start, end, lengths);
  if (!c.batch) return;
  chain_kernels<In>().certify(c, 0, c.batch, modes.data());
}

template <class In> void bind(nb::module_& m) {
  const auto unary = nb::arg("unary").noconvert(), transition = nb::arg("transition").noconvert(),
             lengths = nb::arg("lengths").noconvert();
  const auto start = nb::arg("start").noconvert().none(), end = nb::arg("end").noconvert().none();
  m.def("chain_log_partition", chain_log_partition<In>, unary, transition, start, end, lengths, nb::arg("out").noconvert(), "threads"_a);
  m.def("chain_gradient", chain_gradient<In>, unary, transition, start, end, lengths, nb::arg("weight").noconvert(),
        nb::arg("unary_out").noconvert(), nb::arg("transition_out").noconvert().none(), "summed"_a, "threads"_a);
  m.def("chain_viterbi", chain_viterbi<In>, unary, transition, start, end, lengths, nb::arg("labels").noconvert(), "threads"_a);
  m.def("chain_sample", chain_sample<In>, unary, transition, start, end, lengths, nb::arg("uniforms").noconvert(),
        nb::arg("labels").noconvert(), "threads"_a);
  m.def("chain_modes", chain_modes<In>, unary, transition, start, end, lengths, nb::arg("modes").noconvert());
}

}  // namespace

void bind_chain(nb::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace algonets
