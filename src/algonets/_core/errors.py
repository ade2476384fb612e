"""One format for every error a user can cause: the call, the rule, what was given, the remedy."""

from typing import Any, NoReturn

import torch

__all__ = ["describe", "reject", "reject_type", "require", "sentence"]


def describe(value: Any) -> str:
    """Describe a value for an error message: tensors by shape and dtype, the rest by ``repr``.

    >>> describe(torch.zeros(2, 3))
    'a float32 tensor of shape (2, 3)'
    >>> describe("three")
    "'three'"
    """
    if isinstance(value, torch.Tensor):
        dtype = str(value.dtype).removeprefix("torch.")
        if value.ndim == 0 and value.device.type != "meta":
            return f"{value.item()!r} (a {dtype} scalar)"
        return f"a {dtype} tensor of shape {tuple(value.shape)}"
    return repr(value)


def sentence(call: str, rule: str, given: Any, remedy: str = "") -> str:
    """Build the message ``<call> <rule>, got <given>. <remedy>``.

    >>> sentence("edit_distance(gap=...)", "must be positive", -1.0)
    'edit_distance(gap=...) must be positive, got -1.0.'
    """
    message = f"{call} {rule}, got {describe(given)}."
    return f"{message} {remedy}" if remedy else message


def reject(call: str, rule: str, given: Any, remedy: str = "") -> NoReturn:
    """Raise the ``ValueError`` whose message is built by :func:`sentence`."""
    raise ValueError(sentence(call, rule, given, remedy))


def reject_type(call: str, rule: str, given: Any, remedy: str = "") -> NoReturn:
    """Raise the ``TypeError`` whose message is built by :func:`sentence`."""
    shown = given if isinstance(given, torch.Tensor) else type(given)
    raise TypeError(sentence(call, rule, shown, remedy))


def require(condition: bool, call: str, rule: str, given: Any, remedy: str = "") -> None:
    """Raise the ``ValueError`` of :func:`reject` unless ``condition`` holds."""
    if not condition:
        reject(call, rule, given, remedy)
