"""The registry of public operations: what the conformance suite tests and what the docs table shows.

An operation is declared once, in ``operations_<room>.py`` or ``operations_<room>_<part>.py``: how to call it on
tensors, inputs to try, what it promises (differentiability, backends, dtypes, errors), an oracle, and what it cannot
do, with the reason. Adding an operation there is all it takes to have it tested.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

__all__ = [
    "CHECKS",
    "ROOMS",
    "Argument",
    "Operation",
    "PublicObject",
    "Sample",
    "exempt",
    "exemptions",
    "failures",
    "objects",
    "operations",
    "register",
    "register_object",
]

ROOMS = (
    *("sort", "dp", "graph", "render", "logic", "relax", "memory", "equations", "gradients", "implicit", "projections"),
    *("losses", "training", "semirings", "distributions", "tconorms"),
)
"""The rooms of ``algonets`` that have public operations, in the order of the docs table."""

CHECKS = frozenset(
    {"batch", "empty", "strides", "pure", "dtype", "half", "deterministic", "oracle", "native", "vmap", "compile"}
    | {"gradcheck", "gradgradcheck", "no gradient", "type", "integer", "nan", "infinite", "value"}
)
"""The checks that an operation may declare a gap in."""

BATCHES = ((), (3,), (2, 2))
Differentiability = Literal["any order", "twice", "once", "piecewise linear", "piecewise constant", "none"]
Result = Tensor | tuple[Tensor, ...]


@dataclass(frozen=True)
class Argument:
    """One tensor argument of an operation.

    Attributes:
        call: How error messages name it, for example ``"LinearChain(unary)"``.
        integer: Labels or lengths; all else is floating point.
        shared: It has no batch dimensions, one value serves the batch.
        nan: ``"raises"`` (an infinity that is not allowed does so too), or ``"propagates"``, to the examples that
            hold it and no further.
        infinite: The infinities that are allowed: neither they nor their gradients make a NaN.
        rejects: Functions that turn a good value into one that must raise a ``ValueError``.
        gaps: As of the operation, for the checks ``type``, ``integer``, ``nan``, ``infinite`` and ``value`` of this.
    """

    call: str
    integer: bool = False
    shared: bool = False
    nan: Literal["raises", "propagates"] = "raises"
    infinite: tuple[float, ...] = ()
    rejects: tuple[Callable[[Tensor], Any], ...] = ()
    gaps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """Valid arguments, and the batch dimensions that lead each argument that is not shared."""

    args: tuple[Tensor, ...]
    batch: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A public operation and its promises.

    Attributes:
        name: Dotted path below ``algonets``, for example ``"dp.LinearChain.max"``.
        summary: One line for the docs.
        function: Tensors to a tensor or a tuple of them; it takes ``generator=`` too if ``random``.
        arguments: One for each tensor that ``function`` takes.
        inputs: ``(generator, dtype, batch)`` to valid small arguments, away from kinks.
        differentiability: The promise of the docstring; integer results are ``"none"``.
        oracle: Slow independent function of one unbatched example, or the reason why there is none.
        tolerance: Absolute and relative, of the oracle in float64.
        ways: Those of pool, unroll, analytic that it is.
        backends: ``native`` where there is a kernel, ``torch`` always.
        dtype: The dtype of floating results, where it is not that of the arguments.
        half: bfloat16 arguments are computed in float32 and the result is ``"float32"`` or cast back (``"kept"``);
            ``None`` where nothing is promised.
        random: It draws random numbers.
        gaps: Check to reason: what it cannot do, tested to fail.
        slow: Checks that take more than some seconds.
        row: The row of the docs table that shows it, its own by default.
    """

    name: str
    summary: str
    function: Callable[..., Result]
    arguments: tuple[Argument, ...]
    inputs: Callable[[torch.Generator, torch.dtype, tuple[int, ...]], tuple[Tensor, ...]]
    differentiability: Differentiability
    oracle: Callable[..., Any] | str
    cost: str
    tolerance: float = 1e-9
    ways: tuple[str, ...] = ()
    reference: str = ""
    backends: tuple[str, ...] = ("torch",)
    dtype: torch.dtype | None = None
    half: Literal["float32", "kept"] | None = None
    random: bool = False
    gaps: Mapping[str, str] = field(default_factory=dict)
    slow: frozenset[str] = frozenset()
    row: str = ""

    @property
    def room(self) -> str:
        """The room it belongs to."""
        return self.name.split(".")[0]

    def sample(self, batch: tuple[int, ...] = (3,), dtype: torch.dtype = torch.float64, seed: int = 0) -> Sample:
        """Return arguments with the given leading dimensions, the same for the same seed."""
        return Sample(self.inputs(torch.Generator().manual_seed(seed), dtype, batch), batch)

    def samples(self, dtype: torch.dtype = torch.float64) -> list[Sample]:
        """Return samples without, with one and with two batch dimensions."""
        return [self.sample(batch, dtype, seed) for seed, batch in enumerate(BATCHES)]

    def run(self, *args: Tensor, seed: int = 0) -> tuple[Tensor, ...]:
        """Call it, with a fresh generator where it is random; the result is always a tuple."""
        extra = {"generator": torch.Generator().manual_seed(seed)} if self.random else {}
        result = self.function(*args, **extra)
        return result if isinstance(result, tuple) else (result,)


@dataclass(frozen=True, kw_only=True)
class PublicObject:
    """A public object: what survives pickling and copying.

    Attributes:
        name: As of :class:`Operation`.
        make: Build one, with arguments that are not the defaults.
        use: What it computes, to compare the copy with the original.
        shows: Text that its ``repr`` must contain.
    """

    name: str
    make: Callable[[], Any]
    use: Callable[[Any], Result]
    shows: tuple[str, ...] = ()


_operations: dict[str, Operation] = {}
_objects: dict[str, PublicObject] = {}
_exemptions: dict[str, str] = {}
_failures: dict[str, Exception] = {}
_loaded: list[str] = []


def register(operation: Operation) -> None:
    """Add an operation; its name is new, its room exists and its gaps name checks."""
    arguments = [name for argument in operation.arguments for name in argument.gaps]
    unknown = {*operation.gaps, *operation.slow, *arguments} - CHECKS
    if operation.name in _operations or operation.room not in ROOMS or unknown:
        raise ValueError(f"register({operation.name!r}) must be new, in {ROOMS}, with known checks, got {unknown}.")
    _operations[operation.name] = operation


def register_object(entry: PublicObject) -> None:
    """Add a public object under a new name."""
    if entry.name in _objects:
        raise ValueError(f"register_object({entry.name!r}) must be new.")
    _objects[entry.name] = entry


def exempt(pattern: str, reason: str) -> None:
    """Exempt public names from having an operation; ``*`` stands for anything."""
    _exemptions[pattern] = reason


def operations() -> Iterator[Operation]:
    """Return all operations, room by room."""
    _load()
    return iter(_operations.values())


def objects() -> Iterator[PublicObject]:
    """Return all public objects."""
    _load()
    return iter(_objects.values())


def exemptions() -> Mapping[str, str]:
    """Return patterns of exempt names with their reasons."""
    _load()
    return _exemptions


def failures() -> Mapping[str, Exception]:
    """Return the rooms that could not be loaded; one broken room leaves the tests of the others running."""
    _load()
    return _failures


def _load() -> None:
    for room in ROOMS:
        if room not in _loaded:
            _loaded.append(room)
            try:
                importlib.import_module(f"tests.conformance.operations_{room}")
                for more in sorted(Path(__file__).parent.glob(f"operations_{room}_*.py")):
                    importlib.import_module(f"tests.conformance.{more.stem}")
            except Exception as error:
                _failures[room] = error
