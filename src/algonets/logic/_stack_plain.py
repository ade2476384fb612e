"""Layers of gates in plain torch with a backward of its own: fewer passes over memory than autograd makes.

The same numbers as the reference, on any device. Second derivatives are those of the reference.
"""

import torch
from torch import Tensor
from torch.nn import functional

from algonets.logic._stack import reference

__all__ = ["stack"]


class _Stack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, coefficients, first, second, widths, groups):  # pyright: ignore[reportIncompatibleMethodOverride]
        h, start, kept = x.mT.contiguous(), 0, []
        for width in widths:
            here = slice(start, start + width)
            c0, c1, c2, c3 = coefficients[here].unsqueeze(-1).unbind(1)
            a, b = h.index_select(0, first[here]), h.index_select(0, second[here])
            kept += [a, b]
            h = torch.addcmul(c0, c1, a)
            h.addcmul_(torch.addcmul(c2, c3, a), b)
            start += width
        ctx.save_for_backward(x, coefficients, first, second, *kept)
        ctx.widths, ctx.groups = widths, groups
        if groups:
            h = h.unflatten(0, (groups, h.shape[0] // groups)).sum(1)
        return h.mT

    @staticmethod
    def backward(ctx, by_out):  # pyright: ignore[reportIncompatibleMethodOverride]
        x, coefficients, first, second, *kept = ctx.saved_tensors
        need_x, need_c = ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():  # create_graph: the reference can go on
            plain = reference(x, coefficients, first, second, ctx.widths, ctx.groups)
            wanted = [t for t, need in ((x, need_x), (coefficients, need_c)) if need]
            found = iter(torch.autograd.grad(plain, wanted, by_out, create_graph=True))
            return next(found) if need_x else None, next(found) if need_c else None, None, None, None, None
        g, by_c = by_out.mT.contiguous(), torch.empty_like(coefficients)
        if ctx.groups:
            g = g.repeat_interleave(ctx.widths[-1] // ctx.groups, 0)
        stop = coefficients.shape[0]
        for k in range(len(ctx.widths) - 1, -1, -1):
            here = slice(stop - ctx.widths[k], stop)
            a, b = kept[2 * k], kept[2 * k + 1]
            _sums(by_c[here], g, a, b)
            if k or need_x:
                signals = ctx.widths[k - 1] if k else x.shape[1]
                g = _to_inputs(coefficients[here], first[here], second[here], g, a, b, signals)
            stop = here.start
        return g.mT if need_x else None, by_c, None, None, None, None


def _sums(out: Tensor, g: Tensor, a: Tensor, b: Tensor) -> None:
    """Sums over the samples of g, g a, g b and g a b."""
    product = g * b
    torch.sum(g, 1, out=out[:, 0])
    torch.sum(product, 1, out=out[:, 2])
    product *= a
    torch.sum(product, 1, out=out[:, 3])
    torch.mul(g, a, out=product)
    torch.sum(product, 1, out=out[:, 1])


def _to_inputs(c: Tensor, first: Tensor, second: Tensor, g: Tensor, a: Tensor, b: Tensor, signals: int) -> Tensor:
    """Add up what comes back to each signal; sorted by signal this is a sum of bags of rows."""
    _, c1, c2, c3 = c.unsqueeze(-1).unbind(1)
    both = g.new_empty(2, *g.shape)
    torch.addcmul(c1, c3, b, out=both[0])
    torch.addcmul(c2, c3, a, out=both[1])
    both *= g
    wires = torch.cat((first, second)).long()
    counts = wires.bincount(minlength=signals)
    return functional.embedding_bag(wires.argsort(), both.flatten(0, 1), counts.cumsum(0) - counts, mode="sum")


def stack(x: Tensor, coefficients: Tensor, first: Tensor, second: Tensor, widths: list[int], groups: int) -> Tensor:
    """Run the layers; arguments as of the reference."""
    return _Stack.apply(x, coefficients, first, second, widths, groups)  # pyright: ignore[reportReturnType]
