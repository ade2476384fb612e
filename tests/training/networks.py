"""Tiny networks, and the Fisher information of their parameters by its definition."""

import itertools

import torch
from torch import nn
from torch.func import functional_call


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def perceptron(*sizes, seed=0):
    torch.manual_seed(seed)
    layers = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*layers[:-1]).double()


def dense_fisher(model, x, law):
    """``1/N sum_n J_n^T F_z J_n`` with explicit Jacobians."""
    parameters = dict(model.named_parameters())
    total = 0.0
    for row in x:
        jacobian = torch.func.jacrev(lambda p, row=row: functional_call(model, p, row[None])[0])(parameters)
        outputs = model(row[None])[0].detach()
        flat = torch.cat([jacobian[name].reshape(len(outputs), -1) for name in parameters], 1)
        inner = torch.stack([law.fisher(outputs, unit) for unit in torch.eye(len(outputs), dtype=x.dtype)], 1)
        total = total + flat.mT @ inner @ flat
    return (total / len(x)).detach()
