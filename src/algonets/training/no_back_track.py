"""NoBackTrack: a random rank-one image of the derivative of the state, one sign a unit."""

from typing import Any, final

import torch
from torch import Tensor

from algonets.training.uoro import RankOne, RankOneLearner, balance

__all__ = ["NoBackTrack"]


@final
class NoBackTrack(RankOneLearner):
    r"""NoBackTrack: as :class:`UORO`, with one sign and one balance for each unit, hence a smaller variance.

    .. math:: \tilde s \leftarrow \rho_0 \frac{\partial f}{\partial s} \tilde s + \sum_i \rho_i \nu_i e_i, \qquad
        \tilde\theta \leftarrow \frac{\tilde\theta}{\rho_0} + \sum_i \frac{\nu_i}{\rho_i}
        \frac{\partial f_i}{\partial\theta}, \qquad \rho_i = \sqrt{|\partial f_i / \partial\theta|}

    Args:
        cell: As :class:`OnlineLearner`.
        state: As :class:`OnlineLearner`.
        parameters: As :class:`OnlineLearner`.
        samples: Independent estimates that are averaged; the variance falls as 1 / samples.
        generator: Of the signs.

    Raises: as :class:`OnlineLearner`; ValueError if ``samples`` is below 1.

    Differentiability: none; its gradients are unbiased and noisy.
    Cost: memory O(batch (samples (S + P) + S P)), as the derivative of every unit is built for a moment: S backward
        passes a step. Constant in time.
    References: Ollivier, Tallec, Charpiat 2015, Training Recurrent Networks Online without Backtracking, section 1.3.

    Example:
        >>> learner = NoBackTrack(torch.nn.RNNCell(2, 4), torch.zeros(4))
        >>> state = learner.advance(torch.randn(2))
        >>> learner.gradient(torch.ones(4))["bias_hh"].shape
        torch.Size([4])
    """

    def _advance(self, x: Any, s: Tensor) -> Tensor:
        theta = self._packed()

        def one(x: Any, s: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            def twice(theta: Tensor) -> tuple[Tensor, Tensor]:
                following = self._step(theta, x, s)
                return following, following

            by_theta, following = torch.func.jacrev(twice, has_aux=True)(theta)
            push = torch.func.vmap(lambda t: torch.func.jvp(lambda s: self._step(theta, x, s), (s,), (t,))[1])
            return following, push(tangents), by_theta

        following, pushed, by_theta = self._over_batch(one, x, s, self._estimate.state.transpose(0, 1))
        pushed = pushed.transpose(0, 1)
        signs = self._signs(self._estimate.state)
        own = by_theta.norm(dim=-1).sqrt()  # a unit vector has norm 1
        own = torch.where(own == 0, torch.ones_like(own), own)
        old = balance(self._estimate.theta.norm(dim=-1, keepdim=True), pushed.norm(dim=-1, keepdim=True))
        fresh = torch.einsum("kbs,bsp->kbp", signs / own, by_theta)
        self._estimate = RankOne(old * pushed + own * signs, self._estimate.theta / old + fresh)
        return following
