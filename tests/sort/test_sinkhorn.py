"""Optimal transport sort and doubly stochastic scaling against golden vectors and a plain loop."""

import math
import pickle
import warnings

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from algonets.projections._scaling import scale_matrix
from algonets.sort import Sinkhorn, gumbel_sinkhorn, hungarian, sinkhorn, soft_argsort, soft_rank, soft_sort
from algonets.sort.transport import transport
from tests.golden import select


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain_loop(logits: torch.Tensor, rounds: int) -> torch.Tensor:
    for _ in range(rounds):
        logits = logits - torch.logsumexp(logits, -1, keepdim=True)
        logits = logits - torch.logsumexp(logits, -2, keepdim=True)
    return logits.exp()


@pytest.mark.parametrize("case", select("neuralsort_softsort", "ot_soft_sort"))
def test_transport_equals_the_golden_vectors(case):
    n, m = case.meta["n"], case.meta["m"]
    inputs = {name: value.clone().requires_grad_() for name, value in case.inputs.items()}
    order = inputs["y"].argsort()
    p = transport("test", inputs["x"][None], inputs["y"][order], case.meta["eps"], 1000, 1e-12)[0]
    plan = p[order.argsort()].T / n
    ranks = torch.arange(1, m + 1, dtype=torch.float64) / m
    ours = {"plan": plan, "rank": n * plan @ ranks, "sorted": m * plan.T @ inputs["x"]}
    case.check_outputs(ours)
    case.check_grads(ours, inputs)


@pytest.mark.parametrize("case", select("neuralsort_softsort", "sinkhorn_doubly_stochastic"))
def test_scaling_equals_the_golden_vectors(case):
    inputs = {"X": case.inputs["X"].clone().requires_grad_()}
    ours = {"P": sinkhorn(inputs["X"], case.meta["tau"], tolerance=1e-12)}
    case.check_outputs(ours)
    case.check_grads(ours, inputs)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 10.0])
def test_scaling_equals_a_plain_loop_and_its_gradient(temperature):
    scores = randn(2, 5, 5).requires_grad_()
    ours, theirs = sinkhorn(scores, temperature, tolerance=1e-13), plain_loop(scores / temperature, 3000)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-11)
    weight = randn(2, 5, 5, seed=1)
    gradients = [torch.autograd.grad((p * weight).sum(), scores)[0] for p in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=1e-7, atol=1e-9)


def test_scaling_gradients_of_any_order():
    scores, temperature = randn(2, 3, 3).requires_grad_(), torch.tensor(0.8, dtype=torch.float64, requires_grad=True)

    def scaled(s, t):
        return sinkhorn(s, t, tolerance=1e-13)

    assert gradcheck(scaled, (scores, temperature)) and gradgradcheck(scaled, (scores, temperature))


def test_transport_gradients_in_the_strength():
    x, strength = randn(2, 4).requires_grad_(), torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    for squash in (True, False):

        def matrix(x, s, squash=squash):
            return soft_argsort(x, Sinkhorn(s, squash=squash))

        assert gradcheck(matrix, (x, strength)) and gradgradcheck(matrix, (x, strength))


def test_low_temperature_finds_the_best_assignment():
    scores = randn(6, 5, 5)
    torch.testing.assert_close(sinkhorn(scores, 0.01, tolerance=1e-6), hungarian(scores), rtol=0, atol=1e-2)


def test_forbidden_pairs():
    scores = randn(4, 4)
    scores[0, 1] = scores[2, 3] = -math.inf
    scores.requires_grad_()
    p = sinkhorn(scores, torch.tensor(0.7, dtype=torch.float64, requires_grad=True))
    assert p[0, 1] == p[2, 3] == 0
    torch.testing.assert_close(p.sum(-2), torch.ones(4, dtype=torch.float64))
    gradient = torch.autograd.grad(p.square().sum(), scores)[0]
    assert gradient.isfinite().all() and gradient[0, 1] == 0


def test_not_converging_says_so():
    scores = randn(3, 6, 6)
    with pytest.warns(RuntimeWarning, match=r"sinkhorn stopped after iterations=1 .*off by up to .* of 3 matrices"):
        sinkhorn(scores, 0.1, iterations=1)
    with pytest.warns(RuntimeWarning, match=r"Sinkhorn stopped after iterations=1 "):
        soft_sort(randn(1, 9), Sinkhorn(0.05, iterations=1))
    impossible = torch.tensor([[0.0, 0.0], [-math.inf, 0.0]])[None].expand(1, 2, 2).clone()
    impossible[0, 0, 0] = -math.inf
    with pytest.warns(RuntimeWarning, match="column sums off by up to 1"):
        assert sinkhorn(impossible).isfinite().all()


def test_one_bad_example_leaves_the_others_alone():
    good = randn(2, 3, 3)
    bad = torch.tensor([[0.0, -math.inf, 0.0], [0.0, -math.inf, 0.0], [0.0, -math.inf, 1.0]], dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        together = sinkhorn(torch.cat([good, bad[None]]))
    assert torch.equal(together[:2], sinkhorn(good))


@pytest.mark.parametrize("strength", [1e-6, 1e-4, 1e-2, 1.0, 100.0])
@pytest.mark.parametrize("n", [2, 16, 64])
def test_it_converges_at_every_strength(n, strength):
    """The warning is an error here. Items include near ties, so blocks of every coupling appear."""
    x = torch.cat([randn(4, n), randn(4, n).mul(4).round(), randn(4, n, seed=2) ** 5])
    p = soft_argsort(x, Sinkhorn(strength))
    ones = torch.ones(12, n, dtype=torch.float64)
    torch.testing.assert_close(p.sum(-1), ones, rtol=0, atol=1e-10)
    torch.testing.assert_close(p.sum(-2), ones, rtol=0, atol=1e-10)


def test_raw_items_are_shipped_as_they_are():
    x = randn(2, 5)
    targets = torch.linspace(0, 1, 5, dtype=torch.float64)
    cost = (x.unsqueeze(-2) - targets.unsqueeze(-1)).square()
    expected = plain_loop(-cost / 0.3, 2000)
    torch.testing.assert_close(soft_argsort(x, Sinkhorn(0.3, squash=False)), expected, rtol=0, atol=1e-9)
    squashed = torch.sigmoid((x - x.mean(-1, keepdim=True)) / x.std(-1, correction=0, keepdim=True))
    expected = plain_loop(-(squashed.unsqueeze(-2) - targets.unsqueeze(-1)).square() / 0.05, 5000)
    torch.testing.assert_close(soft_argsort(x, Sinkhorn(0.05)), expected, rtol=0, atol=1e-9)


def test_squashed_items_do_not_depend_on_the_unit():
    x = randn(3, 6)
    torch.testing.assert_close(soft_rank(x, Sinkhorn(0.05)), soft_rank(1e5 * x - 3e5, Sinkhorn(0.05)))


def test_memory_does_not_grow_with_the_rounds():
    saved = []
    for temperature in (100.0, 0.2):
        scores, sizes = randn(1, 8, 8).requires_grad_(), []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, s=sizes: s.append(t.numel()) or t, lambda t: t):
            sinkhorn(scores, temperature)
        saved.append(sum(sizes))
    assert saved[0] == saved[1]


def test_scaling_of_a_rectangle():
    p = scale_matrix("test", randn(2, 6, 3), 2.0, 100, 1e-12)
    torch.testing.assert_close(p.sum(-1), torch.ones(2, 6, dtype=torch.float64))
    torch.testing.assert_close(p.sum(-2), torch.full((2, 3), 2.0, dtype=torch.float64))


def test_batches_dtypes_vmap_and_empty():
    scores = randn(2, 3, 4, 4)
    whole = sinkhorn(scores, 0.5)
    torch.testing.assert_close(sinkhorn(scores[1, 2], 0.5), whole[1, 2])
    torch.testing.assert_close(torch.func.vmap(lambda s: sinkhorn(s, 0.5))(scores), whole)
    gradient = torch.func.vmap(torch.func.grad(lambda s: sinkhorn(s, 0.5).square().sum()))(scores)
    batched = scores.clone().requires_grad_()
    torch.testing.assert_close(gradient, torch.autograd.grad(sinkhorn(batched, 0.5).square().sum(), batched)[0])
    assert sinkhorn(scores.bfloat16(), 0.5).dtype == torch.bfloat16
    assert sinkhorn(scores[:0]).shape == (0, 3, 4, 4)
    assert sinkhorn(torch.zeros(2, 0, 0)).shape == (2, 0, 0)
    assert sinkhorn(torch.full((1, 1), 3.0)).item() == 1


def test_gumbel_noise():
    scores = randn(2, 4, 4).requires_grad_()
    first, second = (
        gumbel_sinkhorn(scores, 0.5, samples=3, generator=torch.Generator().manual_seed(7)) for _ in range(2)
    )
    assert first.shape == (3, 2, 4, 4) and torch.equal(first, second)
    assert not torch.allclose(first[0], first[1])
    torch.testing.assert_close(first.sum(-2), torch.ones(3, 2, 4, dtype=torch.float64))
    torch.testing.assert_close(gumbel_sinkhorn(scores, 0.5, noise_scale=0.0)[0], sinkhorn(scores, 0.5))
    hard = gumbel_sinkhorn(scores, 0.5, samples=3, generator=torch.Generator().manual_seed(7), hard=True)
    assert torch.equal(hard.detach().unique(), torch.tensor([0.0, 1.0], dtype=torch.float64))
    weight = randn(3, 2, 4, 4, seed=1)
    gradients = [torch.autograd.grad((p * weight).sum(), scores)[0] for p in (hard, first)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("count", [500, 20_000])
def test_gumbel_assignments_of_two_have_logistic_odds(count):
    """With n = 2 the diagonal wins if the difference of two sums of two Gumbels is below the lead."""
    lead = 0.8
    scores = torch.tensor([[lead, 0.0], [0.0, 0.0]], dtype=torch.float64)
    hard = gumbel_sinkhorn(scores, 1.0, samples=count, generator=torch.Generator().manual_seed(0), hard=True)
    gumbel = -torch.empty(2_000_000, 4, dtype=torch.float64).exponential_(generator=torch.Generator().manual_seed(1))
    gumbel = -gumbel.neg().log()
    expected = (lead + gumbel[:, 0] + gumbel[:, 1] > gumbel[:, 2] + gumbel[:, 3]).double().mean().item()
    assert hard[:, 0, 0].mean().item() == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(count))


@pytest.mark.parametrize("function", [sinkhorn, gumbel_sinkhorn])
@pytest.mark.parametrize(
    ("scores", "options", "error", "words"),
    [
        (torch.zeros(2, 3), {}, ValueError, ["(scores)", "n, n", "(2, 3)"]),
        (torch.zeros(3), {}, ValueError, ["(scores)"]),
        (torch.zeros(2, 2).long(), {}, TypeError, ["(scores)", "floating"]),
        (torch.full((2, 2), math.nan), {}, ValueError, ["(scores)", "NaN"]),
        (torch.zeros(2, 2), {"temperature": 0.0}, ValueError, ["(temperature)", "positive"]),
        (torch.zeros(2, 2), {"temperature": torch.ones(2)}, ValueError, ["(temperature)", "one element"]),
        (torch.zeros(2, 2), {"iterations": 0}, ValueError, ["(iterations)", "at least 1"]),
        (torch.zeros(2, 2), {"tolerance": -1.0}, ValueError, ["(tolerance)", "positive"]),
    ],
)
def test_error_says_what_is_wrong(function, scores, options, error, words):
    with pytest.raises(error) as caught:
        function(scores, **options)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(("options", "word"), [({"samples": 0}, "samples"), ({"noise_scale": -1.0}, "noise_scale")])
def test_bad_noise(options, word):
    with pytest.raises(ValueError, match=word):
        gumbel_sinkhorn(torch.zeros(2, 2), **options)


@pytest.mark.parametrize("options", [{"strength": 0.0}, {"iterations": 0}, {"tolerance": 0.0}])
def test_bad_method_options(options):
    with pytest.raises(ValueError, match=rf"Sinkhorn\({next(iter(options))}\)"):
        Sinkhorn(**options)


def test_the_method_is_shown_and_pickled():
    method = Sinkhorn(0.2, squash=False)
    assert repr(method) == "Sinkhorn(strength=0.2, squash=False, iterations=200, tolerance=1e-11)"
    assert repr(pickle.loads(pickle.dumps(method))) == repr(method)


def test_compile_sees_through():
    x = randn(3, 6).requires_grad_()
    for function in (lambda v: soft_sort(v, Sinkhorn(0.1)), lambda v: sinkhorn(v.unsqueeze(-1) * v.unsqueeze(-2), 0.5)):
        torch._dynamo.reset()
        compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(x), function(x))
        gradients = [torch.autograd.grad(f(x).sin().sum(), x)[0] for f in (compiled, function)]
        torch.testing.assert_close(*gradients)
