"""LinearChain against enumeration of all label sequences, on both backends."""

import itertools
import math

import pytest
import torch

import algonets as an
from algonets.dp import LinearChain
from tests.dp.chains import FORMS, enumerate_all, make


@pytest.mark.parametrize("forbid", [0.0, 0.4])
@pytest.mark.parametrize("form", FORMS)
def test_values_equal_enumeration(any_backend, form, forbid):
    for seed, (steps, states) in itertools.product(range(3), [(4, 3), (1, 3), (2, 2), (5, 1)]):
        factors = make(3, steps, states, form, seed=seed, forbid=forbid)
        chain, oracles = LinearChain(*factors), enumerate_all(*factors)

        def close(ours, name, oracles=oracles):
            torch.testing.assert_close(ours, torch.stack([getattr(o, name)() for o in oracles]), rtol=1e-12, atol=1e-12)

        close(chain.log_partition(), "log_partition")
        close(chain.max(), "max")
        close(chain.entropy(), "entropy")
        nodes, pairs = chain.marginals()
        close(nodes, "unary_marginals")
        close(pairs, "pairwise_marginals")
        scores, labels = chain.topk(4)
        torch.testing.assert_close(scores, torch.stack([o.kbest(4) for o in oracles]), rtol=1e-12, atol=1e-12)
        assert chain.count().tolist() == [float(o.allowed.sum()) for o in oracles]
        assert chain.feasible().tolist() == [bool(o.allowed.any()) for o in oracles]
        best = chain.argmax()
        for b, oracle in enumerate(oracles):
            n = oracle.length
            if not oracle.allowed.any():
                assert (best[b] == -1).all() and (labels[b] == -1).all()
                continue
            assert tuple(best[b, :n].tolist()) == oracle.sequences[int(oracle.scores.argmax())]
            assert (best[b, n:] == -1).all()
            wanted = oracle.scores.sort(descending=True).indices[:4].tolist()
            for rank, index in enumerate(wanted):
                expected = oracle.sequences[index] if oracle.allowed[index] else (-1,) * n
                assert tuple(labels[b, rank, :n].tolist()) == expected
            assert torch.equal(chain.score(labels[:, 0].clamp_min(0))[b], scores[b, 0])


@pytest.mark.parametrize("form", FORMS)
def test_gradients_equal_enumeration(any_backend, form):
    """First derivatives of log-partition and max, second ones through marginals and entropy."""
    factors = make(3, 4, 3, form, seed=5)
    inputs = [f.requires_grad_() for f in factors[:4]]
    g = torch.Generator().manual_seed(1)
    weight = torch.randn(3, generator=g, dtype=torch.float64)
    node_weight = torch.randn(3, 4, 3, generator=g, dtype=torch.float64)
    pair_weight = torch.randn(3, 3, 3, 3, generator=g, dtype=torch.float64)
    chain, oracles = LinearChain(*factors), enumerate_all(*factors)
    gather = lambda name: torch.stack([getattr(o, name)() for o in oracles])  # noqa: E731
    nodes, pairs = chain.marginals()
    cases = {
        "log_partition": ((chain.log_partition() * weight).sum(), (gather("log_partition") * weight).sum()),
        "max": ((chain.max() * weight).sum(), (gather("max") * weight).sum()),
        "entropy": ((chain.entropy() * weight).sum(), (gather("entropy") * weight).sum()),
        "nodes": ((nodes * node_weight).sum(), (gather("unary_marginals") * node_weight).sum()),
        "pairs": ((pairs * pair_weight).sum(), (gather("pairwise_marginals") * pair_weight).sum()),
    }
    for name, (ours, theirs) in cases.items():
        for a, b in zip(
            torch.autograd.grad(ours, inputs, retain_graph=True), torch.autograd.grad(theirs, inputs, retain_graph=True)
        ):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize("forbid", [0.0, 0.3])
@pytest.mark.parametrize("form", FORMS)
def test_gradcheck_twice(any_backend, form, forbid):
    factors = make(2, 3, 2, form, seed=3, forbid=forbid)
    fixed = [torch.where(f == -math.inf, f, torch.zeros_like(f)) for f in factors[:4]]
    inputs = tuple(torch.where(f == -math.inf, torch.zeros_like(f), f).requires_grad_() for f in factors[:4])

    def total(*x):
        value = LinearChain(*[a + b for a, b in zip(x, fixed)], factors[4]).log_partition(0.7)
        return torch.where(value > -math.inf, value, torch.zeros_like(value))  # no differences of infinities

    assert torch.autograd.gradcheck(total, inputs)
    assert torch.autograd.gradgradcheck(total, inputs)


def test_third_derivative_equals_reference():
    """The native second derivative is itself differentiable."""
    if not an.native_status()[0]:
        pytest.skip("the native kernels are not built here")
    x = torch.randn(1, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    tr = torch.randn(2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    results = []
    for name in ("native", "torch"):
        with an.backend(name):
            (g1,) = torch.autograd.grad(LinearChain(x, tr).log_partition().sum(), x, create_graph=True)
            (g2,) = torch.autograd.grad((g1**2).sum(), x, create_graph=True)
            results.append(torch.autograd.grad((g2**3).sum(), (x, tr)))
    for a, b in zip(*results):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


# ---- native kernels equal the reference ------------------------------------------------------------------------


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("steps", "states", "scale"), [(7, 5, 1), (6, 26, 20), (5, 33, 300), (3, 17, 1e4), (9, 64, 3), (2, 3, 1), (1, 4, 1)]
)
def test_native_equals_reference(isa, form, steps, states, scale):
    native = pytest.importorskip("algonets._native", exc_type=ImportError)
    before = native.isa()
    try:
        native.select_isa(isa)
    except ValueError:
        pytest.skip(f"this machine has no {isa}")
    try:
        for forbid, boundaries in ((0.0, True), (0.3, False)):
            factors = make(9, steps, states, form, boundaries, forbid, seed=2, scale=scale)
            inputs = [f.requires_grad_() for f in factors[:4] if f is not None]
            results = []
            for name in ("native", "torch"):
                with an.backend(name):
                    chain = LinearChain(*factors)
                    z = chain.log_partition()
                    live = torch.where(z > -math.inf, z, torch.zeros_like(z))
                    grads = torch.autograd.grad((live * torch.arange(1, 10)).sum(), inputs, materialize_grads=True)
                    sampled = chain.sample(3, torch.Generator().manual_seed(7))
                    results.append([z, *grads, *chain.marginals(), chain.argmax(), sampled])
            for ours, reference in zip(*results):
                torch.testing.assert_close(ours, reference, rtol=1e-10, atol=1e-10)
    finally:
        native.select_isa(before)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_change_the_result(threads):
    factors = make(64, 40, 64, "shared", seed=4, dtype=torch.float32)
    factors[0].requires_grad_()
    an.set_num_threads(threads)
    try:
        z = LinearChain(*factors).log_partition()
        (g,) = torch.autograd.grad(z.sum(), factors[0])
    finally:
        an.set_num_threads(None)
    with an.backend("torch"):
        wide = [f.detach().double() for f in factors[:4]]
        wide[0].requires_grad_()
        reference = LinearChain(*wide, factors[4]).log_partition()
        (expected,) = torch.autograd.grad(reference.sum(), wide[0])
    torch.testing.assert_close(z.double(), reference, rtol=1e-6, atol=1e-4)
    torch.testing.assert_close(g.double(), expected, rtol=1e-4, atol=1e-5)


# ---- numerics ---------------------------------------------------------------------------------------------------


def test_absorbing_groups_do_not_underflow(any_backend):
    """The scaled form alone returns -49.8 here in float32; the truth is +83.18 (two groups that never mix)."""
    steps, states = 30, 4
    unary = torch.zeros(1, steps, states)
    unary[:, :15, :2], unary[:, 15:, 2:] = 6.0, 11.0  # the first half favours a group that the second half punishes
    unary[:, 15:, :2] = -5.0
    transition = torch.full((states, states), -200.0)
    transition[:2, :2] = transition[2:, 2:] = 0.0
    exact = LinearChain(unary.double(), transition.double())
    with an.backend("torch"):
        truth = exact.log_partition()
    torch.testing.assert_close(exact.log_partition(), truth, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(LinearChain(unary, transition).log_partition().double(), truth, rtol=1e-6, atol=1e-5)
    paths = torch.tensor([15 * 6 - 15 * 5 + steps * math.log(2), 15 * 11 + steps * math.log(2)], dtype=torch.float64)
    torch.testing.assert_close(truth, torch.logsumexp(paths, 0)[None], rtol=1e-12, atol=1e-12)


def test_certificate_chooses_the_mode():
    native = pytest.importorskip("algonets._native", exc_type=ImportError)

    def mode(scale, dtype, transition=0.0):
        unary = torch.zeros(1, 3, 4, dtype=dtype)
        unary[0, 0, 0] = scale
        matrix = torch.zeros(1, 1, 4, 4, dtype=dtype)
        matrix[0, 0, 0, 1] = transition
        out = torch.empty(1, dtype=torch.int8)
        native.chain_modes(unary, matrix, None, None, torch.tensor([3]), out)
        return out.item()

    scaled, double, log = 0, 1, 2
    assert mode(59.0, torch.float32) == scaled and mode(61.0, torch.float32) == double
    assert mode(-61.0, torch.float32) == double and mode(601.0, torch.float32) == log
    assert mode(599.0, torch.float64) == scaled and mode(601.0, torch.float64) == log
    assert mode(40.0, torch.float32, 40.0) == double
    assert mode(1.0, torch.float32, -math.inf) == log


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_scores(any_backend, dtype):
    """Scores of +-1e4 over 200 steps: values to rounding, marginals that sum to one, hard where they must be."""
    factors = make(4, 200, 5, seed=1, scale=1e4, dtype=dtype)
    factors[0].requires_grad_()
    chain = LinearChain(*factors)
    nodes, pairs = chain.marginals()
    assert nodes.isfinite().all() and pairs.isfinite().all()
    inside = torch.arange(200) < factors[4][:, None]
    torch.testing.assert_close(nodes.sum(-1), inside.to(dtype), rtol=1e-4, atol=1e-4)
    z = chain.log_partition()
    torch.testing.assert_close(z, chain.max(), rtol=1e-5, atol=1e-3)
    (g,) = torch.autograd.grad(z.sum(), factors[0])
    torch.testing.assert_close(g, nodes, rtol=1e-4, atol=1e-4)


def test_infeasible_examples_do_not_spoil_the_batch(any_backend):
    unary = torch.zeros(3, 4, 2, dtype=torch.float64, requires_grad=True)
    transition = torch.zeros(3, 2, 2, dtype=torch.float64)
    transition[1] = -math.inf
    transition.requires_grad_()
    chain = LinearChain(unary, transition)
    for value in (chain.log_partition(), chain.max()):
        assert value[1] == -math.inf and value[[0, 2]].isfinite().all()
        grads = torch.autograd.grad(value.sum(), (unary, transition), retain_graph=True)
        assert all(g.isfinite().all() and (g[1] == 0).all() and (g[0] != 0).any() for g in grads)
    assert chain.feasible().tolist() == [True, False, True]
    nodes, pairs = chain.marginals()
    assert (nodes[1] == 0).all() and (pairs[1] == 0).all()
    assert (chain.sample(2)[:, 1] == -1).all() and (chain.argmax()[1] == -1).all()
    assert chain.entropy()[1] == 0 and chain.count()[1] == 0
    (second,) = torch.autograd.grad((nodes**2).sum(), unary)
    assert second.isfinite().all()


def test_hard_limit_and_equal_scores(any_backend):
    factors = make(3, 5, 3, seed=9)
    chain = LinearChain(*factors)
    torch.testing.assert_close(chain.log_partition(1e-4), chain.max(), rtol=0, atol=1e-3)
    hard = torch.nn.functional.one_hot(chain.argmax().clamp_min(0), 3) * (chain.argmax() >= 0).unsqueeze(-1)
    torch.testing.assert_close(chain.marginals(1e-4)[0], hard.double(), rtol=0, atol=1e-9)
    ties = LinearChain(torch.zeros(4, 3), torch.zeros(3, 3))
    assert ties.argmax().tolist() == [0, 0, 0, 0]
    torch.testing.assert_close(ties.log_partition(), torch.tensor(4 * math.log(3)))
    x = torch.zeros(4, 3, requires_grad=True)
    (g,) = torch.autograd.grad(LinearChain(x, torch.zeros(3, 3)).max(), x)
    assert g.tolist() == [[1, 0, 0]] * 4  # one sequence is marked, the gradient is not split


def test_temperature_may_be_learned(any_backend):
    factors = make(2, 3, 2, seed=1)
    tau = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: LinearChain(*factors).log_partition(t), (tau,))
    assert torch.autograd.gradcheck(lambda t: LinearChain(*factors).marginals(t), (tau,))
