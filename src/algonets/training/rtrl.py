"""Real-time recurrent learning: the exact derivative of the state, carried forward."""

from typing import Any, final

import torch
from torch import Tensor

from algonets.training.online import OnlineLearner

__all__ = ["RTRL"]


@final
class RTRL(OnlineLearner):
    r"""Real-time recurrent learning: exact gradients without history.

    .. math:: G_{t+1} = \frac{\partial f}{\partial s} G_t + \frac{\partial f}{\partial \theta}, \qquad
        \frac{dL}{d\theta} = \frac{\partial L}{\partial s} G

    Args, Raises: as :class:`OnlineLearner`.

    Differentiability: none; it makes gradients, those of backpropagation through all of time.
    Cost: memory O(batch S P) and time O(batch S^2 P) a step, for S units and P parameters: for small systems, and to
        check the others.
    References: Williams, Zipser 1989, A Learning Algorithm for Continually Running Fully Recurrent Neural Networks.

    Example:
        >>> def leaky(parameters, x, s):
        ...     return parameters["keep"] * s + x
        >>> keep = torch.tensor([0.5], requires_grad=True)
        >>> learner = RTRL(leaky, torch.zeros(1), {"keep": keep})
        >>> for _ in range(3):  # s = 1, 1.5, 1.75
        ...     state = learner.advance(torch.ones(1))
        >>> learner.gradient(torch.ones(1))["keep"]  # d(1 + k + k^2) / dk
        tensor([2.])
    """

    def _forget(self) -> None:
        shape = (*self._state.shape, self._size)
        self._influence = torch.zeros(shape, dtype=self._state.dtype, device=self._state.device)

    def _advance(self, x: Any, s: Tensor) -> Tensor:
        theta = self._packed()

        def twice(theta: Tensor, x: Any, s: Tensor) -> tuple[Tensor, Tensor]:
            following = self._step(theta, x, s)
            return following, following

        jacobians = torch.func.jacrev(twice, argnums=(0, 2), has_aux=True)
        (by_theta, by_state), following = self._over_batch(lambda x, s: jacobians(theta, x, s), x, s)
        self._influence = by_state @ self._influence + by_theta
        return following

    def _gradient(self, by_state: Tensor) -> Tensor:
        return torch.einsum("bs,bsp->p", by_state, self._influence)
