"""Numbers glued from images of digits, in sets whose order is known: the data of ordering supervision."""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch.utils.data import Dataset

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets.data._checks import check_index

__all__ = ["NumberBatch", "NumberSets"]

_ATTEMPTS = 1000


class NumberBatch(NamedTuple):
    """Sets of numbers: ``images (*batch, n, 1, H, digits * W)`` float32 in [0, 1], ``values (*batch, n)`` int64."""

    images: torch.Tensor
    values: torch.Tensor


class NumberSets(Dataset[NumberBatch]):
    """Sets of ``n`` different numbers, each of several digit images side by side.

    Which images make up which number is drawn once, with replacement; a set in which a number occurs twice is drawn
    again, so that every set has one right order.

    Args:
        images: ``(N, H, W)`` of single digits, uint8 (divided by 255) or float.
        labels: ``(N,)`` int64, the digits, 0 to 9.
        n: numbers a set.
        digits: digits a number, 1 to 18.
        size: how many sets.
        seed: the sets are a function of it and the other arguments.

    Attributes:
        values: int64 ``(size, n)``, the numbers.

    Raises:
        TypeError: if a count is no integer.
        ValueError: if shapes do not fit, a count is out of range, or the images cannot make ``n`` different numbers.

    Cost: ``8 * size * n * digits`` bytes; images are glued when asked for.
    References: Grover, Wang, Zweig, Ermon 2019, Stochastic Optimization of Sorting Networks via Continuous
    Relaxations (4-digit MNIST).

    Example:
        >>> sets = NumberSets(torch.arange(10.0)[:, None, None].expand(10, 4, 4) / 9, torch.arange(10), n=3, size=2)
        >>> sets[0].images.shape, sets[0].values.shape
        (torch.Size([3, 1, 4, 16]), torch.Size([3]))
    """

    def __init__(
        self, images: torch.Tensor, labels: torch.Tensor, n: int = 5, digits: int = 4, size: int = 1000, seed: int = 0
    ):
        require(images.ndim == 3, "NumberSets(images)", "must have shape (N, H, W)", images)
        require(labels.shape == images.shape[:1], "NumberSets(labels)", f"must have shape ({len(images)},)", labels)
        self.n = check_at_least("NumberSets(n=...)", n, 1)
        self.digits = check_at_least("NumberSets(digits=...)", digits, 1)
        require(digits <= 18, "NumberSets(digits=...)", "must be at most 18", digits)
        size = check_at_least("NumberSets(size=...)", size, 0)
        self.seed = check_at_least("NumberSets(seed=...)", seed, 0)
        kinds = len(labels.unique()) ** digits
        require(kinds >= n, "NumberSets(n=...)", f"must be at most the {kinds} numbers that these images make", n)
        self._images, self._labels = images, labels.long()
        self._parts, self.values = self._draw(size, torch.Generator().manual_seed(seed))

    def _draw(self, size: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        places = 10 ** torch.arange(self.digits - 1, -1, -1)
        shape = (self.n, self.digits)
        parts = torch.zeros(size, *shape, dtype=torch.int64)
        values = torch.zeros(size, self.n, dtype=torch.int64)
        missing = torch.arange(size)
        for _ in range(_ATTEMPTS):
            if not len(missing):
                return parts, values
            parts[missing] = torch.randint(len(self._labels), (len(missing), *shape), generator=generator)
            values[missing] = self._labels[parts[missing]] @ places
            ordered = values[missing].sort(-1).values
            missing = missing[(ordered[:, 1:] == ordered[:, :-1]).any(-1)]
        raise ValueError(
            f"NumberSets(n={self.n}, digits={self.digits}) found no sets of different numbers in {_ATTEMPTS} attempts. "
            "Take fewer numbers or more digits."
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """``(1, H, digits * W)`` of one number."""
        return (1, self._images.shape[1], self.digits * self._images.shape[2])

    def batch(self, indices: Sequence[int] | torch.Tensor) -> NumberBatch:
        """Glue several sets at once; the ``collate_fn`` of a ``DataLoader`` over ``range(len(sets))``."""
        chosen = torch.as_tensor(indices, dtype=torch.int64, device=self._images.device)
        pieces = self._images[self._parts[chosen]]  # (B, n, digits, H, W)
        glued = pieces.movedim(-3, -2).flatten(-2).unsqueeze(-3)
        if not glued.dtype.is_floating_point:
            glued = glued.to(torch.float32) / 255
        return NumberBatch(glued.contiguous(), self.values[chosen])

    def to(self, device: torch.device | str) -> "NumberSets":
        """Return the same sets with images, parts and numbers on a device, where :meth:`batch` then glues them."""
        moved = copy.copy(self)
        moved._images, moved._parts = self._images.to(device), self._parts.to(device)
        moved.values = self.values.to(device)
        return moved

    def head(self, count: int) -> "NumberSets":
        """Return the first ``count`` sets, or all if there are fewer, as a dataset of the same images."""
        first = copy.copy(self)
        first._parts, first.values = self._parts[:count], self.values[:count]
        return first

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> NumberBatch:
        i = check_index("NumberSets", index, len(self))
        many = self.batch([i])
        return NumberBatch(many.images[0], many.values[0])

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape[1:]))
        return f"NumberSets(seed={self.seed}): {len(self)} sets of {self.n} numbers of {self.digits} digits, {shape}"
