"""Weights that are Gaussians: Bayes by backprop, and pruning by signal to noise."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least, check_floating, check_positive
from algonets._core.errors import require

__all__ = ["BayesianLinear", "gaussian_kl"]


def gaussian_kl(mean: Tensor, scale: Tensor, prior_scale: float = 1.0) -> Tensor:
    r"""Divergence of a Gaussian from a centred one, in nats, element by element.

    .. math:: \mathrm{KL}\big(N(\mu, \sigma^2) \,|\, N(0, s^2)\big) =
        \log\frac{s}{\sigma} + \frac{\sigma^2 + \mu^2}{2 s^2} - \frac12

    Divided by log 2 these are the bits that the weights cost a receiver who has the prior (bits back).

    Args:
        mean: Any shape, floating.
        scale: The same shape, positive.
        prior_scale: ``s``, positive.

    Returns:
        The shape of ``mean``, not negative.

    Raises:
        TypeError: if a tensor is not floating.
        ValueError: if the shapes differ, or a scale is not positive.

    Differentiability: any order.
    Cost: element-wise.
    References: Hinton, van Camp 1993, Keeping Neural Networks Simple by Minimizing the Description Length; Graves
        2011, Practical Variational Inference for Neural Networks.

    Example:
        >>> gaussian_kl(torch.tensor([0.0, 1.0]), torch.ones(2))
        tensor([0.0000, 0.5000])
    """
    check_floating("gaussian_kl(mean)", mean)
    check_positive("gaussian_kl(scale)", check_floating("gaussian_kl(scale)", scale))
    require(mean.shape == scale.shape, "gaussian_kl(scale)", f"must have the shape {tuple(mean.shape)}", scale)
    check_positive("gaussian_kl(prior_scale)", prior_scale)
    ratio = scale / prior_scale
    return 0.5 * (ratio.square() + (mean / prior_scale).square() - 1) - ratio.log()


class BayesianLinear(nn.Module):
    r"""A linear layer with independent Gaussian weights, trained by the evidence lower bound.

    .. math:: W_{ij} \sim N(\mu_{ij}, \sigma_{ij}^2), \qquad \sigma = \log(1 + e^\rho)

    Minimise ``loss + layer.kl() / number_of_examples``, the loss being a mean of negative log-likelihoods. In training
    outputs are drawn, each example its own weights (local reparametrisation); in evaluation the means are used.

    Args:
        in_features: Inputs.
        out_features: Outputs.
        prior_scale: Of the centred Gaussian prior, positive.
        initial_scale: :math:`\sigma` at first, positive.

    Shape: ``forward(x, generator=None)``, ``(*batch, in_features)`` to ``(*batch, out_features)``.

    Raises:
        ValueError: if a number is out of range.

    Differentiability: any order, also of what is drawn.
    Cost: two matrix products.
    References: Blundell, Cornebise, Kavukcuoglu, Wierstra 2015, Weight Uncertainty in Neural Networks; Kingma,
        Salimans, Welling 2015, Variational Dropout and the Local Reparameterization Trick.

    Example:
        >>> layer = BayesianLinear(4, 3)
        >>> layer.eval()(torch.ones(2, 4)).shape, layer.kl().item() > 0
        (torch.Size([2, 3]), True)
    """

    def __init__(self, in_features: int, out_features: int, prior_scale: float = 1.0, initial_scale: float = 0.05):
        super().__init__()
        check_at_least("BayesianLinear(in_features)", in_features, 1)
        check_at_least("BayesianLinear(out_features)", out_features, 1)
        check_positive("BayesianLinear(prior_scale)", prior_scale)
        check_positive("BayesianLinear(initial_scale)", initial_scale)
        self.prior_scale, self.initial_scale = float(prior_scale), float(initial_scale)
        plain = nn.Linear(in_features, out_features)
        self.mean, self.bias = plain.weight, plain.bias
        rho = math.log(math.expm1(initial_scale))
        self.rho = nn.Parameter(torch.full_like(self.mean, rho).detach())
        self.register_buffer("mask", torch.ones_like(self.mean).detach())
        self.mask: Tensor

    @property
    def scale(self) -> Tensor:
        """Standard deviations of the weights."""
        return functional.softplus(self.rho)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw outputs in training, use the means in evaluation."""
        mean = functional.linear(x, self.mean * self.mask, self.bias)
        if not self.training:
            return mean
        variance = functional.linear(x.square(), self.scale.square() * self.mask)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
        return mean + (variance + torch.finfo(mean.dtype).tiny).sqrt() * noise

    def kl(self) -> Tensor:
        """Divergence of the kept weights from the prior, in nats."""
        return (gaussian_kl(self.mean, self.scale, self.prior_scale) * self.mask).sum()

    def signal_to_noise(self) -> Tensor:
        r"""``|mu| / sigma`` of each weight."""
        return (self.mean.abs() / self.scale).detach()

    def prune(self, threshold: float) -> float:
        """Remove weights whose signal to noise is below ``threshold``, for good; returns the fraction that is gone."""
        require(threshold >= 0, "BayesianLinear.prune(threshold)", "must not be negative", threshold)
        self.mask = self.mask * (self.signal_to_noise() >= threshold)
        return 1 - self.mask.mean().item()

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        outs, ins = self.mean.shape
        scales = f"prior_scale={self.prior_scale!r}, initial_scale={self.initial_scale!r}"
        return f"in_features={ins}, out_features={outs}, {scales}"
