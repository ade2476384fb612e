"""A solver that anybody wrote, made safe: one example at a time, in processes, with a time limit and a cache."""

import hashlib
import importlib.util
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, final

import numpy
import torch
from torch import Tensor

from algonets._core.checks import check_at_least, check_floating, check_positive
from algonets._core.errors import reject, reject_type, require
from algonets._core.shapes import flatten_batch
from algonets.gradients._problem import SolverWarning, per_example, solver_name
from algonets.gradients._processes import Outcome, call, call_all

__all__ = ["Solver"]


class Answers(NamedTuple):
    """Solutions in the shape of theta, zero where there is none, and ``(*batch,)``: is there one."""

    solution: Tensor
    feasible: Tensor


@final
class Solver:
    """A function made into a solver: its sense, its shapes, and what happens when it fails.

    An example on which the function raises, does not answer in time, crashes its process, or returns a wrong shape or
    something that is not finite is marked as without a solution: layers and losses mask it, with zero gradient, and
    the rest of the batch is not touched. ``failures`` counts them, a :class:`SolverWarning` tells the first reason.

    Args:
        fn: ``batched=True``: ``fn(theta, **instance)`` of tensors ``(N, *event)``. ``batched=False``: of one example,
            NumPy arrays ``theta (*event)``; numbers and NumPy arrays of its shape come back.
        sense: ``"max"`` if y maximises ``<theta, y>``, ``"min"`` for costs.
        batched: See above. If a batched function raises, the examples are tried one by one.
        workers: For ``batched=False``: processes of joblib, at least 2 (-1: all cores). None runs in this process, one
            example after the other. Inside ``with joblib.parallel_config(backend="dask")`` (or ``"ray"``, after its
            ``register_ray()``) the same calls run on a cluster.
        timeout: Seconds an example may take; needs workers, because a call in this process cannot be stopped. Python
            code is interrupted; a process stuck in C code is killed some seconds later.
        cache: How many of the last solutions to keep, for examples that come again; 0 keeps none.
        event_dims: Over how many last dimensions of theta one problem extends.

    Raises:
        TypeError: ``fn`` cannot be called.
        ValueError: an unknown sense; workers or a timeout where they cannot be.
        ImportError: workers without joblib.

    Differentiability: none; wrap it into a layer or a loss.
    Cost: that of ``fn``, some 0.1 ms a process and example for transport, and seconds to start the processes.

    Example:
        >>> import numpy
        >>> def first_two(theta):  # a solver for one example, in NumPy
        ...     y = numpy.zeros_like(theta)
        ...     y[numpy.argsort(theta)[-2:]] = 1
        ...     return y
        >>> Solver(first_two, batched=False)(torch.tensor([[0.1, 0.3, 0.2], [3.0, 2.0, 1.0]]))
        tensor([[0., 1., 1.],
                [1., 1., 0.]])
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        sense: Literal["max", "min"] = "max",
        *,
        batched: bool = True,
        workers: int | None = None,
        timeout: float | None = None,
        cache: int = 0,
        event_dims: int = 1,
    ):
        if not callable(fn):
            reject_type("Solver(fn)", "must be callable", fn)
        require(sense in ("max", "min"), "Solver(sense)", "must be 'max' or 'min'", sense)
        if workers is not None:
            require(not batched, "Solver(workers)", "must be None for a batched function", workers)
            rule = "must be -1 or at least 2, as joblib runs a single worker in this process"
            require(workers == -1 or workers >= 2, "Solver(workers)", rule, workers)
            if importlib.util.find_spec("joblib") is None:
                raise ImportError("Solver(workers) needs the package joblib: pip install joblib")
        if timeout is not None:
            check_positive("Solver(timeout)", timeout)
            if workers is None:
                reject("Solver(timeout)", "must be None without workers", timeout, "Give workers=2 or more.")
        self.fn, self.sense, self.batched, self.workers, self.timeout = fn, sense, batched, workers, timeout
        self.cache = check_at_least("Solver(cache)", cache, 0)
        self.event_dims = check_at_least("Solver(event_dims)", event_dims, 1)
        self.calls = 0
        self.failures = 0
        self._kept: OrderedDict[bytes, Tensor] = OrderedDict()

    def __call__(self, theta: Tensor, **instance: Any) -> Tensor:
        """Solve; examples without a solution get NaN, which layers and losses mask."""
        solution, feasible = self.solve(theta, **instance)
        missing = ~feasible.reshape(*feasible.shape, *(1,) * self.event_dims)
        return solution.masked_fill(missing, torch.nan) if bool(missing.any()) else solution

    def solve(self, theta: Tensor, **instance: Any) -> Answers:
        """Solve ``(*batch, *event)``, and tell which examples have a solution.

        Tensors of the instance lead with the batch; anything else goes to every example.

        Raises:
            TypeError: theta is no floating tensor.
            ValueError: theta has too few dimensions, or a tensor of the instance another batch.
        """
        theta = check_floating("Solver(theta)", theta).detach()
        if theta.ndim < self.event_dims:
            reject("Solver(theta)", f"must have at least {self.event_dims} dimensions, those of one problem", theta)
        batch = theta.shape[: theta.ndim - self.event_dims]
        flat = flatten_batch(theta, self.event_dims)
        inputs = {name: per_example(f"Solver({name})", value, batch, "theta") for name, value in instance.items()}
        found, reasons = self._solve_rows(flat, inputs)
        self.calls += len(flat)
        if reasons:
            self.failures += len(reasons)
            text = f"Solver({solver_name(self.fn)}): {len(reasons)} of {len(flat)} examples failed. First: {reasons[0]}"
            warnings.warn(text, SolverWarning, stacklevel=3)
        good = torch.tensor([y is not None for y in found], dtype=torch.bool, device=theta.device)
        solution = torch.zeros_like(flat)
        for row, y in enumerate(found):
            if y is not None:
                solution[row] = y
        return Answers(solution.reshape(theta.shape), good.reshape(batch))

    def _solve_rows(self, flat: Tensor, inputs: dict[str, Any]) -> tuple[list[Tensor | None], list[str]]:
        """Return a solution or None for each row, and the reasons of the failures."""
        keys = [_key(flat[row], _row(inputs, row)) for row in range(len(flat))] if self.cache else []
        todo = [row for row in range(len(flat)) if not keys or keys[row] not in self._kept]
        found: list[Tensor | None] = [None] * len(flat)
        for row in range(len(keys)):
            if keys[row] in self._kept:
                self._kept.move_to_end(keys[row])
                found[row] = self._kept[keys[row]].to(flat)
        reasons = []
        for row, outcome in zip(todo, self._outcomes(flat, inputs, todo), strict=True):
            y, reason = _checked(outcome, flat[row])
            found[row] = y
            if y is None:
                reasons.append(reason)
            elif keys:
                self._kept[keys[row]] = y.clone()
        while len(self._kept) > self.cache:
            self._kept.popitem(last=False)
        return found, reasons

    def _outcomes(self, flat: Tensor, inputs: dict[str, Any], rows: list[int]) -> list[Outcome]:
        if not rows:
            return []
        if self.batched:
            return self._batched(flat, inputs, rows)
        jobs = [(_numpy(flat[row]), {k: _numpy(v) for k, v in _row(inputs, row).items()}) for row in rows]
        if self.workers is None:
            return [call(self.fn, job, None) for job in jobs]
        return call_all(self.fn, jobs, self.workers, self.timeout)

    def _batched(self, flat: Tensor, inputs: dict[str, Any], rows: list[int]) -> list[Outcome]:
        index = torch.tensor(rows, device=flat.device)
        some = {name: value[index] if isinstance(value, Tensor) else value for name, value in inputs.items()}
        outcome = call(self.fn, (flat[index], some), None)
        if not outcome.error:
            y = outcome.value
            if isinstance(y, Tensor) and y.shape == flat[index].shape:
                return [Outcome(row, "") for row in y]
            return [Outcome(y, "")] * len(rows)  # refused row by row, with its shape
        if len(rows) == 1:
            return [outcome]
        return [self._batched(flat, inputs, [row])[0] for row in rows]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": OrderedDict()}

    def __repr__(self) -> str:
        shown = [solver_name(self.fn), f"sense={self.sense!r}"]
        shown += [
            f"{name}={getattr(self, name)!r}" for name in ("batched", "workers", "timeout", "cache", "event_dims")
        ]
        return f"Solver({', '.join(shown)})"


def _row(inputs: dict[str, Any], row: int) -> dict[str, Any]:
    return {name: value[row] if isinstance(value, Tensor) else value for name, value in inputs.items()}


def _numpy(value: Any) -> Any:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else value


def _key(theta: Tensor, instance: dict[str, Any]) -> bytes:
    """Digest of an example; theta as float64, so that the dtype does not matter."""
    digest = hashlib.blake2b(theta.double().cpu().contiguous().numpy().tobytes(), digest_size=16)
    for name, value in sorted(instance.items()):
        digest.update(name.encode())
        digest.update(pickle.dumps(_numpy(value)))
    return digest.digest()


def _checked(outcome: Outcome, theta: Tensor) -> tuple[Tensor | None, str]:
    """Return the solution as a tensor like theta, or why there is none."""
    if outcome.error:
        return None, outcome.error
    try:
        value = outcome.value
        y = value.detach() if isinstance(value, Tensor) else torch.as_tensor(numpy.asarray(value))
        y = y.to(theta)
    except (TypeError, ValueError, RuntimeError) as error:
        return None, f"no numbers came back ({error})"
    if y.shape != theta.shape:
        return None, f"it returned the shape {tuple(y.shape)} for a problem of shape {tuple(theta.shape)}"
    if not bool(y.isfinite().all()):
        return None, "its solution is not finite"
    return y, ""
