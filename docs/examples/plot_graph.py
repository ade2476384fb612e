"""
Shortest paths as layers
========================

A shortest-path solver answers with a path, which does not change when costs change a little. This page looks at the
ways around that: the value of the path, and all paths at once.
"""

# %%
# A map
# -----
# Terrain with five kinds of tiles, and the cheapest way from corner to corner.

import matplotlib.pyplot as plt
import torch

from algonets.data import TerrainMaps
from algonets.graph import GridPath, SoftShortestPath
from algonets.semirings import Counting

plt.rcParams.update({"font.size": 10, "figure.dpi": 120})

image, costs, path = TerrainMaps(train=False, size=6)[5]
hard = GridPath(neighbours=8)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(image.permute(1, 2, 0))
axes[1].imshow(costs)
axes[2].imshow(hard(costs), cmap="Greys")
for panel, title in zip(axes, ("map", "costs", "cheapest path"), strict=True):
    panel.set(title=title, xticks=[], yticks=[])
plt.show()

# %%
# Pool: the gradient of the value
# -------------------------------
# What the path costs is a piecewise linear function of the costs; its gradient is the path itself, as that of a maximum
# is the place of the maximum.

costs.requires_grad_()
found = hard.solve(costs)
(gradient,) = torch.autograd.grad(found.value, costs)
print(f"value {found.value:.1f}; the gradient is the path: {torch.equal(gradient, found.solution)}")

# %%
# Unroll: all paths, weighted
# ---------------------------
# Rounds of a soft Bellman-Ford sum over all walks. At a low temperature the cheapest path stands alone; at a higher one
# detours share the probability, and the gradient reaches tiles that the hard path does not touch. Above a critical
# temperature, the cost of the cheapest tiles over the logarithm of the neighbours (0.8 / log 8 = 0.38 here), walks that
# linger there win by their number.

figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
for panel, temperature in zip(axes, (0.05, 0.2, 0.35), strict=True):
    layer = SoftShortestPath(hard, temperature)
    panel.imshow(layer(costs).detach(), cmap="Greys", vmin=0, vmax=1)
    panel.set(title=f"temperature {temperature:g}: value {layer.value(costs).item():.1f}", xticks=[], yticks=[])
plt.show()

# %%
# How many paths there are
# ------------------------
# The same program in another semiring counts: walks of at most so many steps between the corners of small grids.

for side in (2, 3, 4, 5):
    steps = 2 * (side - 1)
    number = SoftShortestPath(GridPath(4), steps=steps).reduce(torch.zeros(side, side), Counting())
    print(f"{side} x {side}: {int(number)} ways of {steps} steps")

# %%
# Learning costs from a path
# --------------------------
# Nothing but the path is known. The loss is what the path costs beyond the soft minimum; its gradient is the path minus
# the expected path, so costs fall on the path and rise where the model would rather go.

raw = torch.zeros(12, 12, requires_grad=True)
optimizer = torch.optim.Adam([raw], 0.1)
layer = SoftShortestPath(hard, 0.2)
for _ in range(40):
    guess = torch.nn.functional.softplus(raw) + 0.05
    loss = (guess * path).sum() - layer.value(guess)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
learnt = hard(guess.detach())
print(f"tiles of the path that are found: {int((learnt * path).sum())} of {int(path.sum())}")
