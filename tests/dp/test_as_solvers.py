"""Dynamic programs as solvers: the layers of ``gradients`` and the losses around any solver take their argmax."""

import pytest
import torch

from algonets import losses
from algonets.dp import CKY, ProjectiveDependency, SoftDTW, SpanningTreeDependency
from algonets.gradients import Interpolated, Perturbed

SOLVERS = {
    "ProjectiveDependency": (lambda theta: ProjectiveDependency(theta).argmax(), (4, 4)),
    "SpanningTreeDependency": (lambda theta: SpanningTreeDependency(theta).argmax(), (4, 4)),
    "SoftDTW": (lambda theta: SoftDTW(-theta, 0.0).alignment(), (4, 3)),
    "CKY": (lambda theta: CKY(theta.unsqueeze(-1)).argmax().squeeze(-1), (4, 4)),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_layers_and_losses_around_the_argmax(name):
    solver, shape = SOLVERS[name]
    generator = torch.Generator().manual_seed(0)
    theta = torch.randn(2, *shape, generator=generator).requires_grad_()
    right = solver(torch.randn(2, *shape, generator=generator))
    torch.manual_seed(0)
    fenchel_young = losses.FenchelYoung(Perturbed(solver, samples=8, event_dims=2))
    for loss in (fenchel_young, losses.Perceptron(solver, event_dims=2), losses.StructuredHinge(solver, event_dims=2)):
        value = loss(theta, right)
        (gradient,) = torch.autograd.grad(value, theta)
        assert value.isfinite() and gradient.isfinite().all() and gradient.abs().sum() > 0
    best = solver(theta.detach())
    assert losses.Perceptron(solver, event_dims=2)(theta, best).abs() < 1e-5
    y = Interpolated(solver, event_dims=2)(theta)
    assert torch.equal(y.detach(), best)
    assert torch.autograd.grad((y * right).sum(), theta)[0].isfinite().all()
