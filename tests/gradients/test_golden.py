"""Golden vectors: expected solutions and their gradients, blackbox gradients, SPO+, SparseMAP."""

import functools

import pytest
import torch

import algonets as an
from algonets.distributions import Gaussian, GumbelMax
from algonets.gradients import FrankWolfe, Identity, Interpolated, Perturbed, Solver
from algonets.losses import FenchelYoung, SPOPlus, regret
from tests.golden import assert_close, select
from tests.gradients.solvers import argmax, best_vertex, matching, ranking, topk

FEW, MANY = 500, 32000


def law_of(case):
    return (Gaussian if case.meta["noise"].startswith("gaussian") else GumbelMax)(case.meta["sigma"])


def error(ours, truth):
    return (ours.detach() - truth).square().mean().sqrt().item()


def converges(estimate, truth, slack=6.0):
    """The error falls with more samples, to what so many allow."""
    few, many = (error(estimate(samples), truth) for samples in (FEW, MANY))
    size = max(1.0, truth.abs().max().item())
    assert many < slack * size / MANY**0.5, (few, many)
    assert many < 0.5 * few or many < 0.5 * size / MANY**0.5, (few, many)


def check_expected(case, solver, name):
    theta, truth = case.inputs["theta"], case.outputs[name]
    weight, slope = case.weights[name], case.grads["theta"]
    for gradient, options in (
        ("score", {}),
        ("score", {"quasi": True}),
        ("difference", {}),
    ):

        def estimate(samples, gradient=gradient, options=options, slopes=False):
            given = theta.clone().requires_grad_()
            layer = Perturbed(solver, law_of(case), samples, gradient, **options)
            y = layer(given, generator=torch.Generator().manual_seed(samples))
            return torch.autograd.grad((y * weight).sum(), given)[0] if slopes else y

        converges(estimate, truth)
        # A difference has a bias that falls with the step, hence slowly.
        slack = 30.0 if gradient == "score" else 60.0
        converges(functools.partial(estimate, slopes=True), slope, slack)


@pytest.mark.parametrize("case", select("estimators", "perturbed_argmax"))
def test_perturbed_argmax(case):
    theta = case.inputs["theta"]
    law = law_of(case)

    def both(samples, gradient, slopes):
        given = theta.clone().requires_grad_()
        layer = Perturbed(argmax, law, samples, gradient)
        y = layer(given, generator=torch.Generator().manual_seed(samples))
        value, _ = layer.regularised_maximum(given, generator=torch.Generator().manual_seed(samples))
        if not slopes:
            return y, value
        total = (case.weights["expected_argmax"] * y).sum() + (case.weights["expected_max"] * value).sum()
        return torch.autograd.grad(total, given)[0]

    converges(lambda samples: both(samples, "score", False)[0], case.outputs["expected_argmax"])
    converges(lambda samples: both(samples, "score", False)[1], case.outputs["expected_max"])
    for gradient, slack in (("score", 30.0), ("difference", 60.0)):
        converges(functools.partial(both, gradient=gradient, slopes=True), case.grads["theta"], slack)


@pytest.mark.parametrize("case", select("estimators", "perturbed_topk"))
def test_perturbed_topk(case):
    check_expected(case, functools.partial(topk, k=case.meta["k"]), "expected_indicator")


@pytest.mark.parametrize("case", select("estimators", "perturbed_rank"))
def test_perturbed_rank(case):
    check_expected(case, ranking, "expected_rank")


@pytest.mark.parametrize("case", select("estimators", "fenchel_young_perturbed"))
def test_fenchel_young(case):
    theta, y = case.inputs["theta"], case.inputs["y"]

    def estimate(samples, slopes):
        given = theta.clone().requires_grad_()
        loss = FenchelYoung(Perturbed(argmax, law_of(case), samples), reduction="none")
        value = loss(given, y, generator=torch.Generator().manual_seed(samples))
        return torch.autograd.grad((case.weights["loss"] * value).sum(), given)[0] if slopes else value

    converges(functools.partial(estimate, slopes=False), case.outputs["loss"])
    converges(functools.partial(estimate, slopes=True), case.grads["theta"])


def exact(case, name, layer, given):
    inputs = {given: case.inputs[given].clone().requires_grad_()}
    ours = {name: layer(inputs[given])}
    case.check_outputs(ours)
    case.check_grads(ours, inputs)


@pytest.mark.parametrize("case", select("estimators", "blackbox_rank"))
def test_blackbox_rank(case):
    n = case.meta["n"]
    solver = Solver(lambda theta: (n + 1 - ranking(theta)) / n, "min")  # the largest gets 1 / n
    exact(case, "normalised", Interpolated(solver, case.meta["lam"]), "theta")


@pytest.mark.parametrize("case", select("estimators", "blackbox_shortest_path"))
def test_blackbox_shortest_path(case):
    with an.backend("torch"):
        layer = Interpolated(an.graph.GridPath(8), case.meta["lam"], keep_sign=True)
        cost = case.inputs["cost"].clone().requires_grad_()
        path, lam, weight = layer(cost), case.meta["lam"], case.weights["path"]
        case.check_outputs({"path": path})
        (slope,) = torch.autograd.grad((weight * path).sum(), cost)
        moved = (cost.detach() + lam * weight).clamp_min(0)
        # Clipping makes ties: compare the other path by its cost.
        other, theirs = path.detach() + lam * slope, case.outputs["path_perturbed"]
        assert_close((moved * other).sum((-2, -1)), (moved * theirs).sum((-2, -1)), case.tol)


def subset_solver(case):
    return Solver(functools.partial(lambda theta, k: topk(-theta, k), k=case.meta["k"]), "min")


@pytest.mark.parametrize("case", select("estimators", "blackbox_backprop"))
def test_blackbox_backprop(case):
    exact(case, "y", Interpolated(subset_solver(case), case.meta["lam"]), "cost")


@pytest.mark.parametrize("case", select("estimators", "identity_backprop"))
def test_identity_backprop(case):
    exact(case, "y", Identity(subset_solver(case), "none"), "cost")


@pytest.mark.parametrize("case", select("estimators", "spo_plus"))
def test_spo_plus(case):
    vertices = case.inputs["vertices"]
    solver = Solver(lambda theta: best_vertex(-theta, vertices), "min")
    predicted, true = case.inputs["predicted_cost"].clone().requires_grad_(), case.inputs["true_cost"]
    best = case.outputs["true_solution"].double()
    for known in (None, best):
        loss = SPOPlus(solver, reduction="none")(predicted, true, known)
        case.check_outputs({"loss": loss, "regret": regret(solver, predicted, true, known)})
        case.check_grads({"loss": loss}, {"predicted_cost": predicted})


@pytest.mark.parametrize("case", select("estimators", "sparsemax"))
def test_sparsemax(case):
    exact(case, "p", FrankWolfe(argmax), "z")


@pytest.mark.parametrize("case", select("estimators", "k_subset_projection"))
def test_k_subsets(case):
    exact(case, "p", FrankWolfe(functools.partial(topk, k=case.meta["k"])), "z")


@pytest.mark.parametrize("case", select("estimators", "permutahedron_projection"))
def test_permutahedron(case):
    w = case.inputs["w"]
    layer = FrankWolfe(lambda theta: w.flip(0)[theta.argsort(-1).argsort(-1)])
    z = case.inputs["z"].clone().requires_grad_()
    y = layer(z)
    case.check_outputs({"y": y})
    (slope,) = torch.autograd.grad((case.weights["y"] * y).sum(), z)
    assert_close(slope, case.grads["z"], case.tol_grad, relative_to_largest=True)


@pytest.mark.parametrize("case", select("estimators", "sparsemap_matching"))
def test_sparsemap_matching(case):
    exact(case, "mu", FrankWolfe(matching), "theta")


@pytest.mark.parametrize("case", select("estimators", "sparsemap_chain"))
def test_sparsemap_chain(case):
    unary, pairwise = case.inputs["unary"], case.inputs["pairwise"]
    steps, states = case.meta["T"], case.meta["S"]
    paths = torch.cartesian_prod(*[torch.arange(states)] * steps)
    single = torch.eye(states, dtype=unary.dtype)[paths]
    double = torch.einsum("pti,ptj->ptij", single[:, :-1], single[:, 1:])
    vertices = torch.cat([single.flatten(1), double.flatten(1)], 1)
    # Only the unary part is regularised; the pairwise part nearly not at all.
    weights = torch.cat([torch.ones(steps * states), torch.full((double[0].numel(),), 1e-8)]).double()
    theta = torch.cat([unary.flatten(1), pairwise.flatten(1)], 1)
    mu = FrankWolfe(lambda given: best_vertex(given, vertices), weights=weights)(theta)
    case.check_outputs({"unary_mu": mu[:, : steps * states].reshape(unary.shape)})
    part = mu[:, : steps * states]
    case.check_outputs({"objective": (theta * mu).sum(-1) - 0.5 * part.square().sum(-1)})
