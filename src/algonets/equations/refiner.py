"""A recurrent network that integrates a partial differential equation with learnt stencils."""

from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.errors import reject, reject_type, require
from algonets._core.shapes import broadcast_batch, flatten_batch, unflatten_batch
from algonets.equations._planes import Border, check_border, check_image, check_plane, extend
from algonets.equations.reaction import AbstractReaction, GatedMLP
from algonets.implicit import Anderson, Implicit, Solution, fixed_point
from algonets.implicit.backward import AbstractBackward
from algonets.implicit.iterate import AbstractSolver
from algonets.implicit.solution import OnFailure

__all__ = ["PDERefiner"]


@final
class PDERefiner(nn.Module):
    r"""Refine maps of class scores by a learnt equation that sees the image.

    .. math:: u_{t+1} = u_t + f(M * u_t, \; N * I) + \lambda (u_0 - u_t)

    M and N are learnt stencils, f a small network at each pixel with products of the stencils (:class:`GatedMLP`).
    All weights are shared over the iterations, and by default over the classes: about 7,400 parameters in all, for any
    image size and any number of iterations. The heat equation, Perona-Malik diffusion and geodesic active contours
    are such equations.

    Args:
        classes: Maps of scores, ``>= 1``; one map of logits is enough for two classes.
        image_channels: Channels of the image, ``>= 1``.
        iterations: Steps that are unrolled, ``>= 0``; ``None`` solves for the equilibrium ``u_{t+1} = u_t`` instead,
            by :func:`algonets.implicit.fixed_point`, which needs an anchor.
        stencils: How many stencils of a map, ``>= 1``.
        image_stencils: How many stencils of the image, ``>= 1``.
        hidden: Hidden units of f, ``>= 1``.
        kernel_size: Height and width of the stencils, odd.
        per_class: Give each class an equation of its own.
        anchor: lambda, in [0, 1]: pulls back to the first map, so that an equilibrium depends on it.
        activation: Of the hidden layer; ReLU by default.
        reaction: Another f instead; it fixes what ``hidden``, ``per_class`` (but for the stencils) and ``activation``
            say.
        border: Beyond the edge: ``"replicate"``, ``"zeros"`` or ``"circular"``.
        solver: Of the equilibrium; Anderson by default.
        backward: Of the equilibrium; Implicit by default.
        tolerance: Of the equilibrium.
        max_iterations: Of the equilibrium.
        on_failure: Of the equilibrium; ``"warn"`` by default.

    Raises:
        TypeError: A count that is no integer; a reaction of the wrong kind.
        ValueError: A setting outside its range; an equilibrium without an anchor.

    Differentiability: as the activation (ReLU: piecewise smooth), any order by unrolling; through the equilibrium as
        the backward says.
    Cost: about as many multiplications a pixel, class and iteration as parameters; memory of every iteration, or of
        one at the equilibrium.
    References: E. Maggiori, G. Charpiat, Y. Tarabalka, P. Alliez, Recurrent Neural Networks to Correct Satellite
        Image Classification Maps, IEEE TGRS 55, 2017.

    Example:
        >>> refine = PDERefiner(classes=1, iterations=5)
        >>> coarse, image = torch.randn(2, 1, 20, 30), torch.rand(2, 3, 20, 30)
        >>> refine(coarse, image).shape, refine.trajectory(coarse, image).shape
        (torch.Size([2, 1, 20, 30]), torch.Size([6, 2, 1, 20, 30]))
    """

    def __init__(
        self,
        classes: int,
        image_channels: int = 3,
        iterations: int | None = 5,
        *,
        stencils: int = 32,
        image_stencils: int = 24,
        hidden: int = 32,
        kernel_size: int = 5,
        per_class: bool = False,
        anchor: float = 0.0,
        activation: Callable[[Tensor], Tensor] | None = None,
        reaction: AbstractReaction | None = None,
        border: Border = "replicate",
        solver: AbstractSolver | None = None,
        backward: AbstractBackward | None = None,
        tolerance: float | None = None,
        max_iterations: int = 200,
        on_failure: OnFailure = "warn",
    ):
        super().__init__()
        counts = {"classes": classes, "image_channels": image_channels, "stencils": stencils}
        counts |= {"image_stencils": image_stencils, "hidden": hidden, "kernel_size": kernel_size}
        for name, value in counts.items():
            check_at_least(f"PDERefiner({name})", value, 1)
        require(kernel_size % 2 == 1, "PDERefiner(kernel_size)", "must be odd", kernel_size)
        require(0 <= anchor <= 1, "PDERefiner(anchor)", "must be in [0, 1]", anchor)
        if iterations is None:
            remedy = "Without it the equilibrium forgets the map it started from."
            require(anchor > 0, "PDERefiner(iterations=None, anchor)", "must be positive", anchor, remedy)
        else:
            check_at_least("PDERefiner(iterations)", iterations, 0)
        if reaction is not None and not isinstance(reaction, AbstractReaction):
            reject_type("PDERefiner(reaction)", "must be an AbstractReaction", reaction)
        check_border("PDERefiner", border)
        self.classes, self.image_channels, self.iterations = classes, image_channels, iterations
        self.stencils, self.kernel_size, self.anchor = stencils, kernel_size, float(anchor)
        self.border: Border = border
        self.solver = Anderson() if solver is None else solver
        self.backward = Implicit() if backward is None else backward
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self.on_failure: OnFailure = on_failure
        groups = classes if per_class else 1
        self.map_stencils = nn.Conv2d(groups, groups * stencils, kernel_size, groups=groups, bias=False)
        self.image_stencils = nn.Conv2d(image_channels, image_stencils, kernel_size, bias=False)
        self.reaction = GatedMLP(groups, stencils, image_stencils, hidden, activation) if reaction is None else reaction

    def forward(self, scores: Tensor, image: Tensor) -> Tensor:
        """Refine scores ``(*batch, classes, H, W)`` by an image ``(*batch, channels, H, W)``."""
        if self.iterations is None:
            return self.solve(scores, image).value
        start, prepared, batch = self._begin(scores, image)
        u = start
        for _ in range(self.iterations):
            u = self._step(u, start, prepared)
        return unflatten_batch(u, batch)

    def trajectory(self, scores: Tensor, image: Tensor, iterations: int | None = None) -> Tensor:
        """Return the maps of all iterations, the first one included: ``(iterations + 1, *batch, classes, H, W)``."""
        steps = self.iterations if iterations is None else iterations
        if steps is None:
            reject("PDERefiner.trajectory(iterations)", "must be given where the module has none", None)
        start, prepared, batch = self._begin(scores, image)
        maps = [start]
        for _ in range(check_at_least("PDERefiner.trajectory(iterations)", steps, 0)):
            maps.append(self._step(maps[-1], start, prepared))
        return unflatten_batch(torch.stack(maps), batch, 1)

    def solve(self, scores: Tensor, image: Tensor) -> Solution:
        """Return the equilibrium with how it was found, see :func:`algonets.implicit.fixed_point`."""
        require(self.anchor > 0, "PDERefiner.solve()", "must have an anchor > 0", self.anchor)
        start, prepared, batch = self._begin(scores, image)
        solution = fixed_point(
            self._step,
            start,
            start,
            prepared,
            solver=self.solver,
            backward=self.backward,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            on_failure=self.on_failure,
            event_dims=3,
        )
        return Solution(*(unflatten_batch(part, batch) for part in solution))

    def _begin(self, scores: Any, image: Any) -> tuple[Tensor, Any, torch.Size]:
        scores = check_plane("PDERefiner(scores)", scores, 3)
        image = check_image("PDERefiner(image)", image, scores, "scores", 3)
        for call, tensor, count in (
            ("PDERefiner(scores)", scores, self.classes),
            ("PDERefiner(image)", image, self.image_channels),
        ):
            if tensor.shape[-3] != count:
                reject(call, f"must have {count} channels: (*batch, {count}, height, width)", tensor)
        batch = scores.shape[:-3]
        image = flatten_batch(broadcast_batch("PDERefiner(image)", image, batch, 3), 3)
        stencils = self.image_stencils(extend(image, self.kernel_size // 2, self.border))
        return flatten_batch(scores, 3), self.reaction.prepare(stencils), batch

    def _step(self, u: Tensor, start: Tensor, prepared: Any) -> Tensor:
        maps = extend(u, self.kernel_size // 2, self.border)
        if self.map_stencils.groups == 1:  # every map an example of its own
            maps = maps.flatten(0, 1).unsqueeze(1)
        stencils = self.map_stencils(maps).reshape(*u.shape[:2], self.stencils, *u.shape[2:])
        change = self.reaction(stencils, prepared)
        return u + change + self.anchor * (start - u) if self.anchor else u + change

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"classes={self.classes}, iterations={self.iterations}, anchor={self.anchor}, border={self.border!r}"
