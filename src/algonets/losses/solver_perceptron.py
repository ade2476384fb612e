"""The structured perceptron loss around any solver."""

from typing import Any, final

from torch import Tensor

from algonets.losses._solver_loss import SolverLoss

__all__ = ["Perceptron"]


@final
class Perceptron(SolverLoss):
    r"""Structured perceptron loss of any solver; needs **solutions** as labels. The *pool* way.

    .. math:: \ell(\theta, y) = \max_{y'} \langle\theta, y'\rangle - \langle\theta, y\rangle

    Zero where the label is the best solution; also for theta = 0, so it is for models that cannot shrink their scores,
    or use :class:`StructuredHinge`. (For a chain, :func:`perceptron` takes its scores directly.)

    Args:
        solver: Any solver, see :class:`algonets.gradients.Layer`.
        reduction: ``"none"`` a value an example, ``"sum"`` or ``"mean"``.
        event_dims: Over how many last dimensions of theta one problem extends; by default what the solver says.

    Shape: ``forward(theta, y, *, return_solution=False, **instance)``: theta and y ``(*batch, *event)``. Returns
        ``(*batch,)`` or a scalar, with ``return_solution`` a pair of it and the best solution; float32 for half types.

    Raises:
        TypeError, ValueError: theta is no finite floating tensor; shapes do not fit; an unknown reduction.

    Differentiability: piecewise linear; the gradient is the best solution minus the label.
    Cost: one solver call.
    References: Collins 2002, Discriminative Training Methods for Hidden Markov Models.

    Example:
        >>> import torch
        >>> def argmax(theta):
        ...     return torch.nn.functional.one_hot(theta.argmax(-1), theta.shape[-1])
        >>> Perceptron(argmax)(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0]))
        tensor(2.)
    """

    def forward(self, theta: Tensor, y: Tensor, *, return_solution: bool = False, **instance: Any) -> Any:
        """Return the loss."""
        problem = self._problem(theta, instance)
        right = problem.other("y", y)
        best, good = problem.maximise(problem.scores)
        return self._finish(problem, problem.dot(problem.scores, best - right), good, best, return_solution)
