"""The Triton programs of the sorting networks. Importing this imports Triton: ``_network_triton`` does it when needed.

One lane a comparator: a program walks through the layers, and the wires live in the output itself, where a layer reads
and writes disjoint pairs in place. A barrier ends each layer. So any network runs, without padding and without a limit
on its size (register shuffles by ``tl.gather`` compile to code that grows with the square of the wires).

``S = P(U > |u|)`` of the law is small where a comparator decides, so that what moves is ``S (b - a)``: exact in the
hard limit. ``low`` and ``high`` are the wires of the comparators, ``ends`` the ends of the layers, after a 0.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
import triton
import triton.language as tl

from algonets._core.triton_functions import atan_of_unit, half_erfc

__all__ = ["apply_backward_kernel", "apply_kernel", "values_backward_kernel", "values_kernel"]


@triton.jit
def _law(a, LAW: tl.constexpr):
    """Tail ``S``, density ``f`` and ``a f`` of a standard symmetric law at ``a >= 0``, infinity included."""
    if LAW == 0:  # logistic; beyond 1000 every exponential is 0
        a = tl.minimum(a, 1000.0)
        e = tl.exp(-a)
        tail = e / (1 + e)
        density = tail / (1 + e)
        return tail, density, a * density
    elif LAW == 1:  # Gaussian
        a = tl.minimum(a, 1000.0)
        density = 0.3989422804014326779 * tl.exp(-0.5 * a * a)
        return half_erfc(0.70710678118654752440 * a), density, a * density
    elif LAW == 2:  # Cauchy; in r = 1 / a where a > 1, so that a^2 does not overflow
        far = a > 1
        r = tl.where(far, 1 / tl.maximum(a, 1.0), a)
        angle = atan_of_unit(r) * 0.31830988618379067154
        share = 0.31830988618379067154 / (1 + r * r)
        return tl.where(far, angle, 0.5 - angle), tl.where(far, r * r, 1.0) * share, r * share
    elif LAW == 3:  # reciprocal
        tail = 0.5 / (1 + a)
        return tail, 2 * tail * tail, tail * (1 - 2 * tail)
    elif LAW == 4:  # optimal
        near = a <= 0.25
        tail = 0.0625 / tl.maximum(a, 0.25)
        return tl.where(near, 0.5 - a, tail), tl.where(near, 1.0, 16 * tail * tail), tl.where(near, a, tail)
    else:  # Laplace
        a = tl.minimum(a, 1000.0)
        tail = 0.5 * tl.exp(-a)
        return tail, tail, a * tail


@triton.jit
def _exchange(a, b, stays, share):
    """Keep ``a`` and ``b`` in place or swap them, less a share of their difference: exact for a share of 0."""
    d = b - a
    # A difference that overflows is infinite, and its share is then 0.
    shift = tl.where(share == 0, 0.0, share * d)
    return tl.where(stays, a + shift, b - shift), tl.where(stays, b - shift, a + shift)


@triton.jit
def values_kernel(
    y, alphas, low, high, ends, scale, batch, n, comparators, layers,
    LAW: tl.constexpr, KEEP: tl.constexpr, ROWS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Sort ``y`` (batch, n) in place, and keep the alphas (batch, comparators) where ``KEEP``."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    y += rows[:, None].to(tl.int64) * n
    alphas += rows[:, None].to(tl.int64) * comparators
    s = tl.load(scale)
    for layer in range(layers):
        end = tl.load(ends + layer + 1)
        for first in range(tl.load(ends + layer), end, LANES):
            c = first + tl.arange(0, LANES)
            here = (rows < batch)[:, None] & (c < end)[None, :]
            low_at = y + tl.load(low + c, mask=c < end, other=0)[None, :]
            high_at = y + tl.load(high + c, mask=c < end, other=0)[None, :]
            a, b = tl.load(low_at, mask=here, other=0.0), tl.load(high_at, mask=here, other=0.0)
            u = (b - a) / s
            tail, _, _ = _law(tl.abs(u), LAW)
            smaller, larger = _exchange(a, b, u >= 0, tail)
            tl.store(low_at, smaller, mask=here)
            tl.store(high_at, larger, mask=here)
            if KEEP:
                tl.store(alphas + c[None, :], tl.where(u >= 0, 1 - tail, tail), mask=here)
        tl.debug_barrier()


@triton.jit
def values_backward_kernel(
    z, g, by_alpha, by_scale, kept, low, high, ends, scale, batch, n, comparators, layers,
    LAW: tl.constexpr, KEEP: tl.constexpr, ROWS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Turn ``g`` from the gradient of the sorted values into that of the items, in place.

    ``z`` holds the items and is sorted again, to keep the differences in ``kept`` (batch, comparators); ``by_alpha`` is
    the gradient of the alphas where ``KEEP``; each program writes its part of the gradient of ``scale``.
    """
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    wires = rows[:, None].to(tl.int64) * n
    slots = rows[:, None].to(tl.int64) * comparators
    s = tl.load(scale)
    for layer in range(layers):
        end = tl.load(ends + layer + 1)
        for first in range(tl.load(ends + layer), end, LANES):
            c = first + tl.arange(0, LANES)
            here = (rows < batch)[:, None] & (c < end)[None, :]
            low_at = z + wires + tl.load(low + c, mask=c < end, other=0)[None, :]
            high_at = z + wires + tl.load(high + c, mask=c < end, other=0)[None, :]
            a, b = tl.load(low_at, mask=here, other=0.0), tl.load(high_at, mask=here, other=0.0)
            tl.store(kept + slots + c[None, :], b - a, mask=here)
            u = (b - a) / s
            tail, _, _ = _law(tl.abs(u), LAW)
            smaller, larger = _exchange(a, b, u >= 0, tail)
            tl.store(low_at, smaller, mask=here)
            tl.store(high_at, larger, mask=here)
        tl.debug_barrier()
    total = tl.zeros((ROWS, LANES), s.dtype)
    for back in range(layers):
        begin = tl.load(ends + layers - 1 - back)
        end = tl.load(ends + layers - back)
        for first in range(begin, end, LANES):
            c = first + tl.arange(0, LANES)
            here = (rows < batch)[:, None] & (c < end)[None, :]
            low_at = g + wires + tl.load(low + c, mask=c < end, other=0)[None, :]
            high_at = g + wires + tl.load(high + c, mask=c < end, other=0)[None, :]
            at_low, at_high = tl.load(low_at, mask=here, other=0.0), tl.load(high_at, mask=here, other=0.0)
            u = tl.load(kept + slots + c[None, :], mask=here, other=0.0) / s
            a = tl.abs(u)
            tail, density, product = _law(a, LAW)
            # d min / d a = alpha + u f(u), which the law makes as 1 - S + |u| f or S - |u| f.
            by_a, by_b = _exchange(at_low, at_high, u >= 0, tail - product)
            total -= (at_high - at_low) * tl.where(product == 0, 0.0, a * product)
            if KEEP:
                given = tl.load(by_alpha + slots + c[None, :], mask=here, other=0.0)
                by_a -= given * density / s
                by_b += given * density / s
                total -= given * tl.where(u >= 0, product, -product) / s
            tl.store(low_at, by_a, mask=here)
            tl.store(high_at, by_b, mask=here)
        tl.debug_barrier()
    tl.store(by_scale + tl.program_id(0), tl.sum(tl.sum(total, 1), 0))


@triton.jit
def apply_kernel(
    z, alphas, low, high, ends, n, width, comparators, layers,
    REVERSED: tl.constexpr, LANES: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Mix the rows of ``z`` (batch, n, width) in place by given alphas; a program takes some columns of a sample."""
    sample = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    z += sample * n * width + columns[None, :]
    alphas += sample * comparators
    for step in range(layers):
        layer = layers - 1 - step if REVERSED else step
        end = tl.load(ends + layer + 1)
        for first in range(tl.load(ends + layer), end, LANES):
            c = first + tl.arange(0, LANES)
            here = (c < end)[:, None] & (columns < width)[None, :]
            low_at = z + tl.load(low + c, mask=c < end, other=0)[:, None] * width
            high_at = z + tl.load(high + c, mask=c < end, other=0)[:, None] * width
            alpha = tl.load(alphas + c, mask=c < end, other=1.0)[:, None]
            a, b = tl.load(low_at, mask=here, other=0.0), tl.load(high_at, mask=here, other=0.0)
            smaller, larger = _exchange(a, b, alpha >= 0.5, tl.minimum(alpha, 1 - alpha))
            tl.store(low_at, smaller, mask=here)
            tl.store(high_at, larger, mask=here)
        tl.debug_barrier()


@triton.jit
def apply_backward_kernel(
    z, g, by_alpha, kept, alphas, low, high, ends, n, width, comparators, layers,
    REVERSED: tl.constexpr, LANES: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Turn ``g`` from the gradient of the mixed rows into that of the rows ``z``, in place.

    Program ``(sample, part)`` takes every so-manieth block of columns; it mixes ``z`` again to keep the differences in
    its ``kept`` (comparators, COLUMNS), and adds the gradient of the alphas to its ``by_alpha`` (comparators).
    """
    sample, part, parts = tl.program_id(0).to(tl.int64), tl.program_id(1), tl.num_programs(1)
    program = sample * parts + part
    alphas += sample * comparators
    by_alpha += program * comparators
    kept += program * comparators * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    for start in range(part * COLUMNS, width, parts * COLUMNS):
        columns = start + tl.arange(0, COLUMNS)
        offset = sample * n * width + columns[None, :]
        for step in range(layers):
            layer = layers - 1 - step if REVERSED else step
            end = tl.load(ends + layer + 1)
            for first in range(tl.load(ends + layer), end, LANES):
                c = first + tl.arange(0, LANES)
                here = (c < end)[:, None] & (columns < width)[None, :]
                low_at = z + offset + tl.load(low + c, mask=c < end, other=0)[:, None] * width
                high_at = z + offset + tl.load(high + c, mask=c < end, other=0)[:, None] * width
                alpha = tl.load(alphas + c, mask=c < end, other=1.0)[:, None]
                a, b = tl.load(low_at, mask=here, other=0.0), tl.load(high_at, mask=here, other=0.0)
                tl.store(kept + c[:, None] * COLUMNS, b - a, mask=here)
                smaller, larger = _exchange(a, b, alpha >= 0.5, tl.minimum(alpha, 1 - alpha))
                tl.store(low_at, smaller, mask=here)
                tl.store(high_at, larger, mask=here)
            tl.debug_barrier()
        for step in range(layers):
            layer = step if REVERSED else layers - 1 - step
            end = tl.load(ends + layer + 1)
            for first in range(tl.load(ends + layer), end, LANES):
                c = first + tl.arange(0, LANES)
                here = (c < end)[:, None] & (columns < width)[None, :]
                low_at = g + offset + tl.load(low + c, mask=c < end, other=0)[:, None] * width
                high_at = g + offset + tl.load(high + c, mask=c < end, other=0)[:, None] * width
                alpha = tl.load(alphas + c, mask=c < end, other=1.0)[:, None]
                at_low, at_high = tl.load(low_at, mask=here, other=0.0), tl.load(high_at, mask=here, other=0.0)
                difference = tl.load(kept + c[:, None] * COLUMNS, mask=here, other=0.0)
                found = tl.load(by_alpha + c, mask=c < end, other=0.0)
                found += tl.sum(difference * (at_high - at_low), 1)
                tl.store(by_alpha + c, found, mask=c < end)
                by_a, by_b = _exchange(at_low, at_high, alpha >= 0.5, tl.minimum(alpha, 1 - alpha))
                tl.store(low_at, by_a, mask=here)
                tl.store(high_at, by_b, mask=here)
            tl.debug_barrier()
