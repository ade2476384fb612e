"""Small solvers: obviously right, batched, picklable."""

import itertools

import torch

__all__ = ["argmax", "best_vertex", "cheapest", "matching", "permutations", "ranking", "topk"]


def argmax(theta):
    """The vertex of the simplex with the largest score."""
    return torch.zeros_like(theta).scatter(-1, theta.argmax(-1, keepdim=True), 1.0)


class Cheapest:
    """The vertex of least cost."""

    sense = "min"

    def __call__(self, theta):
        """Solve."""
        return argmax(-theta)

    def __repr__(self):
        return "Cheapest()"


cheapest = Cheapest()


def topk(theta, k=2):
    """The indicator of the k largest."""
    return torch.zeros_like(theta).scatter(-1, theta.topk(k, -1).indices, 1.0)


def ranking(theta):
    """Ascending ranks, the smallest gets 1."""
    return theta.argsort(-1).argsort(-1).to(theta.dtype) + 1


def best_vertex(theta, vertices):
    """The best row of a list of solutions ``(V, *event)``."""
    flat = vertices.to(theta).flatten(1)
    return flat[(theta.flatten(1) @ flat.mT).argmax(-1)].reshape(theta.shape)


def permutations(n, dtype=torch.float64):
    """All permutation matrices, ``(n!, n, n)``."""
    return torch.stack([torch.eye(n, dtype=dtype)[list(p)] for p in itertools.permutations(range(n))])


class Matching:
    """The best permutation matrix, by enumeration."""

    event_dims = 2

    def __call__(self, theta):
        """Solve."""
        return best_vertex(theta, permutations(theta.shape[-1]))

    def __repr__(self):
        return "Matching()"


matching = Matching()
