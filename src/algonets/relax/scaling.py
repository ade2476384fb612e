"""``with algonets.relax.scale(...)``: another temperature for some statements."""

from typing import Any

from algonets._core.checks import as_scale

__all__ = ["Scale", "scale"]


class Scale:
    """The context manager of :func:`scale`; in plain Python it does nothing."""

    def __init__(self, value: Any):
        self.value = value

    def __enter__(self) -> "Scale":
        return self

    def __exit__(self, *exception: object) -> None:
        return None


def scale(value: Any) -> Scale:
    """Compare with another scale in the statements of a ``with`` block of a relaxed function.

    The law's family stays, its scale becomes ``value``. In hard calls, and in plain Python, it changes nothing.

    Args:
        value: positive float, or tensor (it may require a gradient): a parameter, or an argument of the function.

    Returns:
        A context manager.

    Raises:
        TypeError: if ``value`` is not a number or tensor.
        ValueError: if it is a number and not positive.

    Differentiability: as the law with respect to its scale.
    Cost: none.

    Example:
        >>> import algonets as an, torch
        >>> @an.relax
        ... def is_larger(a, b):
        ...     with an.relax.scale(100.0):
        ...         r = a > b
        ...     return r
        >>> is_larger.soft(torch.tensor([1.0]), torch.tensor([0.0]))
        tensor([0.5025])
    """
    if isinstance(value, int | float):
        as_scale("relax.scale(value)", value)
    return Scale(value)
