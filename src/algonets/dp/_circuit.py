"""Write down a recursion once as a sum-product circuit, which one native kernel then runs.

``Trace`` is a semiring whose elements are numbers of nodes: running a program's recursion in it, for one example,
records every product and every sum. All examples of a batch, and all batches of the same shape, share the circuit.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import torch

from algonets._core.compiling import constant_result
from algonets.semirings import Semiring

__all__ = ["Circuit", "Recipe", "circuit_of", "number_for", "recipe", "split_factors"]

ZERO, ONE, LEAVES = 0, 1, 2
LARGEST = 20_000_000
"""Terms of the largest circuit that is kept; a longer recursion runs in plain torch."""


@dataclass(frozen=True)
class Recipe:
    """What makes a circuit: a recursion, its static options and the shapes of its factors (without the batch)."""

    inside: Callable[..., torch.Tensor]
    options: tuple[tuple[str, Any], ...]
    shapes: tuple[tuple[int, ...], ...]

    def table(self, semiring: Semiring, factors: list[torch.Tensor]) -> torch.Tensor:
        """Run the recursion on lifted factors (B, *shape): (B, goals), and the semiring's dimensions."""
        return self.inside(semiring, *factors, **dict(self.options))


def split_factors(joined: torch.Tensor, shapes: tuple[tuple[int, ...], ...], dim: int = 1) -> list[torch.Tensor]:
    """Split (..., leaves) along ``dim`` into the factors (..., *shape)."""
    sizes = [math.prod(shape) for shape in shapes]
    return [
        part.reshape(*joined.shape[:dim], *shape) for part, shape in zip(joined.split(sizes, dim), shapes, strict=True)
    ]


class Circuit(NamedTuple):
    """Arrays of ``native/sum_product.h``."""

    first: torch.Tensor
    terms: torch.Tensor
    goals: torch.Tensor


_recipes: list[Recipe] = []
_numbers: dict[Recipe, int] = {}
_circuits: OrderedDict[int, Circuit | None] = OrderedDict()


@constant_result
def number_for(inside: Callable, options: tuple[tuple[str, Any], ...], shapes: tuple[tuple[int, ...], ...]) -> int:
    """Return the number under which operators know a recipe."""
    found = Recipe(inside, options, shapes)
    if found not in _numbers:
        _numbers[found] = len(_recipes)
        _recipes.append(found)
    return _numbers[found]


def recipe(number: int) -> Recipe:
    """Return a recipe by its number."""
    return _recipes[number]


def circuit_of(number: int) -> Circuit | None:
    """Return the circuit of a recipe, traced at the first call; ``None`` where it would be too large."""
    if number in _circuits:
        _circuits.move_to_end(number)
        return _circuits[number]
    _circuits[number] = found = _trace(_recipes[number])
    while len(_circuits) > 1 and sum(0 if c is None else len(c.terms) for c in _circuits.values()) > LARGEST:
        _circuits.popitem(last=False)
    return found


class TooLarge(Exception):
    """The circuit would exceed ``LARGEST``."""


@final
class Trace(Semiring):
    """Elements are int64 numbers of nodes; ``times`` and ``plus`` make new ones."""

    zero = float(ZERO)
    one = float(ONE)

    def __init__(self, leaves: int):
        self._next = LEAVES + leaves
        self._recorded = 0
        self.products: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []  # number, and its two nodes
        self.sums: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []  # number, how many terms, terms

    def _new(self, count: int, terms: int) -> torch.Tensor:
        self._recorded += terms
        if self._recorded > 2 * LARGEST:
            raise TooLarge
        numbers = torch.arange(self._next, self._next + count)
        self._next += count
        return numbers

    def times(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Record products, except with 0 and 1."""
        a, b = torch.broadcast_tensors(a, b)
        result = torch.where(a == ONE, b, a)
        result = torch.where((a == ZERO) | (b == ZERO), ZERO, result)
        real = (a > ONE) & (b > ONE)
        left, right = a[real], b[real]
        numbers = self._new(len(left), len(left))
        self.products.append((numbers, left, right))
        return result.masked_scatter(real, numbers)

    def plus(self, x: torch.Tensor, dim: int) -> torch.Tensor:
        """Record sums over ``dim``, except of less than two terms that are not 0."""
        x = x.movedim(dim, -1)
        shape, x = x.shape[:-1], x.reshape(-1, x.shape[-1])
        live = x != ZERO
        count = live.sum(1)
        result = x.amax(1) if x.shape[1] else torch.zeros(len(x), dtype=torch.int64)  # of one term that is not 0
        several = count > 1
        rows = x[several]
        numbers = self._new(len(rows), int(count[several].sum()))
        self.sums.append((numbers, count[several], rows[live[several]]))
        return result.masked_scatter(several, numbers).reshape(shape)


def _trace(recipe: Recipe) -> Circuit | None:
    leaves = sum(math.prod(shape) for shape in recipe.shapes)
    trace = Trace(leaves)
    with torch.no_grad():
        try:
            table = recipe.table(trace, split_factors(torch.arange(LEAVES, LEAVES + leaves)[None], recipe.shapes))
        except TooLarge:
            return None
        return _compile(trace, leaves, table.reshape(-1))


def _cat(parts: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)


def _compile(trace: Trace, leaves: int, goals: torch.Tensor) -> Circuit:
    """Bring the record into the kernel's form: a product that only one sum uses becomes a term of that sum."""
    nodes = trace._next
    product, left, right = (_cat([entry[k] for entry in trace.products]) for k in range(3))
    total, count, terms = (_cat([entry[k] for entry in trace.sums]) for k in range(3))
    factors = torch.zeros(nodes, 2, dtype=torch.int64)
    factors[product, 0], factors[product, 1] = left, right
    is_product = torch.zeros(nodes, dtype=torch.bool)
    is_product[product] = True
    uses = torch.bincount(torch.cat([left, right, terms, goals]), minlength=nodes)
    inlined = torch.zeros(nodes, dtype=torch.bool)
    inlined[terms[is_product[terms] & (uses[terms] == 1)]] = True
    unused = is_product & (uses == 0)

    pairs = torch.stack([terms, torch.full_like(terms, ONE)], 1)
    pairs = torch.where(inlined[terms].unsqueeze(1), factors[terms], pairs)
    kept = product[~inlined[product] & ~unused[product]]

    owner = torch.cat([kept, torch.repeat_interleave(total, count)])
    pairs = torch.cat([factors[kept], pairs])
    order = torch.argsort(owner, stable=True)
    owner, pairs = owner[order], pairs[order]
    alive, length = torch.unique_consecutive(owner, return_counts=True)
    renumbered = torch.arange(nodes)  # leaves keep their numbers
    renumbered[alive] = torch.arange(LEAVES + leaves, LEAVES + leaves + len(alive))
    first = torch.cat([torch.zeros(1, dtype=torch.int64), length.cumsum(0)])
    return Circuit(
        first.contiguous(), renumbered[pairs].to(torch.int32).contiguous(), renumbered[goals].to(torch.int32)
    )
