"""Mean-field inference in conditional random fields over pixels, unrolled into layers."""

from typing import Any, final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.errors import reject, reject_type, require
from algonets._core.shapes import broadcast_batch
from algonets.equations._planes import check_image, check_plane
from algonets.equations.kernels import AbstractKernel

__all__ = ["MeanField"]


@final
class MeanField(nn.Module):
    r"""Mean-field marginals of a pairwise CRF over pixels, a fixed number of parallel updates.

    .. math:: q_i(l) \propto \exp\Big( s_i(l) - \sum_{l'} \mu(l, l') \sum_{j \ne i} k(i, j) \, q_j(l') \Big)

    from the scores s, where ``q = softmax(s)`` at first. The kernel says who is a neighbour (:class:`GridKernel`,
    :class:`DenseKernel`), the compatibility mu what a pair of labels costs: Potts, ``mu = 1 - identity``, at first.

    Args:
        classes: Labels, ``>= 2``.
        kernel: k.
        iterations: Updates, ``>= 0``.
        damping: In [0, 1): share of the old ``log q`` that is kept; helps where parallel updates oscillate.

    Raises:
        TypeError: A count that is no integer; a kernel of the wrong kind.
        ValueError: A setting outside its range.

    Differentiability: any order, to scores, image, compatibility and the kernel's parameters.
    Cost: an iteration of the kernel's, and O(classes^2 H W); memory of every iteration.
    References: P. Kraehenbuehl, V. Koltun, Efficient Inference in Fully Connected CRFs with Gaussian Edge
        Potentials, NeurIPS 2011, algorithm 1. S. Zheng et al., Conditional Random Fields as Recurrent Neural
        Networks, ICCV 2015.

    Example:
        >>> from algonets.equations import GridKernel
        >>> scores = torch.tensor([[[3.0, 3.0, -0.2, 3.0]], [[0.0, 0.0, 0.0, 0.0]]])  # one doubtful pixel of four
        >>> smooth = MeanField(2, GridKernel(weight=1.0))
        >>> smooth(scores, torch.zeros(1, 1, 4)).argmax(-3)
        tensor([[0, 0, 0, 0]])
    """

    def __init__(self, classes: int, kernel: AbstractKernel, iterations: int = 5, damping: float = 0.0):
        super().__init__()
        self.classes = check_at_least("MeanField(classes)", classes, 2)
        if not isinstance(kernel, AbstractKernel):
            reject_type("MeanField(kernel)", "must be a GridKernel() or a DenseKernel()", kernel)
        require(0 <= damping < 1, "MeanField(damping)", "must be in [0, 1)", damping)
        self.kernel = kernel
        self.iterations = check_at_least("MeanField(iterations)", iterations, 0)
        self.damping = float(damping)
        self.compatibility = nn.Parameter(1 - torch.eye(classes))

    def forward(self, scores: Tensor, image: Tensor) -> Tensor:
        """Return ``log q``, ``(*batch, classes, H, W)``, of scores of that shape and an image with any channels."""
        return self._updated(scores, image)[-1]

    def trajectory(self, scores: Tensor, image: Tensor) -> Tensor:
        """Return ``log q`` of all iterations, the first one included: ``(iterations + 1, *batch, classes, H, W)``."""
        return torch.stack(self._updated(scores, image))

    def _updated(self, scores: Any, image: Any) -> list[Tensor]:
        scores = check_plane("MeanField(scores)", scores, 3)
        if scores.shape[-3] != self.classes:
            rule = f"must have {self.classes} channels: (*batch, {self.classes}, height, width)"
            reject("MeanField(scores)", rule, scores)
        image = check_image("MeanField(image)", image, scores, "scores", 3)
        image = broadcast_batch("MeanField(image)", image, scores.shape[:-3], 3)
        affinity = self.kernel.affinity(image)
        steps = [scores.log_softmax(-3)]
        for _ in range(self.iterations):
            message = self.kernel.message(steps[-1].exp(), affinity)
            cost = torch.einsum("kl,...lhw->...khw", self.compatibility.to(message.dtype), message)
            new = (scores - cost).log_softmax(-3)
            if self.damping:
                new = (self.damping * steps[-1] + (1 - self.damping) * new).log_softmax(-3)
            steps.append(new)
        return steps

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"classes={self.classes}, iterations={self.iterations}, damping={self.damping}"
