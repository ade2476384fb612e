"""The native kernels of the sorting networks as torch operators.

All take ``keys``: items ``(B, n)`` with one of the :data:`LAWS`, or with :data:`GIVEN` alphas ``(B, C)``. The law is
``law`` and ``power`` (of LogisticART); its scale is ``scale`` ``(B,)``, or the number ``width`` where that is ``None``.
A network goes by ``kind``, ``n`` and ``own``, the wires of its pairs in a row if it is one of one's own: constants for
a tracer, unlike its tensors.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from algonets import distributions
from algonets._core.backend import get_num_threads, native
from algonets._core.operator import Operator, view
from algonets.sort import _network_reference as reference
from algonets.sort.art import LogisticART
from algonets.sort.networks import Network, named

__all__ = ["ALPHAS", "APPLY", "GIVEN", "LAWS", "MATRIX", "TRANSPOSED", "VALUES", "network", "network_cross_entropy"]

_Maybe = Tensor | None

GIVEN = -1

LAWS: dict[type, int] = {
    distributions.Logistic: 0,
    distributions.Gaussian: 1,
    distributions.Cauchy: 2,
    distributions.Reciprocal: 3,
    distributions.Optimal: 4,
    distributions.Laplace: 5,
    distributions.Uniform: 6,
    distributions.CubicHermite: 7,
    distributions.Gudermannian: 8,
    LogisticART: 9,
}
"""The laws with a kernel, by their numbers in native/network.h."""

VALUES, ALPHAS, MATRIX, APPLY, TRANSPOSED = range(5)
"""What :data:`network` computes: sorted values (B, n), alphas (B, C), P (B, n, n), P @ payload, P^T @ payload."""


def _wiring(kind: Any, n: int, own: list[int]) -> Network:
    return named(kind, n, tuple(zip(own[::2], own[1::2], strict=True)) if own else ())


def _arguments(
    keys: Tensor, scale: _Maybe, kind: str, n: int, own: list[int], width: float, law: int, power: float
) -> tuple:
    wiring = _wiring(kind, n, own)
    scales = None if scale is None else view(scale.contiguous())
    return view(keys.contiguous()), view(wiring.low), view(wiring.high), n, scales, width, law, power


def _like(t: Tensor) -> Tensor:
    return torch.empty_like(t, memory_format=torch.contiguous_format)


_KERNELS = {VALUES: "network_values", ALPHAS: "network_alphas", MATRIX: "network_matrix"}


# ---- the operator ------------------------------------------------------------------------------------------------


def _network_shapes(
    keys: Tensor,
    scale: _Maybe,
    payload: _Maybe,
    kind: str,
    n: int,
    own: list[int],
    width: float,
    law: int,
    power: float,
    what: int,
) -> Tensor:
    if payload is not None:
        return _like(payload)
    rest = (n,) if what == VALUES else (n, n) if what == MATRIX else (_wiring(kind, n, own).low.shape[0],)
    return keys.new_empty((keys.shape[0], *rest))


def _network(
    keys: Tensor,
    scale: _Maybe,
    payload: _Maybe,
    kind: str,
    n: int,
    own: list[int],
    width: float,
    law: int,
    power: float,
    what: int,
) -> Tensor:
    out = _network_shapes(keys, scale, payload, kind, n, own, width, law, power, what)
    if not out.numel():
        return out
    arguments = _arguments(keys, scale, kind, n, own, width, law, power)
    if payload is not None:
        payload = payload.contiguous()
        native().network_apply(*arguments, view(payload), what == TRANSPOSED, view(out), get_num_threads())
    else:
        getattr(native(), _KERNELS[what])(*arguments, view(out), get_num_threads())
    return out


def _network_save(ctx: Any, inputs: tuple, output: Any) -> None:
    ctx.save_for_backward(*inputs[:3])
    ctx.options = inputs[3:]


def _network_backward(ctx: Any, by: Tensor) -> tuple:
    with_scale, with_payload = ctx.needs_input_grad[1:3]
    to_keys, to_scale, to_payload = _gradient(*ctx.saved_tensors, by, *ctx.options, with_scale)
    scale, payload = to_scale if with_scale else None, to_payload if with_payload else None
    return to_keys, scale, payload, *(None,) * 7


def _gradient_shapes(
    keys: Tensor,
    scale: _Maybe,
    payload: _Maybe,
    by: Tensor,
    kind: str,
    n: int,
    own: list[int],
    width: float,
    law: int,
    power: float,
    what: int,
    with_scale: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    rows = keys.shape[0]
    to_scale = keys.new_empty(rows if with_scale else 0)
    return _like(keys), to_scale, keys.new_empty(0) if payload is None else _like(payload)


def _network_gradient(
    keys: Tensor,
    scale: _Maybe,
    payload: _Maybe,
    by: Tensor,
    kind: str,
    n: int,
    own: list[int],
    width: float,
    law: int,
    power: float,
    what: int,
    with_scale: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    results = _gradient_shapes(keys, scale, payload, by, kind, n, own, width, law, power, what, with_scale)
    to_keys, to_scale, to_payload = results
    if not by.numel():
        return to_keys.zero_(), to_scale.zero_(), to_payload
    arguments = _arguments(keys, scale, kind, n, own, width, law, power)
    incoming, threads = view(by.contiguous()), get_num_threads()
    targets = view(to_keys), view(to_scale) if with_scale else None
    if payload is not None:
        moved = view(payload.contiguous()), what == TRANSPOSED, incoming, view(to_payload)
        native().network_apply_gradient(*arguments, *moved, *targets, threads)
    elif what == MATRIX:
        native().network_matrix_gradient(*arguments, incoming, *targets, threads)
    else:
        incomings = (incoming, None) if what == VALUES else (None, incoming)
        native().network_keys_gradient(*arguments, *incomings, *targets, threads)
    return results


def _gradient_save(ctx: Any, inputs: tuple, output: Any) -> None:
    ctx.save_for_backward(*inputs[:4])
    ctx.options = inputs[4:11]
    ctx.set_materialize_grads(False)


def _gradient_backward(ctx: Any, *weights: _Maybe) -> tuple:
    keys, scale, payload, by = ctx.saved_tensors

    def formula(keys: Tensor, scale: _Maybe, payload: _Maybe) -> Tensor:
        return _by_reference(keys, scale, payload, *ctx.options)

    to_keys, to_scale, to_payload, to_by = _second_order(formula, [keys, scale, payload], by, weights)
    return to_keys, to_scale, to_payload, to_by, *(None,) * 8


_gradient = Operator("network_gradient", _network_gradient, _gradient_shapes, _gradient_save, _gradient_backward)
network = Operator("network", _network, _network_shapes, _network_save, _network_backward)


# ---- cross-entropy of the matrix: its gradient comes with it, so that the matrix is never materialised -----------


def _loss_shapes(
    keys: Tensor,
    scale: _Maybe,
    target: Tensor,
    kind: str,
    n: int,
    own: list[int],
    width: float,
    law: int,
    power: float,
    with_keys: bool,
    with_scale: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    rows = keys.shape[0]
    to_keys = _like(keys) if with_keys or with_scale else keys.new_empty(0)
    return keys.new_empty(rows), to_keys, keys.new_empty(rows if with_scale else 0)


def _loss(
    keys: Tensor,
    scale: _Maybe,
    target: Tensor,
    kind: str,
    n: int,
    own: list[int],
    width: float,
    law: int,
    power: float,
    with_keys: bool,
    with_scale: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    results = _loss_shapes(keys, scale, target, kind, n, own, width, law, power, with_keys, with_scale)
    loss, to_keys, to_scale = results
    if loss.numel():
        arguments = _arguments(keys, scale, kind, n, own, width, law, power)
        targets = view(to_keys) if with_keys or with_scale else None, view(to_scale) if with_scale else None
        native().network_cross_entropy(*arguments, view(target.contiguous()), view(loss), *targets, get_num_threads())
    return results


def _loss_save(ctx: Any, inputs: tuple, output: tuple) -> None:
    ctx.save_for_backward(*inputs[:3], *output[1:])
    ctx.options = inputs[3:9]
    ctx.set_materialize_grads(False)


def _loss_backward(ctx: Any, by: _Maybe, *_: _Maybe) -> tuple:
    keys, scale, target, to_keys, to_scale = ctx.saved_tensors
    nothing = (None,) * 11
    if by is None:
        return nothing
    with_scale = ctx.needs_input_grad[1]
    if torch.is_grad_enabled():
        # The kernel has no second derivative: make the gradient anew, by the reference.
        inputs = [t for t in (keys, scale if with_scale else None) if t is not None]
        live = [t.view_as(t) if t.requires_grad else t for t in inputs]
        loss = _reference_loss(live[0], live[1] if with_scale else scale, target, *ctx.options)
        if not loss.requires_grad:  # no comparator
            return nothing
        wanted = [t for t in live if t.requires_grad]
        found = iter(torch.autograd.grad(loss, wanted, by, create_graph=True, allow_unused=True))
        first = next(found) if live[0].requires_grad else None
        return first, next(found) if with_scale else None, *nothing[2:]
    first = by[:, None] * to_keys if ctx.needs_input_grad[0] else None
    return first, by * to_scale if with_scale else None, *nothing[2:]


network_cross_entropy = Operator("network_cross_entropy", _loss, _loss_shapes, _loss_save, _loss_backward)
"""``(loss, ...)``: the binary cross-entropy of P with the one-hot ``target`` ranks ``(B, n)`` of the items, averaged
over its n^2 entries, for each sample; then its gradients, if wanted."""


# ---- the reference, for derivatives beyond the first -------------------------------------------------------------


class _RowsOfLaws:
    """A law with a scale for each row of items."""

    def __init__(self, law: int, scale: float | Tensor, power: float):
        self._kind = next(kind for kind, number in LAWS.items() if number == law)
        self._extra = (power,) if self._kind is LogisticART else ()
        self._scale = scale

    def cdf(self, x: Tensor) -> Tensor:
        scale = self._scale.view(-1, *[1] * (x.ndim - 1)) if isinstance(self._scale, Tensor) else self._scale
        return self._kind(scale, *self._extra).cdf(x)


def _by_reference(
    keys: Tensor,
    scale: _Maybe,
    payload: _Maybe,
    kind: str,
    n: int,
    own: list[int],
    width: float,
    law: int,
    power: float,
    what: int,
) -> Tensor:
    wiring = _wiring(kind, n, own)
    values = alphas = keys
    if law != GIVEN:
        spread = _RowsOfLaws(law, width if scale is None else scale, power)
        values, alphas = reference.values_and_alphas(keys, wiring, spread)
    if payload is not None:
        return reference.apply(alphas, payload, wiring, what == TRANSPOSED)
    return reference.matrix(alphas, wiring) if what == MATRIX else values if what == VALUES else alphas


def _reference_loss(keys: Tensor, scale: _Maybe, target: Tensor, *options: Any) -> Tensor:
    kind, n, own, width, law, power = options
    p = _by_reference(keys, scale, None, kind, n, own, width, law, power, MATRIX).clamp(0, 1)
    truth = torch.nn.functional.one_hot(target, n).mT.to(p.dtype)
    return torch.nn.functional.binary_cross_entropy(p, truth, reduction="none").mean((1, 2))


def _second_order(formula: Callable, inputs: Sequence[_Maybe], by: Tensor, weights: Sequence[_Maybe]) -> list[_Maybe]:
    """Differentiate the gradient that ``formula`` has at ``inputs`` for the incoming ``by``.

    ``weights`` are the incoming gradients of that gradient. Returns those of the inputs, then that of ``by``.
    """
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        live = [
            None if t is None else t.view_as(t) if keep and t.requires_grad else t.detach().requires_grad_()
            for t in (*inputs, by)
        ]
        present = [t for t in live[:-1] if t is not None]
        nothing: list[_Maybe] = [None] * len(live)
        output = formula(*live[:-1])
        if not output.requires_grad:
            return nothing
        first = iter(torch.autograd.grad(output, present, live[-1], create_graph=True, allow_unused=True))
        gradients = [None if t is None else next(first) for t in live[:-1]]
        pairs = [
            (g, w)
            for g, w in zip(gradients, weights, strict=True)
            if g is not None and w is not None and w.numel() and g.requires_grad
        ]
        if not pairs:
            return nothing
        outputs, incoming = zip(*pairs, strict=True)
        wanted = [t for t in live if t is not None]
        found = iter(torch.autograd.grad(outputs, wanted, incoming, create_graph=keep, allow_unused=True))
    return [None if t is None else next(found) for t in live]
