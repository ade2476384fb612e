"""
Soft rasterisation: laws, folds, gradients
==========================================

A triangle covers a pixel by ``F(d)``: d is the signed distance to its boundary, F the CDF of a law. A t-conorm joins
the triangles of a mesh. Every law goes with every t-conorm.
"""

# %%
# Laws
# ----
# The same triangle under ten laws whose middle half is equally wide. Heavy tails (Cauchy, Levy) reach far, so that
# gradients come from far away and little can be skipped; uniform laws end; one-sided laws blur one side alone.

import matplotlib.pyplot as plt
import torch

from algonets import distributions, tconorms
from algonets.distributions import Logistic
from algonets.render import AmbientLight, Camera, DirectionalLight, Mesh, Rasterizer, icosphere, illuminate, torus

plt.rcParams.update({"font.size": 10, "figure.dpi": 110})

triangle = torch.tensor([[[-0.6, -0.5], [0.7, -0.2], [-0.1, 0.7]]])
middle = torch.tensor([0.25, 0.75])
shown = ("Logistic", "Gaussian", "Cauchy", "Uniform", "WignerSemicircle", "Laplace", "GumbelMax", "GumbelMin",
         "ExponentialReversed", "Levy")  # fmt: skip
figure, axes = plt.subplots(2, 5, figsize=(10, 4.4), layout="constrained")
for panel, name in zip(axes.flat, shown, strict=True):
    law = getattr(distributions, name)
    low, high = law().quantile(middle).tolist()
    panel.imshow(Rasterizer(64, law(0.2 / (high - low))).silhouette(triangle), cmap="gray_r", vmin=0, vmax=1)
    panel.set(title=name, xticks=[], yticks=[])
plt.show()

# %%
# T-conorms
# ---------
# Two triangles that overlap and touch. The maximum shows each as if it were alone; the others add up what comes from
# both, the bounded sum (Yager with p = 1) most of all.

pair = torch.tensor([[[-0.8, -0.6], [0.1, -0.6], [0.0, 0.7]], [[-0.1, -0.6], [0.8, -0.6], [0.2, 0.7]]])
folds = (tconorms.Max(), tconorms.Probabilistic(), tconorms.Einstein(), tconorms.Hamacher(0.0), tconorms.Frank(2.0),
         tconorms.Yager(1.0), tconorms.Yager(2.0), tconorms.AczelAlsina(2.0), tconorms.Dombi(2.0),
         tconorms.SchweizerSklar(-2.0))  # fmt: skip
figure, axes = plt.subplots(2, 5, figsize=(10, 4.4), layout="constrained")
for panel, fold in zip(axes.flat, folds, strict=True):
    image = Rasterizer(64, Logistic(0.12), fold).silhouette(pair)
    panel.imshow(image, cmap="gray_r", vmin=0, vmax=1)
    panel.contour(image, levels=[0.25, 0.5, 0.75, 0.95], colors="tab:red", linewidths=0.7)
    panel.set(title=repr(fold), xticks=[], yticks=[])
plt.show()

# %%
# Gradients as arrows
# -------------------
# A polygon is to become a disc. The arrows are minus the gradients of the squared error: where each vertex is to go.
# A narrow law sees only vertices whose outline is near the wrong place; a wide one pulls all of them.

corners = torch.tensor([[-0.7, -0.3], [0.1, -0.75], [0.75, 0.1], [0.3, 0.35], [-0.2, 0.8]])
fan = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 4]])
at = (2 * torch.arange(64) - 63) / 64
disc = ((at.square() + at.square()[:, None]).sqrt() < 0.55).float()
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for panel, scale in zip(axes, (0.005, 0.03, 0.15), strict=True):
    vertices = corners.clone().requires_grad_()
    image = Rasterizer(64, Logistic(scale)).silhouette(vertices[fan])
    (image - disc).square().sum().backward()
    panel.imshow(image.detach(), cmap="gray_r", vmin=0, vmax=1, extent=(-1, 1, -1, 1))
    panel.contour(disc.flip(0), levels=[0.5], colors="tab:blue", extent=(-1, 1, -1, 1))
    move = -vertices.grad / vertices.grad.norm(dim=1).max()
    panel.quiver(*corners.T, *(0.45 * move).T, color="tab:red", angles="xy", scale_units="xy", scale=1, width=0.012)
    panel.set(title=f"scale {scale:g}", xticks=[], yticks=[], xlim=(-1, 1), ylim=(-1, 1))
plt.show()

# %%
# Colours and depth
# -----------------
# ``shade`` blends the colours of the faces by depth with a softness ``gamma``; ``gamma=None`` is the exact image. Two
# rings, lit from above.

ring = torus(0.6, 0.22, 28, 12)
turned = ring.vertices[:, [1, 0, 2]] + torch.tensor([0.0, 0.0, 0.6])
both = Mesh(torch.cat([ring.vertices, turned]), torch.cat([ring.faces, ring.faces[:, [0, 2, 1]] + len(ring.vertices)]))
first = torch.arange(len(both.faces))[:, None] < len(ring.faces)
paint = torch.where(first, torch.tensor([0.9, 0.5, 0.3]), torch.tensor([0.4, 0.6, 0.9]))
normals = both.face_normals()
lit = illuminate(paint, both.triangles().mean(1), normals, [AmbientLight(0.4), DirectionalLight((0.3, -1.0, 0.5), 0.6)])
faces = Camera.look_at(4.0, 35.0, 30.0).project(both.vertices)[both.faces]
figure, axes = plt.subplots(1, 4, figsize=(11, 3.1), layout="constrained")
for panel, (scale, gamma) in zip(axes, ((1e-3, None), (3e-3, 0.02), (1e-2, 0.2), (1e-2, 2.0)), strict=True):
    panel.imshow(Rasterizer(96, Logistic(scale)).shade(faces, lit, gamma=gamma, background=1.0).clamp(0, 1))
    panel.set(title=f"scale {scale:g}, gamma {gamma}", xticks=[], yticks=[])
plt.show()

# %%
# A sphere of 1,280 faces, forward and backward, takes the native kernel a few milliseconds.

sphere = icosphere(3)
print(Rasterizer(128).silhouette((0.8 * sphere.vertices)[sphere.faces][..., :2]).mean())
