"""Features that do not tell where an example comes from: gradient reversal and a domain classifier."""

import math
import numbers
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least, check_floating
from algonets._core.errors import require

__all__ = ["DomainAdversary", "GradientReversal", "gradient_reversal"]


class _Reverse(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, strength: float) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.strength = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return -ctx.strength * grads[0], None


def gradient_reversal(x: Tensor, strength: float = 1.0) -> Tensor:
    """The identity, whose gradient is ``-strength`` times the incoming one.

    What follows minimises its loss, what precedes maximises it.

    Args:
        x: Any floating tensor.
        strength: Not negative; 0 stops the gradient.

    Returns:
        ``x``.

    Raises:
        TypeError: if ``x`` is not a floating tensor.
        ValueError: if ``strength`` is negative.

    Differentiability: once, with a gradient that is not the derivative, on purpose.
    Cost: none.
    References: Ganin, Lempitsky 2015, Unsupervised Domain Adaptation by Backpropagation, section 3.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> gradient_reversal(x, 0.5).sum().backward()
        >>> x.grad
        tensor([-0.5000, -0.5000])
    """
    check_floating("gradient_reversal(x)", x)
    require(strength >= 0, "gradient_reversal(strength)", "must not be negative", strength)
    return _Reverse.apply(x, float(strength))  # pyright: ignore[reportReturnType]


class GradientReversal(nn.Module):
    """:func:`gradient_reversal` as a module; ``strength`` may be changed while training.

    Args:
        strength: Not negative.

    Raises:
        ValueError: if ``strength`` is negative.

    Example:
        >>> GradientReversal(0.5)
        GradientReversal(strength=0.5)
    """

    def __init__(self, strength: float = 1.0):
        super().__init__()
        good = isinstance(strength, numbers.Real) and 0 <= strength < math.inf
        require(good, "GradientReversal(strength)", "must be a finite number, not negative", strength)
        self.strength = float(strength)

    def forward(self, x: Tensor) -> Tensor:
        """The identity."""
        return gradient_reversal(x, self.strength)

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        return f"strength={self.strength!r}"


@final
class DomainAdversary(nn.Module):
    r"""A classifier of domains behind a gradient reversal: its loss makes features alike in all domains.

    .. math:: \min_{f, c}\; \ell(c(f(x_s)), y_s) \; - \; \lambda \min_d \ell(d(f(x)), \text{domain})

    Add the value of ``forward`` to the loss of the task on the domain that has labels. Pass the domains through the
    network separately: shared batch statistics did worse than no adaptation.

    Args:
        features: Size of a feature vector.
        hidden: Units of the two hidden layers.
        domains: How many, at least 2.
        strength: :math:`\lambda`, not negative; let it grow from 0, for example by ``RampSchedule`` with
            :class:`Annealing`.

    Shape: ``forward(first, second, ...)``, one tensor ``(N_i, features)`` a domain, gives a scalar: the mean over
        domains of the mean cross-entropy.

    Raises:
        TypeError: if a tensor is not floating.
        ValueError: if a size is too small, or the number of tensors or a shape does not fit.

    Differentiability: once; reversed in the features.
    Cost: that of the classifier.
    References: Ganin et al. 2016, Domain-Adversarial Training of Neural Networks, eq. 9 to 18.

    Example:
        >>> DomainAdversary(4)(torch.randn(8, 4), torch.randn(6, 4)).shape
        torch.Size([])
    """

    def __init__(self, features: int, hidden: int = 64, domains: int = 2, strength: float = 1.0):
        super().__init__()
        self.features = check_at_least("DomainAdversary(features)", features, 1)
        check_at_least("DomainAdversary(hidden)", hidden, 1)
        self.domains = check_at_least("DomainAdversary(domains)", domains, 2)
        self.reversal = GradientReversal(strength)
        self.classifier = nn.Sequential(
            nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, domains)
        )

    def forward(self, *features: Tensor) -> Tensor:
        """The loss of the domain classifier."""
        call = "DomainAdversary(*features)"
        require(len(features) == self.domains, call, f"must be {self.domains} tensors, one a domain", len(features))
        losses = []
        for index, part in enumerate(features):
            check_floating(call, part)
            require(part.ndim == 2 and part.shape[1] == self.features, call, f"must be (N, {self.features})", part)
            if len(part):
                logits = self.classifier(self.reversal(part))
                domain = torch.full((len(part),), index, device=part.device)
                losses.append(functional.cross_entropy(logits, domain))
        return torch.stack(losses).mean() if losses else features[0].sum()
