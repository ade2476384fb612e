"""Functions that Triton lacks, or has on some devices only. Importing this imports Triton."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
import triton
import triton.language as tl

__all__ = ["atan_of_unit", "expm1", "half_erfc", "log1p", "log_minus"]


@triton.jit
def half_erfc(z):
    """``erfc(z) / 2`` for ``z >= 0``; libdevice has it, but neither the interpreter nor other devices do."""
    t = 2 / (2 + z)
    # erfc(z) exp(z^2) / t in powers of s, by Chebyshev interpolation: relative error 1.4e-15.
    s = 2 * t - 1
    p = ((6.86212563148957e-09 * s - 5.021930669720097e-09) * s - 5.297335962428669e-08) * s + 6.651691098356388e-08
    p = (p * s + 1.5349222085928225e-07) * s - 3.7262437397408343e-07
    p = (p * s + 1.0360790539807586e-08) * s + 1.0753034265368385e-06
    p = (p * s - 1.8303070086835044e-06) * s - 6.061660648176088e-07
    p = (p * s + 8.064338825028904e-06) * s - 1.0830840140061017e-05
    p = (p * s - 1.7075587078862068e-05) * s + 7.223078005558086e-05
    p = (p * s - 1.7185510228970984e-05) * s - 0.00033153596951670036
    p = (p * s + 0.00041864800911864327) * s + 0.0015453059501721663
    p = (p * s - 0.0032395925326627493) * s - 0.010755330940551767
    p = (((p * s + 0.018221115753413866) * s + 0.13973604627794017) * s + 0.34358034220690536) * s + 0.5107913526210118
    return 0.5 * t * p * tl.exp(-z * z)


@triton.jit
def atan_of_unit(r):
    """``atan`` on [0, 1]; see :func:`half_erfc`."""
    upper = r > 0.4142135623730950488
    folded = tl.where(upper, (r - 1) / (r + 1), r)
    # atan(r) / r in powers of r^2 up to tan(pi / 8)^2, likewise.
    q = folded * folded
    p = -0.025316479573776477 * q + 0.05024762118940128
    p = (((p * q - 0.0650598296717084) * q + 0.07673535428183285) * q - 0.09089529956562307) * q + 0.11111048853751296
    p = (((p * q - 0.14285712661684793) * q + 0.19999999978392663) * q - 0.3333333333322143) * q + 0.999999999999999
    # Not `where(upper, pi / 4, 0)`: of two numbers Triton makes a float32.
    return tl.where(upper, folded * p + 0.78539816339744830962, folded * p)


@triton.jit
def log_minus(p):
    """``log(1 - p)`` for ``p`` in [0, 1), also right for small p, for which the hardware's logarithm is not."""
    small = p < 0.5
    # 2 artanh of -p / (2 - p), at most 1/3 in size: its series to 1e-17.
    s = tl.where(small, p / (2 - p), 0.0)
    z = s * s
    q = z * (1.0 / 35) + 1.0 / 33
    for k in tl.static_range(16):  # pyright: ignore[reportGeneralTypeIssues]
        q = q * z + 1.0 / (31 - 2 * k)
    return tl.where(small, -2 * s * q, tl.log(tl.where(small, 1.0, 1 - p)))


@triton.jit
def log1p(x):
    """``log(1 + x)`` for ``x >= 0``."""
    return tl.where(x < 0.5, -log_minus(tl.minimum(x, 0.5) / (1 + x)), tl.log(1 + x))


@triton.jit
def expm1(x):
    """``exp(x) - 1``."""
    near = tl.abs(x) < 0.35
    y = tl.where(near, x, 0.0)
    q = y * (1.0 / 14) + 1
    for k in tl.static_range(12):  # pyright: ignore[reportGeneralTypeIssues]
        q = 1 + q * y * (1.0 / (13 - k))
    return tl.where(near, q * y, tl.exp(x) - 1)
