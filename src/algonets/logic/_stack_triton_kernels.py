"""The Triton programs of layers of gates. Importing this imports Triton: ``_stack_triton`` does it when needed.

Feature-major: a signal is a row of all samples, so that the random reads of the wiring are whole rows. A program takes
a block of gates and a block of samples.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
import triton
import triton.language as tl

__all__ = ["layer_backward_kernel", "layer_kernel"]


@triton.jit
def layer_kernel(x, coefficients, first, second, y, gates, batch, GATES: tl.constexpr, SAMPLES: tl.constexpr):
    """``y[j] = c0 + c1 a + c2 b + c3 a b`` for rows ``a = x[first[j]]`` and ``b = x[second[j]]``."""
    j = tl.program_id(0) * GATES + tl.arange(0, GATES)
    s = tl.program_id(1) * SAMPLES + tl.arange(0, SAMPLES)
    here = j < gates
    both = here[:, None] & (s < batch)[None, :]
    a_row = tl.load(first + j, mask=here, other=0).to(tl.int64)
    b_row = tl.load(second + j, mask=here, other=0).to(tl.int64)
    a = tl.load(x + a_row[:, None] * batch + s[None, :], mask=both, other=0.0)
    b = tl.load(x + b_row[:, None] * batch + s[None, :], mask=both, other=0.0)
    c0 = tl.load(coefficients + 4 * j, mask=here, other=0.0)[:, None]
    c1 = tl.load(coefficients + 4 * j + 1, mask=here, other=0.0)[:, None]
    c2 = tl.load(coefficients + 4 * j + 2, mask=here, other=0.0)[:, None]
    c3 = tl.load(coefficients + 4 * j + 3, mask=here, other=0.0)[:, None]
    tl.store(y + j.to(tl.int64)[:, None] * batch + s[None, :], c0 + c1 * a + (c2 + c3 * a) * b, mask=both)


@triton.jit
def layer_backward_kernel(
    x,
    coefficients,
    first,
    second,
    by_y,
    by_x,
    by_coefficients,
    gates,
    batch,
    NEED_X: tl.constexpr,
    GATES: tl.constexpr,
    SAMPLES: tl.constexpr,
):
    """Gradients of coefficients, summed over all samples, and of ``x``, added atomically to zeros."""
    j = tl.program_id(0) * GATES + tl.arange(0, GATES)
    here = j < gates
    a_row = tl.load(first + j, mask=here, other=0).to(tl.int64)
    b_row = tl.load(second + j, mask=here, other=0).to(tl.int64)
    c1 = tl.load(coefficients + 4 * j + 1, mask=here, other=0.0)[:, None]
    c2 = tl.load(coefficients + 4 * j + 2, mask=here, other=0.0)[:, None]
    c3 = tl.load(coefficients + 4 * j + 3, mask=here, other=0.0)[:, None]
    zero = tl.load(coefficients + 4 * j, mask=here, other=0.0) * 0
    sum0, sum1, sum2, sum3 = zero, zero, zero, zero
    for start in range(0, batch, SAMPLES):
        s = start + tl.arange(0, SAMPLES)
        both = here[:, None] & (s < batch)[None, :]
        a_at = a_row[:, None] * batch + s[None, :]
        b_at = b_row[:, None] * batch + s[None, :]
        a = tl.load(x + a_at, mask=both, other=0.0)
        b = tl.load(x + b_at, mask=both, other=0.0)
        g = tl.load(by_y + j.to(tl.int64)[:, None] * batch + s[None, :], mask=both, other=0.0)
        sum0 += tl.sum(g, 1)
        sum1 += tl.sum(g * a, 1)
        sum2 += tl.sum(g * b, 1)
        sum3 += tl.sum(g * a * b, 1)
        if NEED_X:
            tl.atomic_add(by_x + a_at, g * (c1 + c3 * b), mask=both)
            tl.atomic_add(by_x + b_at, g * (c2 + c3 * a), mask=both)
    tl.store(by_coefficients + 4 * j, sum0, mask=here)
    tl.store(by_coefficients + 4 * j + 1, sum1, mask=here)
    tl.store(by_coefficients + 4 * j + 2, sum2, mask=here)
    tl.store(by_coefficients + 4 * j + 3, sum3, mask=here)
