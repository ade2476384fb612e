"""Activation functions by name, so that a network's settings are plain text."""

from typing import Literal

from torch import nn

from algonets._core.errors import require

__all__ = ["Activation", "check_activation", "make_activation"]

Activation = Literal["identity", "relu", "leaky_relu", "tanh", "sigmoid", "elu"]
"""What follows a layer."""

_KINDS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
}


def check_activation(call: str, name: Activation) -> Activation:
    """Require one of the names."""
    require(name in _KINDS, call, f"must be one of {', '.join(_KINDS)}", name)
    return name


def make_activation(call: str, name: Activation) -> nn.Module:
    """Return the module of a name, or say which names there are."""
    return _KINDS[check_activation(call, name)]()
