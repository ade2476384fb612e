"""Convolution by logic gates: every kernel is a tree of gates."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least, check_floating
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.logic._stack import coefficients16
from algonets.logic._trees import trees
from algonets.logic.gates import COEFFICIENTS, coefficients_of_tables
from algonets.logic.layer import Sampling, check_choice, check_parametrization, soft_weights, straight_through
from algonets.logic.parametrizations import AbstractParametrization, Fixed, Initialization, Softmax16

__all__ = ["LogicConv2d"]


class LogicConv2d(nn.Module):
    """Kernels that are complete binary trees of soft gates, slid over an image, then pooled by "or".

    A kernel of depth d has ``2^d`` leaves, each a fixed place in its receptive field, and ``2^d - 1`` gates, the same
    at all positions. Pooling takes the largest value, which is "or" of bits.

    Args:
        in_channels: Channels of the image.
        out_channels: Number of kernels.
        kernel_size: Side of the receptive field.
        depth: Of the trees, 1 to 6.
        padding: Zeros around the image.
        pool: Side of the pooling windows, which do not overlap; what is left at the border is dropped.
        groups: Parts of the channels, each seen by its share of the kernels.
        channels: How many channels the leaves of one kernel come from at most; ``None``: all of its group.
        parametrization: As of :class:`LogicLayer`.
        initialization: As there; residual trees pass one place on.
        sampling: As there.
        generator: Of wiring and weights.

    Attributes:
        weights: ``(out_channels, 2^depth - 1, size)``, level by level from the leaves.
        wiring: int32 ``(out_channels, 2^depth, 3)``: channel, row and column of each leaf.

    Raises:
        ValueError: for numbers out of range, channels that do not divide into the groups, too small an image.

    Differentiability:
        Any order in ``x`` and the weights, piecewise where the pooling is.

    Cost:
        O(B K 2^depth H W) time; the reference needs as much memory, the native kernel O(B C H W).

    References:
        F. Petersen, H. Kuehne, C. Borgelt, J. Welzel, S. Ermon (2024), Convolutional Differentiable Logic Gate
        Networks.

    Example:
        >>> LogicConv2d(1, 4, 3, depth=2, padding=1, pool=2)(torch.rand(2, 1, 8, 8)).shape
        torch.Size([2, 4, 4, 4])
    """

    wiring: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        depth: int = 3,
        padding: int = 0,
        pool: int = 1,
        groups: int = 1,
        channels: int | None = 2,
        parametrization: AbstractParametrization | None = None,
        initialization: Initialization = "residual",
        sampling: Sampling = "soft",
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        least = {
            "in_channels": 1,
            "out_channels": 1,
            "kernel_size": 1,
            "depth": 1,
            "padding": 0,
            "pool": 1,
            "groups": 1,
        }
        given = (in_channels, out_channels, kernel_size, depth, padding, pool, groups)
        for (name, bound), value in zip(least.items(), given, strict=True):
            setattr(self, name, check_at_least(f"LogicConv2d({name})", value, bound))
        require(depth <= 6, "LogicConv2d(depth)", "must be at most 6", depth)
        fits = in_channels % groups == 0 and out_channels % groups == 0
        rule = f"must divide {in_channels} and {out_channels} channels"
        require(fits, "LogicConv2d(groups)", rule, groups)
        self.parametrization = check_parametrization("LogicConv2d", parametrization)
        check_choice("LogicConv2d(initialization)", initialization, "residual", "normal")
        self.sampling = check_choice("LogicConv2d(sampling)", sampling, "soft", "gumbel")
        most = in_channels // groups
        self.channels = most if channels is None else min(check_at_least("LogicConv2d(channels)", channels, 1), most)
        self.register_buffer("wiring", self._draw(generator))
        shape = (out_channels, (1 << depth) - 1)
        self.weights = nn.Parameter(self.parametrization.initial(shape, 2, initialization, generator))

    in_channels: int
    out_channels: int
    kernel_size: int
    depth: int
    padding: int
    pool: int
    groups: int

    def _draw(self, generator: torch.Generator | None) -> Tensor:
        """Draw the leaves: different places as long as there are enough."""
        each, leaves = self.in_channels // self.groups, 1 << self.depth
        places = self.channels * self.kernel_size**2
        drawn = []
        for kernel in range(self.out_channels):
            own = torch.randperm(each, generator=generator)[: self.channels]
            own = own + kernel * self.groups // self.out_channels * each
            rounds = [torch.randperm(places, generator=generator) for _ in range(-(-leaves // places))]
            place = torch.cat(rounds)[:leaves]
            cell = place % self.kernel_size**2
            channel = own[place // self.kernel_size**2]
            drawn.append(torch.stack((channel, cell // self.kernel_size, cell % self.kernel_size), -1))
        return torch.stack(drawn).to(torch.int32)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width before pooling."""
        return tuple(side + 2 * self.padding - self.kernel_size + 1 for side in (height, width))  # pyright: ignore[reportReturnType]

    def leaves(self, height: int, width: int) -> Tensor:
        """Offsets ``(K, 2^depth)`` of the leaves in a flat padded image of these sides."""
        channel, row, column = self.wiring.unbind(-1)
        return (channel * height + row) * width + column

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Run the trees on ``(*batch, C, H, W)`` in [0, 1]; returns ``(*batch, K, H', W')``."""
        check_floating("LogicConv2d(x)", x)
        good = x.ndim >= 3 and x.shape[-3] == self.in_channels
        require(good, "LogicConv2d(x)", f"must have shape (*batch, {self.in_channels}, H, W)", x)
        height, width = self.output_size(*x.shape[-2:])
        good = min(height, width) >= self.pool
        require(good, "LogicConv2d(x)", f"must be large enough for kernels of {self.kernel_size}, pool {self.pool}", x)
        padded = functional.pad(flatten_batch(x, 3), (self.padding,) * 4)
        leaves = self.leaves(*padded.shape[-2:])
        y = trees(padded, leaves, self.coefficients(x.dtype, generator), height, width, self.pool)
        return unflatten_batch(y, x.shape[:-3])

    def coefficients(self, dtype: torch.dtype, generator: torch.Generator | None = None) -> Tensor:
        """Coefficients ``(K, 2^depth - 1, 4)`` of the gates; noisy in training with ``gumbel``."""
        weights = self.weights.to(dtype)
        if isinstance(self.parametrization, Softmax16) and not (self.training and self.sampling == "gumbel"):
            found = coefficients16([weights.flatten(0, 1)])
            if found is not None:
                return found.unflatten(0, weights.shape[:2])
            return weights.softmax(-1) @ COEFFICIENTS.to(weights)
        return coefficients_of_tables(straight_through(self, soft_weights(self, weights, generator)))

    def hard_tables(self) -> Tensor:
        """Truth tables ``(K, 2^depth - 1, 4)`` of the most likely gates."""
        return self.parametrization.hard_tables(self.weights.detach())

    def gates(self) -> Tensor:
        """Numbers ``(K, 2^depth - 1)`` of the most likely gates."""
        return (self.hard_tables().long() * torch.tensor([8, 4, 2, 1], device=self.weights.device)).sum(-1)

    def discretise(self) -> None:
        """Fix the most likely gates, in place."""
        tables = self.hard_tables()
        self.parametrization, self.sampling = Fixed(), "soft"
        self.weights = nn.Parameter(tables, requires_grad=False)

    def extra_repr(self) -> str:
        """Show the arguments."""
        return (
            f"{self.in_channels}, {self.out_channels}, {self.kernel_size}, depth={self.depth}, "
            f"padding={self.padding}, pool={self.pool}, groups={self.groups}, {self.parametrization!r}"
        )
