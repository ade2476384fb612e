"""Autoencoders of linear layers: linear, deep, sparse, denoising, pretrained layer by layer."""

import math
import numbers
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets.nets.activations import Activation, check_activation, make_activation
from algonets.nets.net import Net, check_fraction, check_last, check_sizes

__all__ = ["Autoencoder"]


@final
class Autoencoder(Net):
    """A network that must reproduce its input through a narrow code.

    ``code = f(x)``, ``x' = g(code)``, trained to ``|x' - x|²``. With one linear layer the best code spans the principal
    components. More layers and an activation bend that plane. ``noise`` hides inputs that the network must restore;
    ``sparsity`` charges for active code units.

    Args:
        sizes: Length of the input, of each hidden layer, and of the code; the decoder mirrors them.
        activation: After every layer but the last of the encoder and of the decoder; with a linear code.
        code_activation: After the encoder.
        noise: Fraction in [0, 1) of input values set to 0 by :meth:`loss`.
        sparsity: At least 0, times the mean absolute code, added by :meth:`loss`.

    Input ``(*batch, sizes[0])`` float, output of the same shape.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: that of the activation.
    Cost: twice that of an MLP of these sizes.
    References: Bourlard, Kamp 1988, Auto-Association by Multilayer Perceptrons and Singular Value Decomposition;
    Hinton, Salakhutdinov 2006, Reducing the Dimensionality of Data; Vincent et al. 2010, Stacked Denoising
    Autoencoders.

    Example:
        >>> net = Autoencoder((20, 8, 2))
        >>> net.encode(torch.zeros(5, 20)).shape, net(torch.zeros(5, 20)).shape
        (torch.Size([5, 2]), torch.Size([5, 20]))
        >>> net.stage(1)  # of layer-wise pretraining: shares its weights
        Autoencoder(sizes=(8, 2), activation='tanh', code_activation='identity', noise=0.0, sparsity=0.0)
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        activation: Activation = "tanh",
        code_activation: Activation = "identity",
        noise: float = 0.0,
        sparsity: float = 0.0,
    ):
        super().__init__()
        self.sizes = check_sizes("Autoencoder(sizes)", sizes, 2)
        self.activation: Activation = check_activation("Autoencoder(activation)", activation)
        self.code_activation: Activation = check_activation("Autoencoder(code_activation)", code_activation)
        self.noise = check_fraction("Autoencoder(noise)", noise)
        good = isinstance(sparsity, numbers.Real) and 0 <= sparsity < math.inf
        require(good, "Autoencoder(sparsity)", "must be a finite number, at least 0", sparsity)
        self.sparsity = sparsity
        self.encoder = _chain(self.sizes, activation, code_activation)
        self.decoder = _chain(self.sizes[::-1], activation, "identity")

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the code: ``(*batch, sizes[0])`` to ``(*batch, sizes[-1])``."""
        return self.encoder(check_last("Autoencoder(inputs)", inputs, self.sizes[0]))

    def decode(self, code: Tensor) -> Tensor:
        """Return what a code stands for."""
        return self.decoder(check_last("Autoencoder.decode(code)", code, self.sizes[-1]))

    def forward(self, inputs: Tensor) -> Tensor:
        """Encode and decode."""
        return self.decode(self.encode(inputs))

    def loss(self, inputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Mean squared error of restoring the input from its disturbed self, with the price of the code."""
        seen = inputs
        if self.noise:
            seen = inputs * (torch.rand(inputs.shape, generator=generator, device=inputs.device) >= self.noise)
        code = self.encode(seen)
        return (self.decode(code) - inputs).square().mean() + self.sparsity * code.abs().mean()

    def stage(self, layer: int) -> "Autoencoder":
        """Return layer ``layer`` and its mirror as an autoencoder of its own; it shares the weights.

        Layer-wise pretraining trains stage 0 on the data, stage 1 on the codes of stage 0, and so on; noise and
        sparsity are those of the whole.
        """
        count = len(self.sizes) - 1
        require(0 <= layer < count, "Autoencoder.stage(layer)", f"must be from 0 to {count - 1}", layer)
        last = layer == count - 1
        code = self.code_activation if last else self.activation
        part = Autoencoder(self.sizes[layer : layer + 2], self.activation, code, self.noise, self.sparsity)
        part.encoder[0] = self.encoder[2 * layer]
        part.decoder[0] = self.decoder[2 * (count - 1 - layer)]
        return part

    def classifier(self, num_classes: int) -> nn.Sequential:
        """Return the encoder, with its weights of now, and a new linear layer that scores classes from the code."""
        check_at_least("Autoencoder.classifier(num_classes)", num_classes, 1)
        return nn.Sequential(self.encoder, nn.Linear(self.sizes[-1], num_classes))


def _chain(sizes: tuple[int, ...], activation: Activation, last: Activation) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        name, call = (activation, "activation") if i < len(sizes) - 2 else (last, "code_activation")
        layers += [nn.Linear(inputs, outputs), make_activation(f"Autoencoder({call})", name)]
    return nn.Sequential(*layers)
