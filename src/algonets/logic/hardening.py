"""From soft gates to hard ones."""

import copy

import torch
from torch import Tensor, nn

from algonets._core.errors import reject_type, require

__all__ = ["discretization_gap", "harden"]


def harden(network: nn.Module) -> nn.Module:
    """Return a copy with the most likely gate in the place of every mixture.

    On inputs of 0 and 1 its signals are 0 and 1, and :func:`algonets.logic.compile` makes the circuit that computes
    the same. Learned wires become the most likely ones.

    Args:
        network: A module with logic layers in it; it stays as it is.

    Returns:
        The copy, in evaluation mode, without gradients for the gates.

    Raises:
        TypeError: if it is no module.
        ValueError: if no part of it is a logic layer.

    Differentiability:
        The result is differentiable in its input (multilinear), not in the weights.

    Cost:
        O(gates).

    Example:
        >>> from algonets.logic import LogicLayer
        >>> layer = LogicLayer(2, 1, wiring=torch.tensor([[1], [0]]))  # a residual gate passes its first input on
        >>> harden(layer)(torch.tensor([0.0, 1.0]))
        tensor([1.])
    """
    if not isinstance(network, nn.Module):
        reject_type("harden(network)", "must be a torch.nn.Module", network)
    hard = copy.deepcopy(network)
    found = [module for module in hard.modules() if hasattr(module, "discretise")]
    require(bool(found), "harden(network)", "must have logic layers", type(network).__name__)
    for module in found:
        module.discretise()  # pyright: ignore[reportCallIssue]
    return hard.eval()


def discretization_gap(network: nn.Module, x: Tensor, labels: Tensor | None = None) -> float:
    """How much is lost when a network becomes hard.

    With labels: soft accuracy minus hard accuracy; without: the mean absolute difference of the outputs.

    Args:
        network: As for :func:`harden`.
        x: What the network takes.
        labels: Class of each row, or ``None``.

    Returns:
        The gap, in [-1, 1] with labels.

    Raises:
        ValueError: as :func:`harden`.

    Differentiability:
        None.

    Cost:
        Two evaluations.

    References:
        S. Yousefi et al. (2025), Mind the Gap: Removing the Discretization Gap in Differentiable Logic Gate Networks.

    Example:
        >>> from algonets.logic import LogicLayer
        >>> discretization_gap(LogicLayer(2, 1), torch.zeros(1, 2)) > 0
        True
    """
    hard, training = harden(network), network.training
    network.eval()
    try:
        with torch.no_grad():
            soft_output, hard_output = network(x), hard(x)
    finally:
        network.train(training)
    if labels is None:
        return float((soft_output - hard_output).abs().mean())
    right = [(output.argmax(-1) == labels).double().mean() for output in (soft_output, hard_output)]
    return float(right[0] - right[1])
