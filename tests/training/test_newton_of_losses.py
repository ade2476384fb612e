"""Newton losses of every loss in the library: smooth ones fall, those without curvature keep their gradients."""

import pytest
import torch
from torch.nn.functional import one_hot

from algonets import dp, gradients, graph, losses, sort
from algonets.training import NewtonLoss


def pick(theta):
    return one_hot(theta.argmax(-1), theta.shape[-1]).to(theta)


def likelihood(z, y):
    return dp.LinearChain(z, z.new_zeros(5, 5)).log_partition() - z.gather(-1, y[..., None]).sum((1, 2))


METHOD = sort.NeuralSort(0.5)
POOL = losses.SolutionPool(pick, torch.eye(5))
RIGHT, COSTS = (
    one_hot(torch.tensor([4, 0, 3]), 5).double(),
    torch.randn(3, 5, generator=torch.Generator().manual_seed(1)),
)
CLASSES, RANKS = torch.tensor([1, 4, 0]), torch.tensor([[3.0, 0, 1, 2, 0], [0, 1, 2, 3, 0], [1, 0, 0, 0, 2]])
NONE = {"reduction": "none"}
PINBALL = losses.QuantileLoss(0.5, **NONE)
TAGS = torch.tensor([[0, 2, 1], [1, 1, 0], [2, 2, 2]])

SMOOTH = {
    "permutation": (losses.PermutationCrossEntropy(METHOD, **NONE), COSTS),
    "spearman": (losses.Spearman(METHOD, **NONE), COSTS),
    "top-k": (losses.TopKCrossEntropy(METHOD, 2, **NONE), CLASSES),
    "ndcg": (losses.NeuralNDCG(METHOD, **NONE), RANKS),
    "pirank": (losses.PiRank(METHOD, **NONE), RANKS),
    "fenchel-young": (losses.FenchelYoung(gradients.Perturbed(pick, samples=2000), **NONE), RIGHT),
    "noise contrastive": (losses.NoiseContrastive(POOL, **NONE), RIGHT),
    "learning to rank": (losses.LearningToRank(POOL, **NONE), COSTS),
    "chain": (
        lambda z, y: dp.LinearChain(z, z.new_zeros(5, 5)).log_partition() - z.gather(-1, y[..., None]).sum((1, 2)),
        TAGS,
    ),
    "ctc": (lambda z, y: -dp.CTC(z.log_softmax(-1), y + 1).log_partition(), TAGS[:, :1]),
    "soft-dtw": (lambda z: dp.SoftDTW(z.square(), 0.3).log_partition().neg(), None),
    "soft path": (lambda z: graph.SoftShortestPath(graph.GridPath(), 0.5)(z.exp()).square().flatten(1).sum(1), None),
}
KINKED = {
    "quantile": (lambda z, y: PINBALL(z[:, 0], y[:, 0]), COSTS),
    "perceptron": (losses.Perceptron(pick, **NONE), RIGHT),
    "hinge": (losses.StructuredHinge(pick, **NONE), RIGHT),
    "spo+": (losses.SPOPlus(pick, **NONE), COSTS),
    "perturbation gradient": (losses.PerturbationGradient(pick, 5.0, **NONE), COSTS),
    "map contrastive": (losses.MAPContrastive(POOL, **NONE), RIGHT),
}
MAPS = ("chain", "ctc", "soft-dtw", "soft path")


def outputs(name):
    shape = (3, 3, 5) if name in MAPS else (3, 5)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()


def targets(target):
    return () if target is None else (target.double() if target.is_floating_point() else target,)


@pytest.mark.parametrize("mode", ["hessian", "fisher"])
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_losses_fall(name, mode):
    loss, target = SMOOTH[name]
    z, more = outputs(name), targets(target)
    NewtonLoss(loss, mode, damping=1.0, reduction="sum")(z, *more).backward()
    torch.manual_seed(0)
    before = loss(z.detach(), *more)
    torch.manual_seed(0)
    after = loss(z.detach() - 0.1 * z.grad, *more)
    assert after.shape == before.shape == (3,) and z.grad.isfinite().all()
    assert after.sum() < before.sum() - 1e-5


@pytest.mark.parametrize("name", KINKED)
def test_losses_without_curvature_keep_their_gradient(name):
    loss, target = KINKED[name]
    z, more = outputs(name), targets(target)
    (gradient,) = torch.autograd.grad(loss(z, *more).sum(), z)
    NewtonLoss(loss, damping=0.5, reduction="sum")(z, *more).backward()
    assert gradient.any()
    torch.testing.assert_close(z.grad, gradient / 0.5)


def test_a_layer_that_is_differentiable_once_says_so():
    loss = losses.Imitation(gradients.Perturbed(pick, samples=20), **NONE)
    with pytest.raises(ValueError, match="mode='fisher'"):
        NewtonLoss(loss)(outputs("imitation"), RIGHT)
    z = outputs("imitation")
    NewtonLoss(loss, "fisher")(z, RIGHT).backward()
    assert z.grad.isfinite().all() and z.grad.any()


def test_every_loss_is_here():
    kinds = {type(loss).__name__ for loss, _ in [*SMOOTH.values(), *KINKED.values(), (PINBALL, None)]}
    known = {name for name in losses.__all__ if isinstance(getattr(losses, name), type)}
    assert known - kinds == {"Imitation", "SolutionPool"}
