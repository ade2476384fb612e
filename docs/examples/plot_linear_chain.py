"""
The linear chain
================

A chain scores sequences of labels. Every step has a score for every label (*unary*), and every pair of neighbours
has a score for every pair of labels (*transition*). One object, :class:`algonets.dp.LinearChain`, holds the scores;
its methods are the algorithms. This page shows the three ways in which they enter a network:

* **pool**: the best sequence, and a gradient to the scores that it selected;
* **analytic**: all sequences, weighted by their probability, and marginals as the gradient;
* **unroll**: belief propagation whose iterations are layers.
"""

# %%
# A day in ten hours
# ------------------
# A wearable sensor guesses what its owner does. Its scores are noisy: at 14 h it even prefers *play*, in the middle
# of work. The transitions know that people go on with what they do, and that a meal comes between work and the rest.

import matplotlib.pyplot as plt
import torch

from algonets.dp import LinearChain

LABELS = ["sleep", "eat", "work", "play"]
HOURS = [f"{hour} h" for hour in range(9, 19)]
SHORT = [str(hour) for hour in range(9, 19)]
COLOURS = ["#4c6fbf", "#d9902f", "#3d9970", "#b8456b"]
plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})

truth = torch.tensor([0, 0, 0, 1, 2, 2, 2, 1, 3, 3])
noise = torch.randn(10, 4, generator=torch.Generator().manual_seed(1))
unary = 1.6 * torch.eye(4)[truth] + 0.8 * noise
unary[5] = torch.tensor([-0.6, 0.1, 0.9, 1.5])
transition = torch.tensor(
    [
        [1.5, 0.5, -1.5, -1.0],
        [-1.0, -0.5, 1.0, 1.0],
        [-1.5, 0.8, 1.5, -1.5],
        [0.0, 0.5, -1.5, 1.5],
    ]
)
chain = LinearChain(unary, transition)
print(chain)
print(f"{chain.count().item():,.0f} sequences, best score {chain.max().item():.2f}")


def heatmap(axes, values, title, columns=HOURS, cmap="magma", **limits):
    """Draw labels downwards and steps to the right, with the numbers in the cells."""
    image = axes.imshow(values.T, cmap=cmap, aspect="auto", **limits)
    axes.set(title=title, xticks=range(len(columns)), yticks=range(4))
    axes.set_xticklabels(columns, fontsize=9)
    axes.set_yticklabels(LABELS)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return image


def numbers(axes, values, dark, form="{:.1f}"):
    """Write the numbers into the cells of a heatmap, white where it is dark."""
    for step, row in enumerate(values):
        for label, value in enumerate(row):
            colour = "white" if dark(value) else "black"
            axes.text(step, label, form.format(value), ha="center", va="center", fontsize=8.5, color=colour)


figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.9), width_ratios=(2.4, 1), layout="constrained")
heatmap(left, unary, "unary scores: what the sensor says", cmap="RdBu_r", vmin=-3, vmax=3)
numbers(left, unary, lambda v: abs(v) > 2)
heatmap(right, transition.T, "transition, row to column", LABELS, cmap="RdBu_r", vmin=-3, vmax=3)
numbers(right, transition.T, lambda v: abs(v) > 2)
plt.show()

# sphinx_gallery_thumbnail_number = 2

# %%
# Pool: the best sequence
# -----------------------
# Viterbi's algorithm finds :math:`y^* = \arg\max_y s(y)`. The dotted line takes the best label of each hour alone and
# falls for the sensor's mistake at 14 h; the chain does not. Discs are larger where the sensor is surer, grey lines
# are darker where the transition is favoured.


def trellis(axes, title):
    """Draw all labels of all steps, with the sensor's scores as sizes, and what the transitions favour."""
    for step in range(9):
        for i, j in torch.cartesian_prod(torch.arange(4), torch.arange(4)).tolist():
            strength = float(torch.sigmoid(2 * transition[i, j] - 1))
            style = {"lw": 1.4 * strength, "alpha": 0.15 + 0.5 * strength, "zorder": 1}
            axes.plot([step, step + 1], [i, j], color="#9aa0a6", **style)
    for label in range(4):
        size = 30 + 300 * unary.softmax(1)[:, label]
        axes.scatter(range(10), [label] * 10, s=size, color=COLOURS[label], zorder=3, edgecolor="white")
    axes.set(title=title, xticks=range(10), yticks=range(4), ylim=(3.5, -0.5))
    axes.set_xticklabels(HOURS)
    axes.set_yticklabels(LABELS)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


figure, axes = plt.subplots(figsize=(10, 3.6), layout="constrained")
trellis(axes, "the trellis: $4^{10}$ paths, one of them best")
axes.plot(range(10), unary.argmax(1), color="#5f6368", lw=2.5, ls=":", zorder=2, label="each hour alone")
axes.plot(range(10), chain.argmax(), color="black", lw=3.5, zorder=2, label="best sequence (Viterbi)")
axes.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False)
plt.show()

# %%
# Analytic: all sequences at once
# -------------------------------
# With a temperature :math:`\tau` every sequence has the probability :math:`p(y) \propto e^{s(y) / \tau}`. The
# forward-backward algorithm sums over all of them, and gives the probability of each label at each step. A low
# temperature tends to the best sequence, a high one to "anything goes".

temperatures = (0.05, 1.0, 2.0, 8.0)
figure, grid = plt.subplots(2, 2, figsize=(10, 4.6), sharex=True, sharey=True, layout="constrained")
for axes, temperature in zip(grid.flat, temperatures, strict=True):
    nodes, _ = chain.marginals(temperature)
    image = heatmap(axes, nodes, rf"marginals, $\tau$ = {temperature:g}", vmin=0, vmax=1)
figure.colorbar(image, ax=grid, label="probability", shrink=0.7)
plt.show()

# %%
# Two gradients
# -------------
# The gradient of ``max`` with respect to the unary scores is the 0/1 indicator of the best sequence (Danskin): sparse,
# and it jumps when another sequence takes the lead. The gradient of ``log_partition`` is the table of marginals:
# dense and smooth. In both pictures each hour sums to one.

scores = unary.clone().requires_grad_()
(pool,) = torch.autograd.grad(LinearChain(scores, transition).max(), scores)
(analytic,) = torch.autograd.grad(LinearChain(scores, transition).log_partition(), scores)
print("pool gradient = best sequence:", torch.equal(pool.argmax(1), chain.argmax()))
print("analytic gradient = marginals:", torch.allclose(analytic, chain.marginals()[0], atol=1e-5))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.6), sharey=True, layout="constrained")
heatmap(left, pool, "pool: gradient of max()", vmin=0, vmax=1)
heatmap(right, analytic, "analytic: gradient of log_partition()", vmin=0, vmax=1)
for axes, values in ((left, pool), (right, analytic)):
    numbers(axes, values, lambda v: v < 0.6, "{:.2f}")
plt.show()

# %%
# What it means for learning: raise the score of *play* at 14 h, and watch the value and its derivative. The pooled
# value has a kink, where the best sequence changes; the smooth ones round it off, the more so the warmer.

push = torch.linspace(-2, 9, 221)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
for temperature, colour in ((0, "black"), (0.5, COLOURS[0]), (1.0, COLOURS[2]), (2.0, COLOURS[3])):
    scores = unary.expand(len(push), -1, -1).clone()
    scores[:, 5, 3] = push
    scores.requires_grad_()
    moved = LinearChain(scores, transition)
    value = moved.log_partition(temperature) if temperature else moved.max()
    (slope,) = torch.autograd.grad(value.sum(), scores)
    name = rf"log_partition, $\tau$ = {temperature:g}" if temperature else "max"
    left.plot(push, value.detach(), color=colour, lw=2.5, label=name)
    right.plot(push, slope[:, 5, 3], color=colour, lw=2.5)
left.set(title="value", xlabel="score of play at 14 h")
right.set(title="its derivative: P(play at 14 h)", xlabel="score of play at 14 h", ylim=(-0.05, 1.05))
left.legend(frameon=False)
plt.show()

# %%
# Unroll: iterations as layers
# ----------------------------
# ``messages(k)`` sends k rounds of messages between neighbours, and its gradient goes back through every round. After
# k rounds a step has heard from k neighbours on each side. After :math:`T - 1` rounds everybody has heard from
# everybody: the beliefs are the marginals, to rounding. ``mean_field`` settles on something else, an approximation.

exact = chain.marginals()[0]
figure, grid = plt.subplots(1, 4, figsize=(10, 2.5), sharey=True, layout="constrained")
for axes, iterations in zip(grid, (0, 1, 3, 9), strict=True):
    heatmap(axes, chain.messages(iterations), f"messages({iterations})", SHORT, vmin=0, vmax=1)
plt.show()

wide = LinearChain(unary.double(), transition.double())
rounds = range(10)
error = [float((wide.messages(k) - wide.marginals()[0]).abs().max()) for k in rounds]
field = [float((wide.mean_field(k) - wide.marginals()[0]).abs().max()) for k in rounds]
figure, axes = plt.subplots(figsize=(10, 3.2), layout="constrained")
axes.semilogy(rounds, error, "o-", color=COLOURS[2], lw=2.5, label="messages(k): exact after T - 1 = 9")
axes.semilogy(rounds, field, "s--", color=COLOURS[1], lw=2.5, label="mean_field(k): another fixed point")
axes.set(xlabel="iterations k", ylabel="largest error of a belief", xticks=rounds)
axes.legend(frameon=False)
plt.show()

# %%
# The k best, and samples
# -----------------------
# ``topk`` lists the best sequences in order; ``sample`` draws exactly from :math:`p(y)`, without a Markov chain to
# wait for. Their frequencies agree with the probabilities.

best_scores, best = chain.topk(8)
probabilities = (best_scores - chain.log_partition()).exp()
draws = chain.sample(4000, generator=torch.Generator().manual_seed(0))
frequency = (draws[:, None] == best).all(-1).float().mean(0)

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=(1.6, 1), layout="constrained")
trellis(left, "forty samples")
jitter = 0.12 * torch.randn(40, 1, generator=torch.Generator().manual_seed(2))
for path, shift in zip(draws[:40], jitter, strict=True):
    left.plot(range(10), path + shift, color="black", lw=1.2, alpha=0.28, zorder=2)
left.set_xticks(range(10), SHORT)
spelled = ["".join(LABELS[k][0] for k in path) for path in best]
place = torch.arange(8)
right.barh(place - 0.2, probabilities, 0.4, color=COLOURS[0], label="probability")
right.barh(place + 0.2, frequency, 0.4, color=COLOURS[1], label="frequency in 4000 samples")
right.set_yticks(place, spelled, family="monospace")
right.set(title="the eight best sequences", ylim=(7.6, -0.6))
right.legend(frameon=False, loc="lower right")
plt.show()

# %%
# Where to go on: :doc:`/choose` says which way suits which supervision, :doc:`/concepts` has the mathematics, and
# :mod:`algonets.losses` turns a chain and the right labels into a loss.
