"""K-FAC: the Fisher information of a layer as a Kronecker product of two small matrices."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least, check_positive
from algonets._core.errors import reject, reject_type, require
from algonets.training._fisher import Closure, Curvature
from algonets.training._second_order import SecondOrder
from algonets.training.line_search import Backtracking
from algonets.training.outputs import OutputDistribution

__all__ = ["KFAC"]

_LAYERS = (nn.Linear, nn.Conv2d)


class _Call(NamedTuple):
    """One use of a layer: its inputs as rows ``(N, locations, n)``, and its outputs in the graph."""

    rows: Tensor
    outputs: Tensor


class KFAC(SecondOrder):
    r"""Natural gradient with a Kronecker-factored Fisher information, for linear and convolutional layers.

    .. math:: F \approx A \otimes G, \quad A = E[a a^\top], \; G = E[g g^\top], \qquad
        \Delta W = -(G + \tfrac{\sqrt\lambda}{\pi} I)^{-1}\, \nabla_W\, (A + \pi \sqrt\lambda I)^{-1}

    with layer inputs ``a`` (and a 1 for the bias), derivatives ``g`` in the outputs of the layer, and
    :math:`\pi^2 = \frac{\mathrm{tr} A / \dim A}{\mathrm{tr} G / \dim G}`. ``g`` belongs to targets of the network's own
    distribution: it is the true Fisher information, not the empirical one.

    Args:
        model: Its trainable parameters must belong to ``Linear`` and ``Conv2d`` layers; freeze others.
        law: What the outputs mean, for example ``CategoricalOutput()`` for ``cross_entropy``.
        lr: Positive. With ``rescale`` 1 is right.
        damping: :math:`\lambda`, positive.
        decay: Of the running averages of A and G, in [0, 1); the first steps average evenly.
        fisher: ``"exact"`` sums over all outputs, C backward passes to the layers; ``"sampled"`` draws one target an
            example from the network.
        rescale: Let the exact Fisher information of the batch choose the size of the step, and that of the last
            step, which is added to it (momentum): the minimum of the quadratic model over both.
        every: Renew factors and their inverses every so many steps.
        line_search: Shorten steps that do not decrease the loss; ``None`` takes them as they are.
        adaptive: Adapt the damping to how well the quadratic model predicts (Levenberg-Marquardt).
        generator: Of ``fisher="sampled"``.

    Raises:
        TypeError: if ``model`` is no module, or ``law`` no :class:`OutputDistribution`.
        ValueError: if a number is out of range, or a trainable parameter belongs to another kind of layer.

    Differentiability: none, it is an optimiser. ``rescale`` and ``adaptive`` need a network that autograd can
        differentiate twice.
    Cost: a step: a forward and a backward pass, C (or one) backward passes for G, O(n^3) a layer side, and four
        backward passes to rescale; O(n^2) memory a layer side.
    References: Martens, Grosse 2015, Optimizing Neural Networks with Kronecker-factored Approximate Curvature;
        Grosse, Martens 2016, A Kronecker-factored Approximate Fisher Matrix for Convolution Layers.

    Example:
        >>> from algonets.training import CategoricalOutput
        >>> model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3))
        >>> x, y = torch.randn(20, 2), torch.arange(20) % 3
        >>> optimizer = KFAC(model, CategoricalOutput())
        >>> def closure():
        ...     outputs = model(x)
        ...     return functional.cross_entropy(outputs, y), outputs
        >>> losses = [optimizer.step(closure).item() for _ in range(4)]
        >>> losses[0] > losses[-1]
        True
    """

    def __init__(
        self,
        model: nn.Module,
        law: OutputDistribution,
        lr: float = 1.0,
        damping: float = 1e-2,
        decay: float = 0.95,
        fisher: Literal["exact", "sampled"] = "exact",
        rescale: bool = True,
        every: int = 1,
        line_search: Backtracking | None = None,
        adaptive: bool = False,
        generator: torch.Generator | None = None,
    ):
        if not isinstance(model, nn.Module):
            reject_type("KFAC(model)", "must be a torch.nn.Module", model)
        require(0 <= decay < 1, "KFAC(decay=...)", "must be in [0, 1)", decay)
        require(fisher in ("exact", "sampled"), "KFAC(fisher=...)", "must be 'exact' or 'sampled'", fisher)
        check_at_least("KFAC(every=...)", every, 1)
        check_positive("KFAC(lr=...)", lr)
        self._layers = _layers(model)
        super().__init__(
            [p for layer in self._layers for p in layer.parameters() if p.requires_grad],
            law,
            lr,
            damping,
            line_search,
            adaptive,
        )
        self.decay, self.fisher, self.rescale, self.every, self.generator = decay, fisher, rescale, every, generator
        self._calls: dict[nn.Module, list[_Call]] = {}

    def _evaluate(self, closure: Closure | None) -> tuple[Tensor, Tensor]:
        """Run the closure, watching inputs and outputs of the layers."""
        self._calls = {layer: [] for layer in self._layers}
        handles = [layer.register_forward_hook(self._watch) for layer in self._layers]
        try:
            return super()._evaluate(closure)
        finally:
            for handle in handles:
                handle.remove()

    def _watch(self, layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        self._calls[layer].append(_Call(_rows(layer, inputs[0].detach()), output))
        return output.clone()  # what comes after may write in place

    def _direction(self, local: Curvature, damping: float) -> Tensor:
        memory: Any = self.state  # keys beside the parameters, for what is not of one of them
        steps = memory["steps"] = memory.get("steps", 0) + 1
        if (steps - 1) % self.every == 0:
            self._renew(local)
        self._calls = {}
        parts = dict(zip(self.param_groups[0]["params"], local.gradient.split(_sizes(self)), strict=True))
        found: dict[Tensor, Tensor] = {}
        for layer in self._layers:
            a, g = (self.state[layer.weight][name] for name in ("inputs", "outputs"))
            self._precondition(layer, parts, a, g, damping, found)
        fresh = -torch.cat([found[p].reshape(-1) for p in self.param_groups[0]["params"]])
        return self._sized(local, fresh, damping) if self.rescale else fresh

    def _renew(self, local: Curvature) -> None:
        """Update the running averages of both factors of every layer."""
        outputs = local.outputs
        examples = max(outputs.numel() // max(outputs.shape[-1], 1), 1)
        frozen = outputs.detach()
        seeds = [self.law.sample(frozen, self.generator)] if self.fisher == "sampled" else self.law.factors(frozen)
        used = [(layer, call) for layer in self._layers for call in self._calls[layer]]
        moments: dict[Any, Any] = {layer: 0.0 for layer in self._layers}
        for seed in seeds:
            grads = torch.autograd.grad(
                outputs, [call.outputs for _, call in used], seed, retain_graph=True, allow_unused=True
            )
            for (layer, call), grad in zip(used, grads, strict=True):
                if grad is not None:
                    g = _output_rows(layer, grad)
                    moments[layer] = moments[layer] + g.mT @ g / (
                        examples * call.rows.shape[1] * len(self._calls[layer])
                    )
        for layer in self._layers:
            calls = self._calls[layer]
            if not calls or isinstance(moments[layer], float):
                reject("KFAC.step(closure)", "must use every layer of the model", layer, "Freeze layers that are idle.")
            rows = torch.cat([call.rows.flatten(0, 1) for call in calls])
            if layer.bias is not None:
                rows = torch.cat([rows, rows.new_ones(len(rows), 1)], 1)
            self._average(layer, rows.mT @ rows / examples, moments[layer])

    def _average(self, layer: nn.Module, a: Tensor, g: Any) -> None:
        state: Any = self.state[layer.weight]  # pyright: ignore[reportArgumentType]
        count = state["count"] = state.get("count", 0) + 1
        keep = min(1 - 1 / count, self.decay)
        for name, new in (("inputs", a), ("outputs", g)):
            state[name] = new.detach() if count == 1 else keep * state[name] + (1 - keep) * new.detach()

    def _precondition(
        self, layer: Any, parts: dict[Tensor, Tensor], a: Tensor, g: Tensor, damping: float, found: dict[Tensor, Tensor]
    ) -> None:
        weight, bias = layer.weight, layer.bias
        gradient = parts[weight].reshape(len(weight), -1)
        if bias is not None:
            gradient = torch.cat([gradient, parts[bias].reshape(-1, 1)], 1)
        ratio = (a.trace() / len(a)) / (g.trace() / len(g)).clamp_min(torch.finfo(g.dtype).tiny)
        pi = ratio.sqrt() if bool(ratio > 0) and bool(ratio.isfinite()) else torch.ones_like(ratio)
        left = _damped(g, damping**0.5 / pi)
        right = _damped(a, damping**0.5 * pi)
        step = torch.cholesky_solve(torch.cholesky_solve(gradient, left).mT, right).mT
        if bias is not None:
            found[bias] = step[:, -1]
            step = step[:, :-1]
        found[weight] = step

    def _sized(self, local: Curvature, fresh: Tensor, damping: float) -> Tensor:
        """The best combination of the new direction and the last step in the exact quadratic model."""
        memory: Any = self.state
        last = memory.get("last")
        both = [fresh] if last is None or not bool(last.any()) else [fresh, last]
        basis = torch.stack(both)
        images = torch.stack([local.product(v) for v in basis]) + damping * basis
        system, right = (basis @ images.mT).double(), -(basis @ local.gradient).double()
        sizes = (
            torch.linalg.lstsq(system, right.unsqueeze(1), driver="gelsd").solution.squeeze(1)
            if not system.is_cuda
            else torch.linalg.pinv(system) @ right
        )
        step = sizes.to(fresh.dtype) @ basis
        memory["last"] = step
        return step


def _layers(model: nn.Module) -> list[Any]:
    layers = [layer for layer in model.modules() if isinstance(layer, _LAYERS) and layer.weight.requires_grad]
    owned = {p for layer in layers for p in layer.parameters() if p.requires_grad}
    others = [name for name, p in model.named_parameters() if p.requires_grad and p not in owned]
    remedy = "Freeze the others (requires_grad_(False)), or take NaturalGradient."
    require(not others, "KFAC(model)", "must have its trainable parameters in Linear and Conv2d layers", others, remedy)
    require(bool(layers), "KFAC(model)", "must have a trainable Linear or Conv2d layer", model)
    for layer in layers:
        grouped = isinstance(layer, nn.Conv2d) and (layer.groups != 1 or layer.padding_mode != "zeros")
        require(not grouped, "KFAC(model)", "must have convolutions without groups, padded by zeros", layer, remedy)
        whole = layer.bias is None or layer.bias.requires_grad
        require(whole, "KFAC(model)", "must train a layer's bias with its weight, or have none", layer, remedy)
    return layers


def _rows(layer: Any, a: Tensor) -> Tensor:
    """Inputs as ``(N, locations, n)``."""
    if isinstance(layer, nn.Conv2d):
        patches = functional.unfold(a, layer.kernel_size, layer.dilation, _padding(layer), layer.stride)
        return patches.mT
    return a.reshape(len(a), -1, a.shape[-1]) if a.ndim > 1 else a.reshape(1, 1, -1)


def _padding(layer: nn.Conv2d) -> Any:
    require(not isinstance(layer.padding, str), "KFAC(model)", "must have paddings given as numbers", layer)
    return layer.padding


def _output_rows(layer: Any, g: Tensor) -> Tensor:
    return g.movedim(1, -1).reshape(-1, g.shape[1]) if isinstance(layer, nn.Conv2d) else g.reshape(-1, g.shape[-1])


def _sizes(optimizer: torch.optim.Optimizer) -> list[int]:
    return [p.numel() for p in optimizer.param_groups[0]["params"]]


def _damped(matrix: Tensor, damping: Tensor) -> Tensor:
    full = matrix.clone()
    full.diagonal().add_(damping)
    factor, failed = torch.linalg.cholesky_ex(full)
    if bool(failed):  # rounding: a little more of the diagonal
        full.diagonal().add_(torch.finfo(full.dtype).eps * 10 * full.diagonal().amax())
        factor = torch.linalg.cholesky(full)
    return factor
