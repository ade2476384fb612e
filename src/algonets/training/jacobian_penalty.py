"""Penalties on derivatives in the inputs, and what input noise does to a loss."""

from collections.abc import Callable

import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_floating, check_positive
from algonets._core.errors import require

__all__ = ["jacobian_penalty", "noise_penalty"]


def jacobian_penalty(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    samples: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Squared Frobenius norm of the Jacobian of each example: how fast outputs move with inputs.

    .. math:: |J|_F^2 = \sum_{ki} (\partial f_k / \partial x_i)^2 = E_v\, |J^\top v|^2

    Args:
        function: ``(N, ...)`` to ``(N, ...)``, no example depending on another.
        x: ``(N, ...)`` floating.
        samples: ``None`` for the exact sum over outputs; else so many random directions of outputs, unbiased.
        generator: Of the directions.

    Returns:
        ``(N,)``, to add to a loss; it has a graph to the parameters and to ``x``.

    Raises:
        TypeError: if ``x`` is not a floating tensor.
        ValueError: if the function does not keep N, or ``samples`` is below 1.

    Differentiability: once less than the function.
    Cost: a backward pass an output, or a sample.
    References: Drucker, LeCun 1992, Improving Generalization Performance Using Double Backpropagation; Rifai et al.
        2011, Contractive Auto-Encoders; Hoffman, Roberts, Yaida 2019, Robust Learning with Jacobian Regularization.

    Example:
        >>> jacobian_penalty(lambda x: x * torch.tensor([3.0, 4.0]), torch.zeros(1, 2)).tolist()
        [25.0]
    """
    check_floating("jacobian_penalty(x)", x)
    require(x.ndim >= 1, "jacobian_penalty(x)", "must be (N, ...)", x)
    with torch.enable_grad():
        point = x if x.requires_grad else x.detach().requires_grad_()
        outputs = function(point)
        good = outputs.ndim >= 1 and outputs.shape[0] == x.shape[0]
        require(good, "jacobian_penalty(function)", f"must return ({len(x)}, ...)", outputs)
        flat = outputs.reshape(len(x), -1) if x.numel() else outputs.reshape(0, 1)
        if not flat.requires_grad or not x.numel():
            return x.new_zeros(len(x))
        if samples is None:
            seeds = [unit.expand_as(flat) for unit in torch.eye(flat.shape[1], dtype=flat.dtype, device=flat.device)]
            weight = 1.0
        else:
            count = check_at_least("jacobian_penalty(samples=...)", samples, 1)
            seeds = list(torch.randn((count, *flat.shape), generator=generator, dtype=flat.dtype, device=flat.device))
            weight = 1.0 / count
        total = x.new_zeros(len(x))
        for seed in seeds:
            (row,) = torch.autograd.grad(flat, point, seed, create_graph=True, retain_graph=True)
            total = total + weight * row.reshape(len(x), -1).square().sum(-1)
    return total


def noise_penalty(
    function: Callable[[Tensor], Tensor],
    loss: Callable[..., Tensor],
    x: Tensor,
    *targets: Tensor,
    sigma: float,
    hessian: bool = True,
) -> Tensor:
    r"""What Gaussian noise in the inputs adds to a loss, to second order.

    .. math:: E[\ell(f(x + \sigma\varepsilon))] - \ell(f(x)) \approx \tfrac{\sigma^2}{2}
        \Big(\mathrm{tr}\, J^\top H_\ell J + \sum_k \frac{\partial\ell}{\partial f_k} \Delta f_k\Big)

    Training with noise is training with a penalty. For the squared error ``|f - y|^2`` the first term is
    :math:`\sigma^2 |J|_F^2`; the second is often forgotten, and vanishes only in the mean over targets at the optimum.

    Args:
        function: ``(N, ...)`` to ``(N, ...)``, no example depending on another.
        loss: ``loss(outputs, *targets)`` to one value an example, ``(N,)``.
        x: ``(N, ...)`` floating.
        *targets: ``(N, ...)``, further arguments of the loss.
        sigma: Standard deviation of the noise, positive.
        hessian: With the second term; without it the penalty cannot be negative for a convex loss.

    Returns:
        ``(N,)``, with a graph to the parameters.

    Raises:
        TypeError: if ``x`` is not a floating tensor.
        ValueError: if ``sigma`` is not positive.

    Differentiability: twice less than function and loss.
    Cost: a pair of passes an input of an example; for small inputs.
    References: Bishop 1995, Training with Noise is Equivalent to Tikhonov Regularization, eq. 12 and 13.

    Example:
        >>> square = lambda z, y: (z - y).square().sum(-1)
        >>> noise_penalty(lambda x: 2 * x, square, torch.zeros(1, 3), torch.zeros(1, 3), sigma=0.1)
        tensor([0.1200])
    """
    check_floating("noise_penalty(x)", x)
    check_positive("noise_penalty(sigma=...)", sigma)

    def one(x: Tensor, *own: Tensor) -> Tensor:
        def outputs(x: Tensor) -> Tensor:
            return function(x.unsqueeze(0))[0]

        def value(z: Tensor) -> Tensor:
            return loss(z.unsqueeze(0), *(y.unsqueeze(0) for y in own))[0]

        if hessian:
            return _trace(torch.func.hessian(lambda x: value(outputs(x)))(x), x.numel())
        jacobian, z = torch.func.jacrev(outputs)(x), outputs(x)
        flat = jacobian.reshape(z.numel(), x.numel())
        inner = torch.func.hessian(value)(z).reshape(z.numel(), z.numel())
        return (flat * (inner @ flat)).sum()

    if not len(x):
        return x.new_zeros(0)
    return 0.5 * sigma**2 * torch.func.vmap(one)(x, *targets)


def _trace(hessian: Tensor, size: int) -> Tensor:
    return hessian.reshape(size, size).diagonal().sum()
