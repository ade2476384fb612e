"""The operations of ``algonets.render``, for the conformance suite."""

import math

import torch

from algonets import render
from algonets.distributions import Gaussian, Logistic
from tests.conformance.registry import Argument, Operation, register

GENDR = "Petersen et al. 2022"
SPARSE = "lists of fragments depend on the data"
CUBE = render.cube()


def triangles(generator, dtype, batch):
    """Two triangles before the camera, the second always behind the first."""
    xy = torch.rand(*batch, 2, 3, 2, generator=generator, dtype=torch.float64) * 2 - 1
    z = torch.rand(*batch, 2, 3, 1, generator=generator, dtype=torch.float64)
    z = z + torch.tensor([1.0, 3.0], dtype=torch.float64)[:, None, None]
    return torch.cat([xy, z], -1).to(dtype)


def flat(generator, dtype, batch):
    """The same without depths."""
    return (triangles(generator, dtype, batch)[..., :2],)


def coloured(generator, dtype, batch):
    """With a colour for each corner."""
    return triangles(generator, dtype, batch), torch.rand(*batch, 2, 3, 2, generator=generator, dtype=dtype)


def point_distance(p, triangle):
    """Signed distance of a point to a triangle, edge by edge."""
    best, crosses = math.inf, []
    for k in range(3):
        (ax, ay), (bx, by) = triangle[k], triangle[(k + 1) % 3]
        ex, ey, x, y = bx - ax, by - ay, p[0] - ax, p[1] - ay
        t = min(1.0, max(0.0, (x * ex + y * ey) / (ex * ex + ey * ey)))
        best = min(best, math.hypot(x - t * ex, y - t * ey))
        crosses.append(ex * y - ey * x)
    return best if all(c > 0 for c in crosses) or all(c < 0 for c in crosses) else -best


def pixels(height, width):
    """Centres of the pixels, row by row."""
    shorter = min(height, width)
    return [
        [((2 * i + 1 - width) / shorter, (height - 1 - 2 * j) / shorter) for i in range(width)] for j in range(height)
    ]


def silhouette_oracle(faces):
    """Pixel by pixel, face by face."""
    rows = []
    for line in pixels(3, 4):
        row = []
        for p in line:
            rest = 1.0
            for face in faces.tolist():
                rest *= 1 - float(Logistic(0.2).cdf(torch.tensor(point_distance(p, face), dtype=torch.float64)))
            row.append(1 - rest)
        rows.append(row)
    return torch.tensor(rows, dtype=faces.dtype)


def shares_of(p, triangle):
    """Barycentric coordinates."""
    (ax, ay, _), (bx, by, _), (cx, cy, _) = triangle
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    one = ((p[0] - ax) * (cy - ay) - (p[1] - ay) * (cx - ax)) / area
    two = ((bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax)) / area
    return [1 - one - two, one, two]


def soft_oracle(faces, colours=None, gamma=0.5):
    """Blended depth, or colours over black."""
    rows = []
    for line in pixels(2, 3):
        row = []
        for p in line:
            weights, values, rest = [], [], 1.0
            for k, face in enumerate(faces.tolist()):
                share = [min(max(s, 0.0), 1.0) for s in shares_of(p, face)]
                share = [s / sum(share) / corner[2] for s, corner in zip(share, face, strict=True)]
                depth = 1 / sum(share)
                covered = float(
                    Gaussian(0.4).cdf(torch.tensor(point_distance(p, [c[:2] for c in face]), dtype=torch.float64))
                )
                rest *= 1 - covered
                weights.append(covered * math.exp(-depth / gamma))
                mixed = None if colours is None else sum(s * depth * c for s, c in zip(share, colours[k], strict=True))
                values.append(torch.tensor([depth], dtype=faces.dtype) if mixed is None else mixed)
            mean = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
            row.append(mean[0] if colours is None else mean * (1 - rest))
        rows.append(torch.stack(row))
    return torch.stack(rows)


SOFT = render.Rasterizer((3, 4), Logistic(0.2), cutoff=0)
BLEND = render.Rasterizer((2, 3), Gaussian(0.4), cutoff=0)
HARD = render.Rasterizer((2, 3), Gaussian(0.4))

register(
    Operation(
        name="render.Rasterizer.silhouette",
        summary="Soft silhouette of triangles, any law and t-conorm",
        function=SOFT.silhouette,
        arguments=(
            Argument(
                "Rasterizer.silhouette(faces)",
                rejects=(lambda f: f[..., 0, :], lambda f: f[..., :1], lambda f: f[..., :2, :]),
            ),
        ),
        inputs=flat,
        differentiability="twice",
        oracle=silhouette_oracle,
        ways=("analytic",),
        backends=("native", "torch"),
        half="kept",
        cost="O(pixels near faces)",
        reference=GENDR,
    )
)
register(
    Operation(
        name="render.Rasterizer.depth",
        summary="Depth of what is seen, softly",
        function=lambda faces: BLEND.depth(faces, gamma=0.5),
        arguments=(Argument("Rasterizer.depth(faces)", rejects=(lambda f: f[..., :2],)),),
        inputs=lambda generator, dtype, batch: (triangles(generator, dtype, batch),),
        differentiability="once",
        oracle=soft_oracle,
        ways=("unroll",),
        cost="O(pixels near faces)",
        reference="Liu et al. 2019",
        gaps={"vmap": SPARSE, "compile": SPARSE},
    )
)
register(
    Operation(
        name="render.Rasterizer.shade",
        summary="Colours blended by depth, softly",
        function=lambda faces, colours: BLEND.shade(faces, colours, gamma=0.5),
        arguments=(
            Argument("Rasterizer.shade(faces)", rejects=(lambda f: f[..., :2],)),
            Argument(
                "Rasterizer.shade(colours)", nan="propagates", rejects=(lambda c: c[..., :1, :, :][..., 0, :, 0],)
            ),
        ),
        inputs=coloured,
        differentiability="once",
        oracle=soft_oracle,
        ways=("unroll",),
        cost="O(pixels near faces)",
        reference="Liu et al. 2019",
        gaps={"vmap": SPARSE, "compile": SPARSE},
    )
)


def nearest_oracle(faces, height=2, width=3):
    """The nearest face that has a pixel's centre inside."""
    rows = []
    for line in pixels(height, width):
        row = []
        for p in line:
            best, found = math.inf, -1
            for k, face in enumerate(faces.tolist()):
                share = shares_of(p, face)
                depth = 1 / sum(s / c[2] for s, c in zip(share, face, strict=True))
                if min(share) >= 0 and depth < best:
                    best, found = depth, k
            row.append(found)
        rows.append(row)
    return torch.tensor(rows)


register(
    Operation(
        name="render.Rasterizer.nearest",
        summary="The face that is seen: exact z-buffer",
        function=HARD.nearest,
        arguments=(Argument("Rasterizer.nearest(faces)", rejects=(lambda f: f[..., :2],)),),
        inputs=lambda generator, dtype, batch: (triangles(generator, dtype, batch),),
        differentiability="none",
        oracle=nearest_oracle,
        backends=("native", "torch"),
        cost="O(pixels in faces)",
        gaps={"vmap": SPARSE, "compile": SPARSE},
    )
)


def points(generator, dtype, batch):
    """The corners of a cube, moved a little."""
    noise = torch.rand(*batch, 8, 3, generator=generator, dtype=torch.float64) * 0.2
    return ((CUBE.vertices.double() + noise).to(dtype),)


CAMERA = render.Camera.look_at(3.0, 20.0, 30.0)


def project_oracle(v):
    """By angles."""
    e, a = math.radians(20.0), math.radians(30.0)
    eye = torch.tensor([math.cos(e) * math.sin(a), math.sin(e), -math.cos(e) * math.cos(a)], dtype=v.dtype) * 3
    z = -eye / 3
    x = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0], dtype=v.dtype), z)
    x = x / x.norm()
    y = torch.linalg.cross(z, x)
    own = (v - eye) @ torch.stack([x, y, z], 1)
    return torch.cat([own[:, :2] / own[:, 2:] / math.tan(math.radians(15)), own[:, 2:]], 1)


register(
    Operation(
        name="render.Camera.project",
        summary="Perspective projection",
        function=CAMERA.project,
        arguments=(Argument("Camera.project(vertices)", rejects=(lambda v: v[..., :2],)),),
        inputs=points,
        differentiability="any order",
        oracle=project_oracle,
        tolerance=1e-6,
        cost="O(V)",
    )
)


def neighbours(faces, vertex):
    """Vertices next to one."""
    return sorted({int(w) for f in faces for w in f if vertex in f.tolist() and int(w) != vertex})


def laplacian_oracle(v):
    """By a loop."""
    return sum(
        ((v[i] - sum(v[j] for j in neighbours(CUBE.faces, i)) / len(neighbours(CUBE.faces, i))) ** 2).sum()
        for i in range(8)
    ) / len(v)


def edges_oracle(v, target=0.5):
    """By a loop."""
    pairs = {tuple(sorted((int(f[k]), int(f[(k + 1) % 3])))) for f in CUBE.faces for k in range(3)}
    return sum(((v[a] - v[b]).norm() - target) ** 2 for a, b in pairs) / len(pairs)


def angles_oracle(v, power):
    """By a loop over all pairs of faces."""
    normal = lambda f: torch.linalg.cross(v[f[1]] - v[f[0]], v[f[2]] - v[f[0]])  # noqa: E731
    found = []
    for i, f in enumerate(CUBE.faces):
        for g in CUBE.faces[:i]:
            if len({*f.tolist()} & {*g.tolist()}) == 2:
                a, b = normal(f), normal(g)
                found.append((1 - a @ b / a.norm() / b.norm()) ** power)
    return sum(found) / len(found)


for name, summary, function, oracle in (
    ("laplacian_loss", "Distance to the neighbours' middle", render.laplacian_loss, laplacian_oracle),
    ("edge_length_loss", "Edges of equal length", lambda v, f: render.edge_length_loss(v, f, 0.5), edges_oracle),
    ("normal_consistency_loss", "Angles between faces", render.normal_consistency_loss, lambda v: angles_oracle(v, 1)),
    ("flattening_loss", "Squared angles between faces", render.flattening_loss, lambda v: angles_oracle(v, 2)),
):
    register(
        Operation(
            name=f"render.{name}",
            summary=summary,
            function=lambda v, function=function: function(v, CUBE.faces),
            arguments=(Argument(f"{name}(vertices)", rejects=(lambda v: v[..., :2],)),),
            inputs=points,
            differentiability="any order",
            oracle=oracle,
            cost="O(V + F)",
            reference="Liu et al. 2019",
            gaps={"compile": "edges are found from the values of the faces"},
        )
    )

TURNED = torch.linalg.qr(
    torch.linspace(-1, 1, 9, dtype=torch.float64).square().add(torch.eye(3).reshape(-1)).view(3, 3)
)[0]


def voxel_oracle(v):
    """A turned cube by its three slabs."""
    n = 6
    at = (2 * torch.arange(n, dtype=torch.float64) + 1 - n) / n
    grid = torch.stack(torch.meshgrid(at, at, at, indexing="ij"), -1)
    return ((grid @ TURNED.T).abs() < 0.5).all(-1)


register(
    Operation(
        name="render.voxelise",
        summary="Voxels inside a closed mesh",
        function=lambda v: render.voxelise(v, CUBE.faces, 6),
        arguments=(Argument("voxelise(vertices)", rejects=(lambda v: v[..., :2],)),),
        inputs=lambda generator, dtype, batch: (
            (CUBE.vertices.double() @ TURNED).to(dtype).expand(*batch, 8, 3).clone(),
        ),
        differentiability="none",
        oracle=voxel_oracle,
        cost="O(voxels)",
        gaps={"vmap": SPARSE, "compile": SPARSE},
    )
)


def two_images(generator, dtype, batch):
    """Values in [0, 1]."""
    make = lambda: torch.rand(*batch, 3, 4, generator=generator, dtype=dtype)  # noqa: E731
    return make(), make()


register(
    Operation(
        name="render.iou",
        summary="Intersection over union",
        function=render.iou,
        arguments=tuple(Argument(f"iou({name})", nan="propagates") for name in "ab"),
        inputs=two_images,
        differentiability="any order",
        oracle=lambda a, b: (
            sum(x * y for x, y in zip(a.reshape(-1), b.reshape(-1), strict=True))
            / sum(x + y - x * y for x, y in zip(a.reshape(-1), b.reshape(-1), strict=True))
        ),
        cost="O(n)",
    )
)
register(
    Operation(
        name="render.chamfer",
        summary="Chamfer distance of points",
        function=render.chamfer,
        arguments=tuple(Argument(f"chamfer({name})", nan="propagates") for name in "ab"),
        inputs=two_images,
        differentiability="any order",
        oracle=lambda a, b: (
            sum(min(((x - y) ** 2).sum() for y in b) for x in a) / len(a)
            + sum(min(((x - y) ** 2).sum() for x in a) for y in b) / len(b)
        ),
        cost="O(N M)",
    )
)
