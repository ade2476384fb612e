"""The Triton programs of soft silhouettes. Importing this imports Triton: ``_silhouette_triton`` does it when needed.

Forward: a program has a tile of pixels and goes through the faces of its mesh, skipping those out of reach. Backward: a
program has a face and goes through the pixels in its reach, so that nothing is added by two programs.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
import triton
import triton.language as tl

from algonets._core.triton_functions import atan_of_unit, expm1, half_erfc, log1p, log_minus

__all__ = ["backward_kernel", "forward_kernel"]


@triton.jit
def _tail(a, LAW: tl.constexpr):
    """Upper tail and density of a symmetric law at ``a >= 0``; numbers of laws as in native/render.h."""
    if LAW == 0:  # logistic; beyond 1000 every exponential is 0
        e = tl.exp(-tl.minimum(a, 1000.0))
        tail = e / (1 + e)
        return tail, tail / (1 + e)
    elif LAW == 1:  # Gaussian
        a = tl.minimum(a, 1000.0)
        return half_erfc(0.70710678118654752440 * a), 0.3989422804014326779 * tl.exp(-0.5 * a * a)
    elif LAW == 2:  # Cauchy; in r = 1 / a where a > 1, so that a^2 does not overflow
        far = a > 1
        r = tl.where(far, 1 / tl.maximum(a, 1.0), a)
        angle = atan_of_unit(r) * 0.31830988618379067154
        density = tl.where(far, r * r, 1.0) * 0.31830988618379067154 / (1 + r * r)
        return tl.where(far, angle, 0.5 - angle), density
    elif LAW == 3:  # reciprocal
        tail = 0.5 / (1 + a)
        return tail, 2 * tail * tail
    elif LAW == 4:  # optimal
        tail = 0.0625 / tl.maximum(a, 0.25)
        return tl.where(a <= 0.25, 0.5 - a, tail), tl.where(a <= 0.25, 1.0, 16 * tail * tail)
    elif LAW == 5:  # Laplace
        tail = 0.5 * tl.exp(-tl.minimum(a, 1000.0))
        return tail, tail
    elif LAW == 6:  # uniform
        return 0.5 * tl.maximum(1 - a, 0.0), tl.where(a <= 1, 0.5, 0.0)
    elif LAW == 7:  # cubic Hermite
        b = tl.minimum(a, 1.0)
        y = 0.5 * (1 - b)
        return y * y * (3 - 2 * y), 0.75 * (1 - b) * (1 + b)
    else:  # Gudermannian
        e = tl.exp(-tl.minimum(a, 1000.0))
        return atan_of_unit(e) * 0.63661977236758134308, 0.63661977236758134308 * e / (1 + e * e)


@triton.jit
def _gumbel(u):
    e = tl.exp(-tl.maximum(u, -7.0))
    F = tl.exp(-e)
    return F, -expm1(-e), tl.where(u < -7, 0.0, e * F)


@triton.jit
def _exponential(u):
    v = tl.maximum(u, 0.0)
    S = tl.exp(-v)
    return -expm1(-v), S, tl.where(u >= 0, S, 0.0)


@triton.jit
def _law(u, LAW: tl.constexpr):
    """CDF, survival and density."""
    if LAW == 10:
        return _gumbel(u)
    elif LAW == 11:
        S, F, f = _gumbel(-u)
        return F, S, f
    elif LAW == 12:
        return _exponential(u)
    elif LAW == 13:
        S, F, f = _exponential(-u)
        return F, S, f
    else:
        t, f = _tail(tl.abs(u), LAW)
        return tl.where(u < 0, t, 1 - t), tl.where(u < 0, 1 - t, t), f


@triton.jit
def _power(x, p, tiny):
    some = x >= tiny
    return tl.where(p == 0, 1.0, tl.where(some, tl.exp(p * tl.log(tl.where(some, x, 1.0))), 0.0))


@triton.jit
def _log_survival(F, S, least):
    small = F < 0.5
    return tl.where(small, log_minus(tl.where(small, F, 0.0)), tl.log(tl.maximum(S, least)))


@triton.jit
def _generator(F, S, p, log_p, most, least, tiny, FOLD: tl.constexpr):
    """``g(F)``; the bounds are those of native/render/folds.h."""
    if FOLD == 0:
        return -_log_survival(F, S, least)
    elif FOLD == 1:
        return -0.5 * (log_minus(F / (1 + F)) + _log_survival(F, S, least))
    elif FOLD == 2:
        s = tl.maximum(S, tl.where(p == 0, most, least))
        r = p * F / (s + p * F)
        small = r < 0.5
        log_odds = tl.where(small, -log_minus(tl.where(small, r, 0.0)), tl.log(s + p * F) - tl.log(s))
        return tl.where(p == 0, F / s, log_odds)
    elif FOLD == 3:
        s = tl.maximum(S, least)
        risen = tl.exp(s * log_p) * expm1(F * log_p) / (p - 1)
        low = risen < 0.5
        high = -tl.log(tl.maximum(expm1(s * log_p) / (p - 1), tiny))
        return tl.where(low, -log_minus(tl.where(low, tl.maximum(risen, 0.0), 0.0)), high)
    elif FOLD == 4:
        return _power(F, p, tiny)
    elif FOLD == 5:
        return _power(-_log_survival(F, S, most), p, tiny)
    elif FOLD == 6:
        return _power(tl.minimum(F / tl.maximum(S, least), most), p, tiny)
    else:
        return expm1(p * _log_survival(F, S, most))


@triton.jit
def _slope(F, S, f, p, log_p, most, least, tiny, FOLD: tl.constexpr):
    """``g'(F) f``."""
    if FOLD == 0:
        return f / tl.maximum(S, least)
    elif FOLD == 1:
        return f / (tl.maximum(S, least) * (1 + F))
    elif FOLD == 2:
        s = tl.maximum(S, tl.where(p == 0, most, least))
        return tl.where(p == 0, f / (s * s), f * p / (s * (s + p * F)))
    elif FOLD == 3:
        return -f * log_p / expm1(-tl.maximum(S, least) * log_p)
    elif FOLD == 4:
        return p * _power(F, p - 1, tiny) * f
    elif FOLD == 5:
        return p * _power(-_log_survival(F, S, most), p - 1, tiny) * f / tl.maximum(S, most)
    elif FOLD == 6:
        c = tl.minimum(F / tl.maximum(S, least), most)
        return tl.where(c < most, p * _power(c, p - 1, tiny) * (1 + c) * (1 + c) * f, 0.0)
    else:
        return -p * tl.exp((p - 1) * _log_survival(F, S, most)) * f


@triton.jit
def _finish(G, p, log_p, tiny, FOLD: tl.constexpr):
    """``alpha = g^-1(G)`` and ``1 / g'(alpha)``."""
    if FOLD == 0:
        return -expm1(-G), tl.exp(-G)
    elif FOLD == 1:
        e = tl.exp(-2 * G)
        return -expm1(-2 * G) / (1 + e), 4 * e / ((1 + e) * (1 + e))
    elif FOLD == 2:
        e = tl.exp(-G)
        rise = -expm1(-G)
        d = tl.where(p == 0, 1.0, rise + p * e)
        alpha, s = rise / d, p * e / d
        r = 1 / (1 + G)
        return tl.where(p == 0, G * r, alpha), tl.where(p == 0, r * r, s * (s + p * alpha) / tl.where(p == 0, 1.0, p))
    elif FOLD == 3:
        e = tl.exp(-G)
        x = (p - 1) * e
        rest = tl.where(p > 1, log1p(tl.maximum(x, 0.0)), log_minus(tl.minimum(tl.maximum(-x, 0.0), 1.0))) / log_p
        missing = (1 - 1 / p) * -expm1(-G)
        near = tl.where(p > 1, -log_minus(tl.maximum(missing, 0.0)), -log1p(tl.maximum(-missing, 0.0))) / log_p
        return tl.minimum(tl.where(rest > 0.5, near, 1 - rest), 1.0), -expm1(-rest * log_p) / log_p
    elif FOLD == 4:
        a = _power(tl.minimum(G, 1.0), 1 / p, tiny)
        return a, tl.where(G >= 1, 0.0, _power(a, 1 - p, tiny) / p)
    elif FOLD == 5:
        length = _power(G, 1 / p, tiny)
        return -expm1(-length), tl.exp(-length) * _power(length, 1 - p, tiny) / p
    elif FOLD == 6:
        r = _power(G, 1 / p, tiny)
        d = 1 / (1 + r)
        return r * d, _power(r, 1 - p, tiny) * d * d / p
    else:
        length = log1p(G)
        return -expm1(length / p), -tl.exp(length * (1 - p) / p) / p


@triton.jit
def _edge(px, py, ax, ay, bx, by, tiny):
    ex, ey, x, y = bx - ax, by - ay, px - ax, py - ay
    t = tl.minimum(tl.maximum((x * ex + y * ey) / tl.maximum(ex * ex + ey * ey, tiny), 0.0), 1.0)
    dx, dy = x - t * ex, y - t * ey
    return t, dx, dy, dx * dx + dy * dy, ex * y - ey * x


@triton.jit
def _nearest(px, py, x0, y0, x1, y1, x2, y2, tiny):
    """Number of the nearest edge, place on it, the pixel less the nearest point, its square, side, and area over it."""
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    t, dx, dy, d, cross = _edge(px, py, x0, y0, x1, y1, tiny)
    area = area + 0 * cross  # a tile: the interpreter does not join a single truth value with many
    solid, turn = tl.abs(area) > 1e-12, tl.where(area > 0, 1.0, -1.0)
    t1, dx1, dy1, d1, cross1 = _edge(px, py, x1, y1, x2, y2, tiny)
    t2, dx2, dy2, d2, cross2 = _edge(px, py, x2, y2, x0, y0, tiny)
    inside = solid & (cross * turn > 0) & (cross1 * turn > 0) & (cross2 * turn > 0)
    one = d1 < d
    t, dx, dy = tl.where(one, t1, t), tl.where(one, dx1, dx), tl.where(one, dy1, dy)
    d, cross, k = tl.where(one, d1, d), tl.where(one, cross1, cross), tl.where(one, 1, 0)
    two = d2 < d
    t, dx, dy = tl.where(two, t2, t), tl.where(two, dx2, dx), tl.where(two, dy2, dy)
    d, cross, k = tl.where(two, d2, d), tl.where(two, cross2, cross), tl.where(two, 2, k)
    return k, t, dx, dy, d, tl.where(inside, 1.0, -1.0), cross, tl.where(solid, turn, 0.0)


@triton.jit
def _corners(face):
    """The six coordinates, cut far away; and whether the face is there (NaN marks one that is not)."""
    x0, y0, x1, y1 = tl.load(face), tl.load(face + 1), tl.load(face + 2), tl.load(face + 3)
    x2, y2 = tl.load(face + 4), tl.load(face + 5)
    total = x0 + y0 + x1 + y1 + x2 + y2
    x0, y0 = tl.minimum(tl.maximum(x0, -1e5), 1e5), tl.minimum(tl.maximum(y0, -1e5), 1e5)
    x1, y1 = tl.minimum(tl.maximum(x1, -1e5), 1e5), tl.minimum(tl.maximum(y1, -1e5), 1e5)
    x2, y2 = tl.minimum(tl.maximum(x2, -1e5), 1e5), tl.minimum(tl.maximum(y2, -1e5), 1e5)
    return x0, y0, x1, y1, x2, y2, total == total


@triton.jit
def forward_kernel(
    faces, scales, ends, numbers, value, inverse, total, meshes, height, width,
    LAW: tl.constexpr, FOLD: tl.constexpr, SQUARED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """A tile of one image: ``value`` and ``inverse`` (images, height, width).

    ``numbers``: location, cut, reach of a law with scale 1, p, log p, most, least, tiny.
    """
    image = tl.program_id(0)
    tiles = (width + COLUMNS - 1) // COLUMNS
    row = tl.program_id(1) // tiles * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) % tiles * COLUMNS + tl.arange(0, COLUMNS)
    location, cut, reach, p = tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2), tl.load(numbers + 3)
    log_p, most, least, tiny = tl.load(numbers + 4), tl.load(numbers + 5), tl.load(numbers + 6), tl.load(numbers + 7)
    scale = tl.load(scales + image)
    one = scale / scale  # 1 in the precision of the faces
    reach = reach * scale
    if SQUARED:
        reach = tl.sqrt(reach)
    reach = reach * 1.00001 + 1e-5
    shorter = tl.minimum(height, width)
    px = ((2 * column + 1 - width) * one / shorter)[None, :]
    py = ((height - 1 - 2 * row) * one / shorter)[:, None]
    left, right = tl.min(px) - reach, tl.max(px) + reach
    low, high = tl.min(py) - reach, tl.max(py) + reach
    sums = px * 0 + py * 0
    mesh = image % meshes
    base = faces + (image // meshes).to(tl.int64) * total * 6
    for j in range(tl.load(ends + mesh), tl.load(ends + mesh + 1)):
        x0, y0, x1, y1, x2, y2, there = _corners(base + j * 6)
        near = there & (tl.minimum(x0, tl.minimum(x1, x2)) <= right) & (tl.maximum(x0, tl.maximum(x1, x2)) >= left)
        near = near & (tl.minimum(y0, tl.minimum(y1, y2)) <= high) & (tl.maximum(y0, tl.maximum(y1, y2)) >= low)
        if near:
            _, _, _, _, d, side, _, _ = _nearest(px, py, x0, y0, x1, y1, x2, y2, tiny)
            v = side * (d if SQUARED else tl.sqrt(d))
            F, S, _ = _law(v / scale - location, LAW)
            sums += tl.where(v >= cut * scale, _generator(F, S, p, log_p, most, least, tiny, FOLD), 0.0)
    alpha, slope = _finish(sums, p, log_p, tiny, FOLD)
    at = (image.to(tl.int64) * height + row[:, None]) * width + column[None, :]
    here = (row < height)[:, None] & (column < width)[None, :]
    tl.store(value + at, alpha, mask=here)
    tl.store(inverse + at, slope, mask=here)


@triton.jit
def backward_kernel(
    faces, scales, mesh_of, numbers, slopes, to_faces, to_scale, total, meshes, height, width,
    LAW: tl.constexpr, FOLD: tl.constexpr, SQUARED: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Gradients of one face, to vertices and scale; ``slopes`` is the incoming gradient times ``inverse``."""
    place = tl.program_id(0)
    image = place // total * meshes + tl.load(mesh_of + place % total)
    location, cut, reach, p = tl.load(numbers), tl.load(numbers + 1), tl.load(numbers + 2), tl.load(numbers + 3)
    log_p, most, least, tiny = tl.load(numbers + 4), tl.load(numbers + 5), tl.load(numbers + 6), tl.load(numbers + 7)
    scale = tl.load(scales + image)
    one = scale / scale
    reach = reach * scale
    if SQUARED:
        reach = tl.sqrt(reach)
    reach = tl.minimum(reach * 1.00001 + 1e-5, 1e6)
    shorter = tl.minimum(height, width)
    face = faces + place.to(tl.int64) * 6
    x0, y0, x1, y1, x2, y2, there = _corners(face)
    # A box of pixels, a little too wide; far away it is empty.
    left, right = tl.minimum(x0, tl.minimum(x1, x2)) - reach, tl.maximum(x0, tl.maximum(x1, x2)) + reach
    low, high = tl.minimum(y0, tl.minimum(y1, y2)) - reach, tl.maximum(y0, tl.maximum(y1, y2)) + reach
    limit = 1.0 * tl.maximum(height, width) + 2
    first_x = tl.floor(tl.minimum(tl.maximum((left * shorter + width - 1) / 2, 0.0), limit)).to(tl.int32)
    last_x = tl.ceil(tl.minimum(tl.maximum((right * shorter + width - 1) / 2, -1.0), width - 1.0)).to(tl.int32)
    first_y = tl.floor(tl.minimum(tl.maximum((height - 1 - high * shorter) / 2, 0.0), limit)).to(tl.int32)
    last_y = tl.ceil(tl.minimum(tl.maximum((height - 1 - low * shorter) / 2, -1.0), height - 1.0)).to(tl.int32)
    last_y = tl.where(there, last_y, -1)
    zero = tl.zeros((ROWS, COLUMNS), dtype=tl.float32) * one
    g0, g1, g2, g3, g4, g5, scaled = zero, zero, zero, zero, zero, zero, zero
    for first_row in range(first_y, last_y + 1, ROWS):
        row = first_row + tl.arange(0, ROWS)
        py = ((height - 1 - 2 * row) * one / shorter)[:, None]
        for first_column in range(first_x, last_x + 1, COLUMNS):
            column = first_column + tl.arange(0, COLUMNS)
            px = ((2 * column + 1 - width) * one / shorter)[None, :]
            here = (row < height)[:, None] & (column < width)[None, :]
            at = (image.to(tl.int64) * height + row[:, None]) * width + column[None, :]
            slope = tl.load(slopes + at, mask=here, other=0.0)
            k, t, dx, dy, d, side, cross, on_line = _nearest(px, py, x0, y0, x1, y1, x2, y2, tiny)
            root = tl.sqrt(d)
            v = side * (d if SQUARED else root)
            F, S, f = _law(v / scale - location, LAW)
            w = tl.where(v >= cut * scale, _slope(F, S, f, p, log_p, most, least, tiny, FOLD), 0.0) * slope / scale
            w = tl.where(slope == 0, 0.0, w)
            if SQUARED:
                gx, gy = -2 * side * dx * w, -2 * side * dy * w
            else:
                ex = tl.where(k == 0, x1 - x0, tl.where(k == 1, x2 - x1, x0 - x2))
                ey = tl.where(k == 0, y1 - y0, tl.where(k == 1, y2 - y1, y0 - y2))
                size = tl.sqrt(tl.maximum(ex * ex + ey * ey, tiny))
                factor = tl.where(cross == 0, on_line, tl.where(cross > 0, side, -side)) / size
                beside = (t > 0) & (t < 1)
                away = tl.where(d > 0, side / tl.where(d > 0, root, 1.0), 0.0)
                gx = -w * tl.where(beside, -factor * ey, away * dx)
                gy = -w * tl.where(beside, factor * ex, away * dy)
            m0 = tl.where(k == 0, 1 - t, tl.where(k == 2, t, 0.0))
            m1 = tl.where(k == 1, 1 - t, tl.where(k == 0, t, 0.0))
            m2 = tl.where(k == 2, 1 - t, tl.where(k == 1, t, 0.0))
            g0 += gx * m0
            g1 += gy * m0
            g2 += gx * m1
            g3 += gy * m1
            g4 += gx * m2
            g5 += gy * m2
            scaled += w * v
    target = to_faces + place.to(tl.int64) * 6
    tl.store(target, tl.sum(g0))
    tl.store(target + 1, tl.sum(g1))
    tl.store(target + 2, tl.sum(g2))
    tl.store(target + 3, tl.sum(g3))
    tl.store(target + 4, tl.sum(g4))
    tl.store(target + 5, tl.sum(g5))
    tl.store(to_scale + place, -tl.sum(scaled) / scale)
