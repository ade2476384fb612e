"""The sixteen functions of two bits, and their multilinear extensions."""

import torch
from torch import Tensor

from algonets._core.checks import check_floating, check_same_kind
from algonets._core.errors import require

__all__ = ["COEFFICIENTS", "GATES", "TABLES", "coefficients_of_tables", "gate_values", "tables_of_gates"]

GATES = (
    *("false", "a and b", "a and not b", "a", "not a and b", "b", "a xor b", "a or b"),
    *("a nor b", "a xnor b", "not b", "a or not b", "not a", "not a or b", "a nand b", "true"),
)
"""Names of the gates. The number of a gate in binary is its truth table: its values at ab = 00, 01, 10, 11."""

TABLES = torch.tensor([[g >> 3 & 1, g >> 2 & 1, g >> 1 & 1, g & 1] for g in range(16)], dtype=torch.float64)
"""Truth tables ``(16, 4)``: the value of each gate at ab = 00, 01, 10, 11."""

_MOEBIUS = torch.tensor([[1, -1, -1, 1], [0, 0, 1, -1], [0, 1, 0, -1], [0, 0, 0, 1]], dtype=torch.float64)

COEFFICIENTS = TABLES @ _MOEBIUS
"""``(16, 4)``: each gate is the polynomial ``c0 + c1 a + c2 b + c3 a b``."""


def coefficients_of_tables(tables: Tensor) -> Tensor:
    """Coefficients ``(..., 4)`` of the multilinear polynomials with the given truth tables ``(..., 4)``."""
    t00, t01, t10, t11 = tables.unbind(-1)
    low = t01 - t00
    return torch.stack((t00, t10 - t00, low, t11 - t10 - low), -1)


def tables_of_gates(gates: Tensor, dtype: torch.dtype) -> Tensor:
    """Truth tables ``(..., 4)`` of gate numbers ``(...)``."""
    return TABLES.to(gates.device, dtype)[gates.long()]


def gate_values(a: Tensor, b: Tensor) -> Tensor:
    """All sixteen gates at two truth values.

    ``value[g] = c0 + c1 a + c2 b + c3 a b`` with the ``COEFFICIENTS`` of gate g: the expectation of the gate when a
    and b are the probabilities of two independent bits.

    Args:
        a: ``(...)`` in [0, 1].
        b: Likewise, of a shape that broadcasts.

    Returns:
        ``(..., 16)``, in the order of ``GATES``.

    Raises:
        TypeError: if an argument is no floating-point tensor.
        ValueError: if the shapes do not broadcast.

    Differentiability:
        Any order.

    Cost:
        O(n).

    References:
        F. Petersen, C. Borgelt, H. Kuehne, O. Deussen (2022), Deep Differentiable Logic Gate Networks, table 1.

    Example:
        >>> gate_values(torch.tensor(0.5), torch.tensor(0.5))[1]  # and
        tensor(0.2500)
    """
    check_floating("gate_values(a)", a)
    check_same_kind("gate_values(b)", check_floating("gate_values(b)", b), a, "a")
    try:
        torch.broadcast_shapes(a.shape, b.shape)
    except RuntimeError:
        require(False, "gate_values(b)", f"must broadcast with a of shape {tuple(a.shape)}", b)
    ab = a * b
    basis = torch.stack(torch.broadcast_tensors(torch.ones_like(ab), a, b, ab), -1)
    return basis @ COEFFICIENTS.to(a).T
