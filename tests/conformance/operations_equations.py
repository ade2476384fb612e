"""The operations of ``algonets.equations``, with oracles of plain loops over pixels."""

import copy
import itertools
import math

import torch

from algonets import equations
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object

H, W = 3, 4
SIDES = ((-1, 0), (1, 0), (0, -1), (0, 1))
PERONA_MALIK = "Perona, Malik 1990"
CASELLES = "Caselles et al. 1997"
MAGGIORI = "Maggiori et al. 2017"


def at(u, y, x):
    """Value of a plane, of the nearest pixel beyond the border."""
    return u[..., min(max(y, 0), u.shape[-2] - 1), min(max(x, 0), u.shape[-1] - 1)]


def pixels(change):
    """Make a plane of ``change(y, x)``."""
    return torch.stack([torch.stack([change(y, x) for x in range(W)], -1) for y in range(H)], -2)


def planes(*channels, positive=False):
    """Random planes ``(*batch, *channels, H, W)``, one argument for each tuple of channels."""

    def make(generator, dtype, batch):
        shapes = [(*batch, *c, H, W) for c in channels]
        values = [torch.randn(*shape, generator=generator, dtype=dtype) for shape in shapes]
        return (*values[:-1], values[-1].sigmoid()) if positive else tuple(values)

    return make


def no_pixels(x):
    """Drop all columns."""
    return x[..., :0]


def first_column(x):
    """Keep one column."""
    return x[..., :1]


def heat(u):
    """Two steps, one pixel after the other."""
    for _ in range(2):
        u = pixels(lambda y, x, u=u: at(u, y, x) + 0.2 * sum(at(u, y + a, x + b) - at(u, y, x) for a, b in SIDES))
    return u


def perona_malik(u, guide):
    """Two steps of the guided equation."""
    g = lambda d: 1 / (1 + (d / 0.5) ** 2)  # noqa: E731
    for _ in range(2):
        u = pixels(
            lambda y, x, u=u: (
                at(u, y, x)
                + 0.25
                * sum(
                    g(at(guide, y + a, x + b) - at(guide, y, x)) * (at(u, y + a, x + b) - at(u, y, x)) for a, b in SIDES
                )
            )
        )
    return u


def active_contours(u, g):
    """One step: the textbook formulas at each pixel."""

    def change(y, x):
        c, n, s, w, e = (at(u, y + a, x + b) for a, b in ((0, 0), *SIDES))
        ux, uy = (e - w) / 2, (s - n) / 2
        uxy = (at(u, y + 1, x + 1) - at(u, y + 1, x - 1) - at(u, y - 1, x + 1) + at(u, y - 1, x - 1)) / 4
        bend = (e - 2 * c + w) * uy**2 - 2 * ux * uy * uxy + (s - 2 * c + n) * ux**2
        gx, gy = (at(g, y, x + 1) - at(g, y, x - 1)) / 2, (at(g, y + 1, x) - at(g, y - 1, x)) / 2
        slide = gx * (e - c if gx > 0 else c - w) + gy * (s - c if gy > 0 else c - n)
        steep = math.sqrt(sum(max(float(v - c), 0.0) ** 2 for v in (n, s, w, e)) + 1e-6) - 1e-3
        return c + 0.2 * (g[y, x] * bend / (ux**2 + uy**2 + 1e-6) + slide + 0.5 * g[y, x] * steep)

    return pixels(change)


def edge_map(image):
    """The slope of all channels at each pixel."""

    def value(y, x):
        slopes = [at(image, y, x + 1) - at(image, y, x - 1), at(image, y + 1, x) - at(image, y - 1, x)]
        return 1 / (1 + sum((d / 2) @ (d / 2) for d in slopes) / 0.5**2)

    return pixels(value)


torch.manual_seed(0)
_refiner = equations.PDERefiner(
    2, 3, 2, stencils=3, image_stencils=2, hidden=4, kernel_size=3, activation=torch.nn.Tanh(), anchor=0.1
)
for _parameter in _refiner.parameters():
    torch.nn.init.normal_(_parameter, std=0.3)
MODULES = {
    "refiner": _refiner,
    "dense": equations.MeanField(3, equations.DenseKernel(0.3, 3.0, 0.9, 0.2, 1.5), 2, damping=0.2),
}
COPIES = {
    (name, dtype): copy.deepcopy(m).to(dtype) for name, m in MODULES.items() for dtype in (torch.float32, torch.float64)
}


def module(name):
    """Call the module in the dtype of its first argument."""

    def call(first, second):
        dtype = first.dtype if isinstance(first, torch.Tensor) and first.dtype.is_floating_point else torch.float64
        return COPIES[name, dtype](first, second)

    return call


def refine(scores, image):
    """Two steps of the learnt equation, by sums over pixels, stencils and units."""
    net = COPIES["refiner", torch.float64]
    m, n, f = net.map_stencils.weight[:, 0], net.image_stencils.weight, net.reaction
    mix, see, out = f.from_map.weight[:, :, 0, 0], f.from_image.weight[:, :, 0, 0], f.from_hidden.weight[:, :, 0, 0]
    offsets = list(itertools.product((-1, 0, 1), repeat=2))
    u = scores
    for _ in range(2):
        maps = []
        for k in range(2):

            def change(y, x, u=u, k=k):
                s = torch.stack(
                    [sum(m[i, a + 1, b + 1] * at(u[k], y + a, x + b) for a, b in offsets) for i in range(3)]
                )
                t = torch.stack(
                    [sum(n[i, :, a + 1, b + 1] @ at(image, y + a, x + b) for a, b in offsets) for i in range(2)]
                )
                inner = mix @ s + see @ t + f.from_image.bias
                a = out @ torch.tanh(inner[:4]) + inner[4:]
                return u[k, y, x] + a[3] + a[:3] @ s + 0.1 * (scores[k, y, x] - u[k, y, x])

            maps.append(pixels(change))
        u = torch.stack(maps)
    return u


def mean_field(scores, image, weight, iterations, damping):
    """The updates of the paper over all pairs of pixels."""
    places = list(itertools.product(range(H), range(W)))
    log_q = torch.log_softmax(scores, 0)
    for _ in range(iterations):
        new = torch.empty_like(scores)
        for y, x in places:
            message = sum(
                weight((y, x), p, float((image[:, y, x] - image[:, p[0], p[1]]).square().sum()))
                * log_q[:, p[0], p[1]].exp()
                for p in places
                if p != (y, x)
            )
            cost = torch.stack([sum(message[other] for other in range(3) if other != label) for label in range(3)])
            new[:, y, x] = torch.log_softmax(scores[:, y, x] - cost, 0)
        log_q = torch.log_softmax(damping * log_q + (1 - damping) * new, 0)
    return log_q


def dense_weight(p, q, colour):
    """Weight of any two pixels."""
    apart = (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2
    return 0.3 * math.exp(-apart / 18 - colour / (2 * 0.81)) + 0.2 * math.exp(-apart / 4.5)


def operation(name, summary, function, oracle, inputs, arguments, **promises):
    """Register an operation on planes, any order by default."""
    register(
        Operation(
            name=f"equations.{name}",
            summary=summary,
            function=function,
            oracle=oracle,
            inputs=inputs,
            arguments=arguments,
            **{"differentiability": "any order", "cost": "O(H W) an iteration", "ways": ("unroll",), **promises},
        )
    )


operation(
    "heat",
    "The heat equation",
    lambda u: equations.heat(u, 0.2, 2),
    heat,
    planes(()),
    (Argument("heat(u)", rejects=(no_pixels,)),),
    reference="Koenderink 1984",
)
operation(
    "perona_malik",
    "Diffusion that edges of a guide stop",
    lambda u, v: equations.perona_malik(u, equations.RationalConductance(0.5), 0.25, 2, guide=v),
    perona_malik,
    planes((), ()),
    (
        Argument("perona_malik(u)", rejects=(no_pixels,)),
        Argument("perona_malik(guide)", rejects=(no_pixels, first_column)),
    ),
    reference=PERONA_MALIK,
)
operation(
    "geodesic_active_contours",
    "Level lines that shrink onto edges",
    lambda u, g: equations.geodesic_active_contours(u, g, 0.2, 1, balloon=0.5),
    active_contours,
    planes((), (), positive=True),
    (
        Argument("geodesic_active_contours(u)", rejects=(no_pixels,)),
        Argument("geodesic_active_contours(edges)", rejects=(first_column, lambda g: g + 1)),
    ),
    differentiability="twice",
    reference=CASELLES,
)
operation(
    "edge_map",
    "Where contours may pass",
    lambda image: equations.edge_map(image, 0.5),
    edge_map,
    planes((2,)),
    (Argument("edge_map(image)", rejects=(no_pixels,)),),
    reference=CASELLES,
    cost="O(C H W)",
    ways=(),
)
operation(
    "PDERefiner.forward",
    "Class scores refined by a learnt equation",
    module("refiner"),
    refine,
    planes((2,), (3,)),
    (
        Argument("PDERefiner(scores)", rejects=(lambda s: s[..., :1, :, :],)),
        Argument("PDERefiner(image)", rejects=(first_column, lambda i: i[..., :1, :, :])),
    ),
    reference=MAGGIORI,
    ways=("unroll", "analytic"),
)
operation(
    "MeanField.forward",
    "Mean-field marginals of a dense CRF",
    module("dense"),
    lambda s, i: mean_field(s, i, dense_weight, 2, 0.2),
    planes((3,), (2,)),
    (
        Argument("MeanField(scores)", rejects=(lambda s: s[..., :1, :, :],)),
        Argument("MeanField(image)", rejects=(first_column,)),
    ),
    reference="Kraehenbuehl, Koltun 2011",
    cost="O(L (H W)^2) an iteration",
    tolerance=1e-7,  # the kernel's logarithms were made in float32
)

U, IMAGE = torch.linspace(-1, 1, 2 * H * W).view(2, H, W), torch.linspace(0, 1, 3 * H * W).view(3, H, W)
LAW = equations.ExponentialConductance(0.3)
for name, make, use, shows in (
    ("ExponentialConductance", lambda: LAW, lambda m: m(U), ("0.3",)),
    ("RationalConductance", lambda: equations.RationalConductance(0.3), lambda m: m(U), ("0.3",)),
    ("PDERefiner", lambda: copy.deepcopy(_refiner), lambda m: m(U, IMAGE), ("iterations=2",)),
    ("MeanField", lambda: equations.MeanField(2, equations.GridKernel(0.5), 3), lambda m: m(U, IMAGE), ("GridKernel",)),
    ("GridKernel", lambda: equations.GridKernel(0.5, 0.2), lambda m: m.message(U, m.affinity(IMAGE)), ()),
    ("DenseKernel", lambda: equations.DenseKernel(0.5), lambda m: m.message(U, m.affinity(IMAGE)), ()),
    ("GatedMLP", lambda: equations.GatedMLP(1, 2, 3, 4), lambda m: m(U[None, None], m.prepare(IMAGE[None])), ()),
):
    register_object(PublicObject(name=f"equations.{name}", make=make, use=use, shows=shows))

exempt("equations.Abstract*", "abstract: its families are registered")
for name in ("Heat", "PeronaMalik", "GeodesicActiveContours"):
    exempt(f"equations.{name}*", "a module of the function that is registered: tests/equations")
for name in ("GridKernel", "DenseKernel", "GatedMLP"):
    exempt(f"equations.{name}.*", "parts of operations that are registered: tests/equations")
for name in ("trajectory", "solve", "extra_repr"):
    exempt(f"equations.PDERefiner.{name}", "a member of a module: tests/equations/test_refiner.py")
for name in ("trajectory", "extra_repr"):
    exempt(f"equations.MeanField.{name}", "a member of a module: tests/equations/test_mean_field.py")
