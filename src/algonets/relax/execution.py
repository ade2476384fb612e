"""One call of a relaxed function, from the caller's tensors to the result."""

import copy
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch as functorch  # pyright: ignore[reportAttributeAccessIssue]
from torch.utils import _pytree as pytree

from algonets._core.checks import values_visible
from algonets._core.errors import reject
from algonets.distributions import Distribution
from algonets.relax.layout import Layout
from algonets.relax.options import Options
from algonets.relax.paths import Sampler, enumerate_paths
from algonets.relax.program import Program
from algonets.relax.report import Decision, Report, gaps
from algonets.relax.runtime import Runtime

__all__ = ["Execution"]


class Execution:
    """A call with its arguments and choices."""

    def __init__(self, name: str, program: Program, args: tuple, kwargs: dict, options: Options):
        self.name, self.program = name, program
        names = list(program.signature.parameters)
        try:
            given = program.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise TypeError(f"{name}(...): {error}") from None
        self.layout = Layout(name, names, program.bind(args, kwargs), options.batch_dims, given)
        self.options = options
        self.law = self._placed_law(options.distribution)
        scale = self.law.scale if isinstance(self.law.scale, Tensor) else None
        self.visible = values_visible(scale, *self.layout.tensors()) and not _under_vmap()
        self.residual: dict[tuple[int, str], float] = {}
        self.decisions: dict[int, Decision] | None = {} if options.report else None

    def _placed_law(self, law: Distribution) -> Distribution:
        """Flatten a scale of each example to the batch of the program."""
        scale = law.scale
        if not isinstance(scale, Tensor) or scale.ndim == 0:
            return law
        shape = self.layout.shape or ()
        if tuple(scale.shape) != tuple(shape):
            rule = f"must have a scale without dimensions, or one of each example, of shape {tuple(shape)}"
            reject(f"{self.name}.soft(distribution)", rule, scale)
        law = copy.copy(law)
        law.scale = scale.reshape(-1)
        return law

    def _runtime(self, step: bool, guarded: bool, repeats: int = 1) -> Runtime:
        law = self.law
        if repeats > 1 and isinstance(law.scale, Tensor) and law.scale.ndim:
            law = copy.copy(law)
            law.scale = self.law.scale.repeat_interleave(repeats)  # pyright: ignore[reportAttributeAccessIssue]
        batch = 1 if self.layout.single else self.layout.batch
        rt = Runtime(self.options, law, self.layout.like, batch * repeats, step, self.visible, guarded)
        rt.residual = self.residual
        rt.log = self.decisions if not step else None
        return rt

    def _run(self, rt: Runtime, repeats: int = 1) -> Any:
        value = self.program.function(rt, *self.layout.arguments(rt, repeats))
        return self.layout.result(rt, value, rt.step, rt.batch)

    def _restored(self, value: Any) -> Any:
        return pytree.tree_map(self.layout.restore, value)

    # ---- modes

    def hard(self) -> Any:
        """The function itself, on every example."""
        return self._restored(self._run(self._runtime(True, False)))

    def soft(self) -> Any:
        """The relaxed function by the merge of the call."""
        way = {"mean": self._mean, "paths": self._paths, "sample": self._sample}[self.options.merge]
        return self._restored(way())

    def _mean(self) -> Any:
        guarded = self.program.guards or not self.visible
        rt = self._runtime(False, guarded)
        result = self._run(rt)
        if guarded or all(
            not isinstance(t, Tensor) or bool(t.detach().isfinite().all()) for t in pytree.tree_leaves(result)
        ):
            return result
        # An infinity or NaN came out: run again with every path that has no mass kept apart, and from now on.
        if self.decisions is not None:
            self.decisions.clear()
        self.program.guards = True
        return self._run(self._runtime(False, True))

    def _paths(self) -> Any:
        def run(replay: Any) -> Any:
            rt = self._runtime(False, True)
            rt.chooser = replay
            return self._run(rt)

        results, weights = enumerate_paths(run, self.options.max_paths, self.name)
        self.path_count = len(results)
        batch = 1 if self.layout.single else self.layout.batch
        ones = torch.ones(1, dtype=self.layout.like.dtype, device=self.layout.like.device)
        shares = torch.stack([(ones if w is None else w).expand(batch) for w in weights])
        total = shares.sum(0)
        shares = shares / total

        def mean(*values: Any) -> Any:
            if not isinstance(values[0], Tensor):
                return values[0]
            stacked = torch.stack(values)
            share = shares.reshape(*shares.shape, *[1] * (stacked.ndim - 2))
            return (torch.where(share == 0, torch.zeros_like(stacked), stacked) * share).sum(0)

        return pytree.tree_map(mean, *results)

    def _sample(self) -> Any:
        samples = self.options.samples
        rt = self._runtime(False, True, samples)
        rt.masks = True
        rt.chooser = sampler = Sampler(self.options.generator)
        result = self._run(rt, samples)
        return pytree.tree_map(lambda t: sampler.mean(t, samples) if isinstance(t, Tensor) else t, result)

    def run(self) -> Any:
        """What the mode of the call asks for."""
        options = self.options
        if options.mode == "hard":
            result = self.hard()
            return (result, self._report(result, result)) if options.report else result
        result = soft = self.soft()
        hard = self.hard() if options.report or options.mode == "straight_through" else None
        if options.mode == "straight_through":
            result = pytree.tree_map(_straight_through, hard, soft)
        return (result, self._report(hard, soft)) if options.report else result

    def _report(self, hard: Any, soft: Any) -> Report:
        decisions = sorted((self.decisions or {}).values(), key=lambda d: d.line)
        most = max(self.residual.values(), default=0.0)
        batch = 1 if self.layout.single else self.layout.batch
        return Report(most, dict(self.residual), gaps(hard, soft, batch), decisions, getattr(self, "path_count", None))


def _under_vmap() -> bool:
    """Whether parameters that the program reaches by itself may be batched."""
    stack = functorch.get_interpreter_stack() or ()
    return any(level.key() == functorch.TransformType.Vmap for level in stack)


def _straight_through(hard: Any, soft: Any) -> Any:
    if not isinstance(soft, Tensor):
        return hard
    return hard.detach().to(soft.dtype) + (soft - soft.detach())
