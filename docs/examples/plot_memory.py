"""
Associative memories
====================

A Hopfield network stores patterns as valleys of an energy. This page looks at a network of two units, where the whole
landscape fits into a picture, and at how many patterns a larger one holds.
"""

# %%
# Two units
# ---------
# Two units that are to agree: the weight between them is positive, and the stored pattern is ``(1, 1)``. With graded
# units :math:`s = \tanh(\beta W s)` the state moves through the square; its corners are the states of hard units.
# The opposite pattern ``(-1, -1)`` is a memory, too: energies do not change when all signs do.

import matplotlib.pyplot as plt
import torch

from algonets.memory import Hopfield, ModernHopfield, as_signs, overlap

plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})

memory = Hopfield(2).store(torch.tensor([[1.0, 1.0]]))
memory.weights = 2 * memory.weights
grid = torch.linspace(-1, 1, 81)
states = torch.cartesian_prod(grid, grid)


def lyapunov(states, beta):
    """Energy of graded units: what the weights say, and what it costs to be decided (Hopfield 1984)."""
    inside = states.clamp(-1 + 1e-6, 1 - 1e-6)
    undecided = inside * inside.atanh() + 0.5 * (1 - inside.square()).log()
    return memory.energy(states) + undecided.sum(-1) / beta


figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", sharey=True)
starts = [(-0.9, 0.6), (0.9, -0.6), (-0.2, 0.5), (0.2, -0.5), (0.05, 0.9), (-0.9, 0.1)]
for panel, beta in zip(axes, (0.8, 1.5, 6.0), strict=True):
    energy = lyapunov(states, beta).reshape(81, 81)
    panel.contourf(grid, grid, energy.T, 24, cmap="viridis")
    for start in starts:
        path = [torch.tensor(start)]
        for _ in range(60):  # small steps towards tanh(beta W s)
            path.append(path[-1] + 0.1 * (memory.unroll(path[-1], 1, beta) - path[-1]))
        path = torch.stack(path)
        panel.plot(path[:, 0], path[:, 1], color="white", lw=1.3)
        panel.plot(*path[-1], "o", color="white", ms=4)
    panel.set(title=rf"$\beta$ = {beta:g}", xlabel="first unit", aspect="equal")
axes[0].set_ylabel("second unit")
plt.show()

# %%
# Where :math:`\beta` times the weight is below 1, the only rest is in the middle: the network cannot remember. Above,
# the middle is a saddle and there are two valleys. Steep units end in the corners, where the hard network lives.

print(memory(torch.tensor([[-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])))
print(memory.settle(torch.tensor([0.2, 0.1]), beta=1.5))

# %%
# How much it holds
# -----------------
# Random patterns, 400 units. Every rule starts from the stored patterns, settles, and is compared with where it
# began. Hebb's rule forgets everything at once at 0.14 patterns a unit; Storkey's and the pseudo-inverse hold more.


def patterns_of(count, n=400):
    """Fair coins."""
    return as_signs(torch.rand(count, n, generator=torch.Generator().manual_seed(count)) < 0.5)


loads = (0.02, 0.06, 0.1, 0.13, 0.16, 0.2, 0.3, 0.45, 0.6, 0.8)
figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
for rule, colour in (("hebb", "#c0392b"), ("storkey", "#d9902f"), ("pseudo_inverse", "#1f3b73")):
    found = []
    for load in loads:
        stored = patterns_of(int(400 * load))
        network = Hopfield(400, rule).store(stored)
        found.append(overlap(network(stored[:40]), stored[:40]).mean())
    axes.plot(loads, found, "o-", color=colour, label=rule)
axes.axvline(0.138, color="0.7", ls="--", lw=1)
axes.set(xlabel="patterns / units", ylabel="overlap after settling", ylim=(0, 1.03))
axes.legend(frameon=False)
plt.show()

# %%
# Modern memories
# ---------------
# With an exponential energy one step finds the pattern among ten thousand, each of 400 bits, a third of them flipped
# in the query. The step is attention; a low steepness would give the average of many.

stored = patterns_of(10_000)
queries = stored[:5].clone()
queries[:, :133] *= -1
modern = ModernHopfield(400, beta=0.5).store(stored)
print(overlap(modern(queries).sign(), stored[:5]))
