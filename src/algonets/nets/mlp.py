"""The multi-layer perceptron."""

from itertools import pairwise
from typing import final

from torch import Tensor, nn

from algonets.nets.activations import Activation, make_activation
from algonets.nets.net import Net, check_last, check_sizes

__all__ = ["MLP"]


@final
class MLP(Net):
    """Linear layers with an activation between them: what a single unit cannot separate, two layers can.

    Args:
        sizes: Length of the input, of each hidden layer, and of the output; at least two of at least 1.
        activation: After all layers but the last.

    Input ``(*batch, sizes[0])`` float, output ``(*batch, sizes[-1])``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: that of the activation.
    Cost: the products of neighbouring sizes, summed.
    References: Rumelhart, Hinton, Williams 1986, Learning Representations by Back-Propagating Errors; Cybenko 1989,
    Approximation by Superpositions of a Sigmoidal Function.

    Example:
        >>> import torch
        >>> MLP((2, 8, 1), "tanh")(torch.zeros(5, 3, 2)).shape
        torch.Size([5, 3, 1])
    """

    def __init__(self, sizes: tuple[int, ...], activation: Activation = "relu"):
        super().__init__()
        self.sizes = check_sizes("MLP(sizes)", sizes, 2)
        self.activation: Activation = activation
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(self.sizes):
            layers += [nn.Linear(inputs, outputs), make_activation("MLP(activation)", activation)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, inputs: Tensor) -> Tensor:
        """Map ``(*batch, sizes[0])`` to ``(*batch, sizes[-1])``."""
        return self.layers(check_last("MLP(inputs)", inputs, self.sizes[0]))
