"""Gradients on their way through algorithm layers: measured, judged, and what to turn."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from algonets._core.checks import check_positive
from algonets._core.errors import require
from algonets.training.algorithms import find_algorithms
from algonets.training.annealing import knob_of

__all__ = ["GradientMonitor", "GradientReport"]


class GradientReport(NamedTuple):
    """What passed through one layer since the last report.

    Attributes:
        layer: Its path in the model.
        gain: Norm of the gradient in the inputs over that in the outputs, geometric mean over the batches.
        spread: Largest over median norm of the gradient of an example.
        silent: Fraction of the examples that got no gradient at all.
        finite: Whether all of them were finite.
        verdict: ``"ok"``, ``"vanishing"``, ``"exploding"``, ``"uneven"`` or ``"not finite"``.
        advice: What to turn, empty if all is well.
    """

    layer: str
    gain: float
    spread: float
    silent: float
    finite: bool
    verdict: str
    advice: str


class GradientMonitor:
    """Watch the gradients through algorithm layers, and say which knob to turn.

    Args:
        model: A module.
        layers: Types to watch; by default all modules of algonets that hold an algorithm, losses included.
        low: A gain below this vanishes; so does a gradient that is zero for half of the examples.
        high: A gain above this explodes.
        uneven: A spread above this is uneven.

    Raises:
        ValueError: if nothing is there to watch, or the bounds are out of order.

    Differentiability: gradients are watched, not changed.
    Cost: some norms a backward pass. Use it as a context, or call :meth:`close`. As a Lightning callback:
        ``algonets.training.callbacks.MonitorGradients``.

    Example:
        >>> from algonets import distributions, sort
        >>> layer = sort.Rank(sort.OddEven(distributions.Logistic(1e-3)))
        >>> x = torch.tensor([[0.0, 1.0, 2.0]], requires_grad=True)
        >>> with GradientMonitor(nn.Sequential(layer)) as monitor:
        ...     layer(x).square().sum().backward()
        ...     print(monitor.report()[0].verdict)
        vanishing
    """

    def __init__(
        self,
        model: nn.Module,
        layers: type | tuple[type, ...] | None = None,
        low: float = 1e-4,
        high: float = 1e3,
        uneven: float = 1e3,
    ):
        check_positive("GradientMonitor(low)", low)
        require(low < high, "GradientMonitor(low, high)", "must be in order", (low, high))
        self.low, self.high, self.uneven = low, high, uneven
        self._layers: dict[str, nn.Module] = {}
        for name, module in model.named_modules():
            if isinstance(module, layers) if layers is not None else _has_algorithm(module):
                self._layers[name or type(module).__name__] = module
        rule = "must contain a layer to watch"
        require(bool(self._layers), "GradientMonitor(model)", rule, type(model).__name__, "Give layers=(...).")
        self._seen: dict[str, list[Tensor]] = {name: [] for name in self._layers}
        self._handles: list[Any] = []
        for name, module in self._layers.items():
            self._handles += self._watch(name, module)

    def _watch(self, name: str, module: nn.Module) -> list[Any]:
        sources: list[Tensor | None] = []

        def before(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            """Give the layer a view of its input: what others do with it does not count, and leaves stay clean."""
            place = next((k for k, value in enumerate(inputs) if _tracked(value)), None)
            if place is None:
                sources.append(None)
                return inputs
            view = inputs[place].view_as(inputs[place])
            sources.append(view)
            return (*inputs[:place], view, *inputs[place + 1 :])

        def after(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            source = sources.pop()
            outputs = [o for o in (output if isinstance(output, tuple) else (output,)) if _tracked(o)]
            if not outputs or source is None:
                return
            incoming: list[Tensor] = []
            outputs[0].register_hook(lambda g: incoming.append(g.detach().double().norm()))

            def passed(g: Tensor) -> None:
                if incoming:
                    self._seen[name].append(_measure(g.detach(), incoming[-1]))

            source.register_hook(passed)

        return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]

    def report(self) -> list[GradientReport]:
        """Judge what was seen since the last report, and forget it; layers that saw nothing are left out."""
        reports = []
        for name, seen in self._seen.items():
            if seen:
                stacked = torch.stack(seen)
                seen.clear()
                reports.append(self._judge(name, stacked))
        return reports

    def _judge(self, name: str, seen: Tensor) -> GradientReport:
        finite = bool(seen[:, 3].all())
        gain = float(seen[:, 0].clamp_min(1e-300).log().mean().exp()) if finite else float("nan")
        spread, silent = float(seen[:, 1].amax()), float(seen[:, 2].mean())
        if not finite:
            verdict = "not finite"
        elif gain < self.low or silent >= 0.5:
            verdict = "vanishing"
        elif gain > self.high:
            verdict = "exploding"
        elif spread > self.uneven:
            verdict = "uneven"
        else:
            verdict = "ok"
        return GradientReport(name, gain, spread, silent, finite, verdict, self._advice(name, verdict))

    def _advice(self, name: str, verdict: str) -> str:
        if verdict == "ok":
            return ""
        knobs = []
        for path, value in find_algorithms(self._layers[name], object):
            knob = knob_of(value)
            if knob is not None:
                where = ".".join(part for part in (path, knob) if part)
                knobs.append(f"{where} (now {float(torch.as_tensor(getattr(value, knob)).mean()):g})")
        softer = "steepness" if any("beta" in knob for knob in knobs) else "softness"
        which = f"{softer}: {', '.join(knobs)}" if knobs else "scale of its inputs"
        turn = {
            "vanishing": f"Raise the {which}; or take a law with a heavier tail (Cauchy), or scale the inputs down.",
            "exploding": f"Raise the {which}; or wrap the loss in training.NewtonLoss, or clip.",
            "uneven": f"A few examples dominate. Raise the {which}; or wrap the loss in training.NewtonLoss.",
            "not finite": f"Look for infinite inputs, then raise the {which}.",
        }[verdict]
        return turn.replace("Raise the steepness", "Lower the steepness").replace("raise the steepness", "lower it")

    def close(self) -> None:
        """Stop watching."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def __enter__(self) -> "GradientMonitor":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"GradientMonitor({', '.join(self._layers)})"


def _tracked(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _has_algorithm(module: nn.Module) -> bool:
    ours = type(module).__module__.split(".")[:2]
    return (
        ours[0] == "algonets"
        and ours[-1] not in ("nets", "experiments")
        and (knob_of(module) is not None or any(knob_of(found.value) for found in find_algorithms(module, object)))
    )


def _measure(g: Tensor, incoming: Tensor) -> Tensor:
    """``(gain, spread, silent, finite)`` of one backward pass."""
    wide = g.double()
    rows = wide.reshape(len(wide), -1).norm(dim=-1) if wide.ndim > 1 else wide.abs().reshape(-1)
    middle = rows.median() if rows.numel() else rows.new_zeros(())
    spread = rows.amax() / middle.clamp_min(1e-300) if rows.numel() and bool(middle > 0) else wide.new_ones(())
    finite = wide.isfinite().all()
    gain = wide.norm() / incoming.clamp_min(1e-300)
    silent = (rows < torch.finfo(g.dtype).tiny).double().mean() if rows.numel() else wide.new_zeros(())
    return torch.stack([gain, spread, silent, finite.double()])
