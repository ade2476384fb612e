"""Unbiased online recurrent optimisation: a random rank-one image of the derivative of the state."""

from collections.abc import Mapping
from typing import Any, NamedTuple, final

import torch
from torch import Tensor
from torch.autograd import forward_ad

from algonets._core.checks import check_at_least
from algonets.training.online import Cell, OnlineLearner, State

__all__ = ["UORO"]


class RankOne(NamedTuple):
    """``G`` is estimated by ``state (samples, B, S)`` times ``theta (samples, B, P)``, averaged over samples."""

    state: Tensor
    theta: Tensor


class RankOneLearner(OnlineLearner):
    """A learner that keeps random rank-one estimates."""

    def __init__(
        self,
        cell: Cell,
        state: State,
        parameters: Mapping[str, Tensor] | None = None,
        *,
        samples: int = 1,
        generator: torch.Generator | None = None,
    ):
        self.samples = check_at_least(f"{type(self).__name__}(samples=...)", samples, 1)
        self.generator = generator
        super().__init__(cell, state, parameters)

    def _forget(self) -> None:
        count, width = self._state.shape
        zeros = self._state.new_zeros
        self._estimate = RankOne(zeros(self.samples, count, width), zeros(self.samples, count, self._size))

    def _gradient(self, by_state: Tensor) -> Tensor:
        weights = torch.einsum("bs,kbs->kb", by_state, self._estimate.state)
        return torch.einsum("kb,kbp->p", weights, self._estimate.theta) / self.samples

    def _signs(self, like: Tensor) -> Tensor:
        drawn = torch.randint(0, 2, like.shape, generator=self.generator, device=like.device)
        return drawn.to(like.dtype) * 2 - 1


@final
class UORO(RankOneLearner):
    r"""Unbiased online recurrent optimisation: online gradients in the memory of the parameters.

    .. math:: \tilde s \leftarrow \rho_0 \frac{\partial f}{\partial s} \tilde s + \rho_1 \nu, \qquad
        \tilde\theta \leftarrow \frac{\tilde\theta}{\rho_0} +
        \frac{1}{\rho_1}\Big(\frac{\partial f}{\partial \theta}\Big)^{\!\top} \nu, \qquad
        E[\tilde s \tilde\theta^\top] = \frac{ds}{d\theta}

    with random signs :math:`\nu` and :math:`\rho_0, \rho_1` that balance the norms, which minimises the variance.

    Args:
        cell: As :class:`OnlineLearner`.
        state: As :class:`OnlineLearner`.
        parameters: As :class:`OnlineLearner`.
        samples: Independent estimates that are averaged; the variance falls as 1 / samples. A batch averages, too.
        generator: Of the signs.

    Raises: as :class:`OnlineLearner`; ValueError if ``samples`` is below 1.

    Differentiability: none; its gradients are unbiased and noisy. Take a rate some ten times lower than with
        backpropagation.
    Cost: memory O(samples batch (S + P)) and about three forward passes a step, for ever.
    References: Tallec, Ollivier 2018, Unbiased Online Recurrent Optimization, algorithm 1.

    Example:
        >>> learner = UORO(torch.nn.GRUCell(2, 8), torch.zeros(4, 8), samples=2)
        >>> for _ in range(10):
        ...     state = learner.advance(torch.randn(4, 2))
        >>> learner.gradient(torch.ones(4, 8))["weight_hh"].shape
        torch.Size([24, 8])
    """

    def _advance(self, x: Any, s: Tensor) -> Tensor:
        signs = self._signs(self._estimate.state)
        products = self._products_of_one if signs.shape[:2] == (1, 1) else self._products
        following, pushed, pulled = products(x, s, self._estimate.state, signs)
        old = balance(_norm(self._estimate.theta), _norm(pushed))
        new = balance(_norm(pulled), _norm(signs))
        self._estimate = RankOne(old * pushed + new * signs, self._estimate.theta / old + pulled / new)
        return following

    def _products(self, x: Any, s: Tensor, tangent: Tensor, signs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Next state, ``J_s s~`` and ``J_theta^T nu``, over samples and batch."""
        theta = self._packed()

        def one(x: Any, s: Tensor, tangents: Tensor, signs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            made: Any = torch.func.vjp(lambda theta, s: self._step(theta, x, s), theta, s)
            following, pull = made
            push = torch.func.vmap(lambda t: torch.func.jvp(lambda s: self._step(theta, x, s), (s,), (t,))[1])
            return following, push(tangents), torch.func.vmap(lambda v: pull(v)[0])(signs)

        following, pushed, pulled = self._over_batch(one, x, s, tangent.transpose(0, 1), signs.transpose(0, 1))
        return following, pushed.transpose(0, 1), pulled.transpose(0, 1)

    def _products_of_one(self, x: Any, s: Tensor, tangent: Tensor, signs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same for one example and one sample: one pass forward and one back, without the cost of ``vmap``."""
        with torch.enable_grad(), forward_ad.dual_level():
            named = {name: p.detach().requires_grad_() for name, p in self.parameters.items()}
            state = forward_ad.make_dual(s[0], tangent[0, 0])
            following, pushed = forward_ad.unpack_dual(self._call(named, None if x is None else x[0], state))
            pulled = torch.autograd.grad(following, list(named.values()), signs[0, 0], allow_unused=True)
        flat = [torch.zeros_like(p) if g is None else g for p, g in zip(named.values(), pulled, strict=True)]
        packed = torch.cat([g.reshape(-1) for g in flat])
        moved = torch.zeros_like(s[0]) if pushed is None else pushed
        return following.detach()[None], moved.detach()[None, None], packed[None, None]


def balance(theta: Tensor, state: Tensor) -> Tensor:
    """``sqrt(|theta| / |state|)``: both factors of a product get the same norm; 1 where one of them is zero."""
    free = (theta == 0) | (state == 0)
    one = torch.ones_like(theta)
    return torch.where(free, one, (theta / torch.where(free, one, state)).sqrt())


def _norm(x: Tensor) -> Tensor:
    return x.norm(dim=-1, keepdim=True)
