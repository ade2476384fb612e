"""
A partial differential equation that learnt to sharpen
======================================================

The classical equations of image processing are recurrent networks: each iteration applies the same stencils and the
same pointwise function everywhere. :mod:`algonets.equations` has the classical ones, and one whose stencils and
function are learnt.
"""

# %%
# What the classical ones do
# --------------------------
# The heat equation blurs everything. Perona and Malik let heat flow only where the picture is flat, here a guide.
# Active contours shrink a curve until it meets edges.

import matplotlib.pyplot as plt
import torch

from algonets import equations
from algonets.data import Shapes

plt.rcParams.update({"font.size": 9, "figure.dpi": 120})
torch.manual_seed(0)
train, test = Shapes(train=True, size=400, side=32), Shapes(train=False, size=40, side=32)

image, mask, coarse = test[2]
grey = image.mean(0)
blurred = equations.heat(coarse[0], 0.25, 20)
flowed = equations.perona_malik(coarse[0], equations.ExponentialConductance(0.05), 0.25, 50, guide=grey)
edges = equations.edge_map(equations.heat(image, 0.25, 3), 0.03)
contours = equations.geodesic_active_contours(coarse[0], edges, 0.3, 60)
panels = {
    "picture": image.movedim(0, -1),
    "coarse map": coarse[0].sigmoid(),
    "heat": blurred.sigmoid(),
    "Perona-Malik": flowed.sigmoid(),
    "edge map g": edges,
    "active contours": (contours > 0).float(),
}
figure, axes = plt.subplots(1, 6, figsize=(12, 2.4))
for panel, (name, picture) in zip(axes, panels.items(), strict=True):
    panel.imshow(picture, cmap="gray", vmin=0, vmax=1)
    panel.contour(mask[0], [0.5], colors="tab:red", linewidths=0.8)
    panel.set(title=name, xticks=[], yticks=[])
figure.tight_layout()

# %%
# Explicit steps are stable up to a rate; beyond it, the constructor says so.

try:
    equations.Heat(rate=0.3)
except ValueError as error:
    print(error)

# %%
# An equation that learns
# -----------------------
# ``u <- u + f(stencils of u, stencils of the picture)``, five times with the same weights. All five maps enter the
# loss, the later ones more, so that each iteration has a reason to improve on the last.

refine = equations.PDERefiner(classes=1, iterations=5)
optimizer = torch.optim.Adam(refine.parameters(), 5e-3)
steps = 300
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
for _ in range(steps):
    part = torch.randint(len(train), (8,))
    maps = refine.trajectory(train.coarse[part], 2 * train.images[part] - 1)[1:]
    truth = train.masks[part].expand_as(maps)
    losses = torch.nn.functional.binary_cross_entropy_with_logits(maps, truth, reduction="none").mean((1, 2, 3, 4))
    loss = (torch.linspace(0.2, 1, 5) * losses).mean()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(refine.parameters(), 0.2)
    optimizer.step()
    schedule.step()

with torch.no_grad():
    evolution = refine.trajectory(test.coarse, 2 * test.images - 1)


def overlap(found):
    """Mean intersection over union."""
    found, truth = (found > 0).flatten(1), (test.masks > 0).flatten(1)
    return ((found & truth).sum(1) / (found | truth).sum(1)).mean().item()


print("parameters:", sum(p.numel() for p in refine.parameters()))
print("IoU over iterations:", [round(overlap(step), 3) for step in evolution])

figure, axes = plt.subplots(3, 6, figsize=(12, 6.2))
for row, i in zip(axes, (2, 5, 8), strict=True):
    for t, panel in enumerate(row):
        panel.imshow(evolution[t, i, 0].sigmoid(), cmap="gray", vmin=0, vmax=1)
        panel.contour(test.masks[i, 0], [0.5], colors="tab:red", linewidths=0.8)
        panel.set(title=f"iteration {t}", xticks=[], yticks=[])
figure.tight_layout()
