"""The variational autoencoder."""

from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets.nets.net import Net, check_last

__all__ = ["VariationalAutoencoder"]


@final
class VariationalAutoencoder(Net):
    """An autoencoder whose codes are draws of a Gaussian, kept near the standard one: so new codes can be drawn.

    ``loss = E[-log p(x | z)] + KL(q(z | x) | N(0, I))`` with ``z = mean + exp(log_var / 2) e`` and ``e`` standard
    normal.

    Args:
        inputs: Length of an input; its values are probabilities in [0, 1], such as grey levels.
        hidden: Units of the hidden layers.
        code: Length of the code.

    Input ``(*batch, inputs)`` float in [0, 1], output logits of the same shape.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: almost everywhere; draws by reparametrisation.
    References: Kingma, Welling 2014, Auto-Encoding Variational Bayes, equation 10.

    Example:
        >>> net = VariationalAutoencoder(20, 8, 2)
        >>> net.decode(torch.zeros(3, 2)).shape, net.loss(torch.rand(5, 20)).shape
        (torch.Size([3, 20]), torch.Size([]))
    """

    def __init__(self, inputs: int, hidden: int = 256, code: int = 2):
        super().__init__()
        self.inputs = check_at_least("VariationalAutoencoder(inputs)", inputs, 1)
        self.hidden = check_at_least("VariationalAutoencoder(hidden)", hidden, 1)
        self.code = check_at_least("VariationalAutoencoder(code)", code, 1)
        self.encoder = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 2 * code))
        self.decoder = nn.Sequential(nn.Linear(code, hidden), nn.ReLU(), nn.Linear(hidden, inputs))

    def encode(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance of the code, each ``(*batch, code)``."""
        mean, log_var = self.encoder(check_last("VariationalAutoencoder(inputs)", inputs, self.inputs)).chunk(2, -1)
        return mean, log_var

    def decode(self, code: Tensor) -> Tensor:
        """Return logits of the values: ``(*batch, code)`` to ``(*batch, inputs)``."""
        return self.decoder(check_last("VariationalAutoencoder.decode(code)", code, self.code))

    def forward(self, inputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw a code for each input and decode it; in evaluation the code is the mean."""
        mean, log_var = self.encode(inputs)
        return self.decode(self._draw(mean, log_var, generator) if self.training else mean)

    def loss(self, inputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the negative evidence lower bound, a mean over examples, in nats."""
        good = not inputs.numel() or bool(((inputs >= 0) & (inputs <= 1)).all())
        require(good, "VariationalAutoencoder.loss(inputs)", "must be in [0, 1]", inputs)
        mean, log_var = self.encode(inputs)
        logits = self.decode(self._draw(mean, log_var, generator))
        restored = functional.binary_cross_entropy_with_logits(logits, inputs, reduction="none").sum(-1)
        return (restored + kl_to_standard(mean, log_var)).mean()

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Return logits of ``count`` new examples."""
        return self.decode(torch.randn(count, self.code, generator=generator).to(next(self.parameters())))

    def _draw(self, mean: Tensor, log_var: Tensor, generator: torch.Generator | None) -> Tensor:
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        return mean + (0.5 * log_var).exp() * noise


def kl_to_standard(mean: Tensor, log_var: Tensor) -> Tensor:
    """Return KL(N(mean, exp(log_var)) | N(0, I)) over the last dimension."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(-1)
