"""Natural gradient descent by exact Fisher-vector products and conjugate gradients."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from algonets._core.checks import check_at_least, check_positive
from algonets.training._conjugate_gradients import conjugate_gradients
from algonets.training._fisher import Curvature
from algonets.training._second_order import SecondOrder
from algonets.training.line_search import Backtracking
from algonets.training.outputs import OutputDistribution

__all__ = ["NaturalGradient"]


class NaturalGradient(SecondOrder):
    r"""Steepest descent in the space of the network's distributions instead of its parameters.

    .. math:: \theta \leftarrow \theta - \eta\, (F + \lambda I)^{-1} \nabla L, \qquad
        F = \tfrac1N \sum_n J_n^\top F_z(z_n) J_n

    The true Fisher information, never built: a product costs two backward passes over the graph of the batch. As
    :math:`\lambda \to 0` the change of the outputs does not depend on how the network is parametrised (exactly for
    linear changes of parameters, to first order in :math:`\eta` for others).

    Args:
        params: Parameters that reach the outputs.
        law: What the outputs mean, for example ``CategoricalOutput()`` for ``cross_entropy``.
        lr: :math:`\eta`, positive.
        damping: :math:`\lambda`, positive.
        max_iterations: Of conjugate gradients, a step.
        tolerance: Relative residual at which they stop.
        line_search: Shorten steps that do not decrease the loss; ``None`` takes them as they are.
        adaptive: Adapt the damping to how well the quadratic model predicts (Levenberg-Marquardt).

    Raises:
        TypeError: if ``law`` is not an :class:`OutputDistribution`.
        ValueError: if a number is out of range.

    Differentiability: none, it is an optimiser. The network must be twice differentiable by autograd.
    Cost: a step: one forward and one backward pass, two backward passes an iteration, a forward pass a trial.
    References: Amari 1998, Natural Gradient Works Efficiently in Learning; Martens 2010, Deep Learning via
        Hessian-free Optimization; Ollivier 2015, Riemannian Metrics for Neural Networks I (invariance).

    Example:
        >>> import torch
        >>> from algonets.training import Backtracking, CategoricalOutput
        >>> model = torch.nn.Linear(2, 3)
        >>> x, y = torch.randn(20, 2), torch.arange(20) % 3
        >>> optimizer = NaturalGradient(model.parameters(), CategoricalOutput(), line_search=Backtracking())
        >>> def closure():
        ...     outputs = model(x)
        ...     return torch.nn.functional.cross_entropy(outputs, y), outputs
        >>> losses = [optimizer.step(closure).item() for _ in range(3)]
        >>> losses[0] > losses[-1]
        True
    """

    def __init__(
        self,
        params: Iterable[Any],
        law: OutputDistribution,
        lr: float = 1.0,
        damping: float = 1e-3,
        max_iterations: int = 50,
        tolerance: float = 1e-4,
        line_search: Backtracking | None = None,
        adaptive: bool = False,
    ):
        check_positive("NaturalGradient(tolerance=...)", tolerance)
        check_at_least("NaturalGradient(max_iterations=...)", max_iterations, 1)
        super().__init__(params, law, lr, damping, line_search, adaptive)
        self.max_iterations, self.tolerance = max_iterations, tolerance

    def _direction(self, local: Curvature, damping: float) -> Tensor:
        def product(v: Tensor) -> Tensor:
            return (local.product(v[0]) + damping * v[0]).unsqueeze(0)

        return -conjugate_gradients(product, local.gradient.unsqueeze(0), self.max_iterations, self.tolerance).x[0]
