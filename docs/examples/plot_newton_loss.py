"""
Newton losses
=============

A sorting loss as a landscape: where its gradients vanish and explode, and what a Newton step makes of them.
"""

# %%
# A landscape
# -----------
# Three scores that should be in the order of 1, 2, 3. Two of them are on the axes, the third is 0. Far from the
# right order the loss is a slope or a plateau; near ties it bends within a small distance.

import matplotlib.pyplot as plt
import torch

from algonets import losses, sort
from algonets.training import NewtonLoss

plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})

loss = losses.PermutationCrossEntropy(sort.NeuralSort(0.5), reduction="none")
side = 41
grid = torch.linspace(-3, 3, side)
first, last = torch.meshgrid(grid, grid, indexing="ij")
scores = torch.stack([first, torch.zeros_like(first), last], -1).reshape(-1, 3)
order = torch.arange(3).expand(len(scores), 3)

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
modes = {"gradient": None, "Newton step, damping 0.03": 0.03}
for panel, (title, damping) in zip(axes, modes.items(), strict=True):
    z = scores.clone().requires_grad_()
    chosen = loss if damping is None else NewtonLoss(loss, damping=damping, per="example", reduction="none")
    (step,) = torch.autograd.grad(chosen(z, order).sum(), z)
    values = loss(scores, order).reshape(side, side)
    panel.contourf(grid, grid, values.T, 24, cmap="viridis")
    arrows = -step.reshape(side, side, 3)[2::4, 2::4]
    scale = arrows.norm(dim=-1).median()  # arrows: direction and logarithm of the length
    lengths = (1 + arrows.norm(dim=-1, keepdim=True) / scale).log()
    directions = arrows / arrows.norm(dim=-1, keepdim=True).clamp_min(1e-12) * lengths
    points = grid[2::4]
    panel.quiver(points, points, directions[..., 0].T, directions[..., 2].T, color="white", width=0.004)
    panel.set(title=title, xlabel="first score", aspect="equal")
axes[0].set_ylabel("last score")
plt.show()

# %%
# Where the loss is a slope with little curvature the Newton step is long, up to the gradient over the damping; where it
# bends, near ties, it is short. It takes the direction that leads out of the bend, not the steepest.
#
# Descent
# -------
# From a start in the wrong order, gradient descent on the scores themselves, each at the best of some rates. With a
# rate that is tuned to this one scale the plain loss is quick, but jumps; Newton losses fall steadily. What is drawn is
# the sorting loss, not what is minimised.

start = torch.tensor([[6.0, 1.0, -6.0, 3.0]])
target = torch.tensor([[0, 1, 2, 3]])


def descend(chosen, rate, steps=60):
    """Gradient descent on the scores themselves."""
    z, values = start.clone().requires_grad_(), []
    for _ in range(steps):
        values.append(loss(z.detach(), target).item())
        (step,) = torch.autograd.grad(chosen(z, target).sum(), z)
        z = (z - rate * step).detach().requires_grad_()
    return values


figure, axes = plt.subplots(figsize=(7, 3.8), layout="constrained")
for title, chosen, rates, colour in (
    ("loss", loss, (1.0, 3.0, 10.0, 30.0), "0.5"),
    ("Newton loss, Hessian", NewtonLoss(loss, damping=0.03, reduction="none"), (0.1, 0.3, 1.0), "#1f3b73"),
    ("Newton loss, Fisher", NewtonLoss(loss, "fisher", 0.03, reduction="none"), (0.1, 0.3, 1.0), "#c0392b"),
):
    best = min((descend(chosen, rate) for rate in rates), key=sum)
    axes.plot(best, color=colour, label=title)
axes.set(xlabel="steps", ylabel="sorting loss")
axes.legend(frameon=False)
plt.show()
