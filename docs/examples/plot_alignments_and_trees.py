"""
Hidden states, alignments and trees
===================================

More dynamic programs of :mod:`algonets.dp`, one small input each. Dark is the probability of a part (its marginal, the
gradient of ``log_partition``); blue is the best structure (the gradient of ``max``).
"""

# %%
# Hidden states: first and second order
# -------------------------------------
# A lattice of states: every path from left to right is a structure. A hidden Markov model has sticky states that emit
# one of three symbols. A second-order chain scores three labels in a row: here "never the same label in three
# successive places".

import matplotlib.pyplot as plt
import torch

from algonets.dp import (
    CKY,
    HMM,
    PCFG,
    EditDistance,
    NeedlemanWunsch,
    SecondOrderChain,
    SmithWaterman,
    SpanningTreeDependency,
)

plt.rcParams.update({"font.size": 10, "figure.dpi": 110})


def trellis(axes, posterior, best, title):
    """Draw all states by their probability, and the best path."""
    steps, states = posterior.shape
    for t in range(steps - 1):
        for i in range(states):
            for j in range(states):
                chosen = best[t] == i and best[t + 1] == j
                axes.plot(
                    (t, t + 1), (i, j), color="tab:blue" if chosen else "0.9", lw=2.5 if chosen else 1, zorder=chosen
                )
    t, s = torch.meshgrid(torch.arange(steps), torch.arange(states), indexing="ij")
    axes.scatter(t, s, c=posterior, cmap="Greys", vmin=0, vmax=1, s=150, edgecolors="black", zorder=3)
    axes.set(title=title, yticks=range(states), ylabel="state", ylim=(-0.5, states - 0.5))


seen = torch.tensor([0, 0, 1, 0, 2, 2, 1, 2, 2, 0, 1, 0])
sticky = torch.tensor([[0.9, 0.1], [0.1, 0.9]]).log()
symbols = torch.tensor([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]]).log()
model = HMM(torch.tensor([0.5, 0.5]).log(), sticky, symbols, seen)
figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 4.4), layout="constrained")
trellis(top, model.posterior(), model.states(), "HMM: the probability of each state, and the best path")
top.set(xticks=range(12), xticklabels=seen.tolist(), xlabel="observed symbol")
unary = torch.randn(12, 3, generator=torch.Generator().manual_seed(1))
unary[:, 1] += 1.2
never = torch.zeros(3, 3, 3)
never[range(3), range(3), range(3)] = -torch.inf
chain = SecondOrderChain(unary, never)
trellis(bottom, chain.marginals()[0], chain.labels(), "second-order chain: no label three times in a row")
bottom.set(xticks=range(12), xlabel="step")
plt.show()

# %%
# Alignments of two strings
# -------------------------
# The lattice is a grid; a path goes from the upper left to the lower right corner, diagonally where two symbols are put
# together. Edit distance counts what it costs, Needleman and Wunsch score whole alignments with affine gaps, Smith and
# Waterman the best stretch of both.

first, second = "GATTACAGGT", "CATACAGT"
codes = [torch.tensor([ord(c) for c in word]) for word in (first, second)]
match = torch.where(codes[0][:, None] == codes[1], 2.0, -1.0)
programs = {
    "edit distance": EditDistance.from_sequences(*codes),
    "Needleman-Wunsch": NeedlemanWunsch(match, gap_open=-2.0, gap_extend=-0.5),
    "Smith-Waterman": SmithWaterman(match, gap_open=-2.0, gap_extend=-0.5),
}
figure, panels = plt.subplots(1, 3, figsize=(10, 4), layout="constrained")
for axes, (title, program) in zip(panels, programs.items(), strict=True):
    axes.imshow(program.marginals()[0], cmap="Greys", vmin=0, vmax=1)
    rows, columns = program.argmax()[0].nonzero().T
    axes.scatter(columns, rows, marker="s", s=90, facecolors="none", edgecolors="tab:blue", linewidths=2)
    axes.set(xticks=range(len(second)), xticklabels=list(second), yticks=range(len(first)), yticklabels=list(first))
    axes.set_title(f"{title}: {abs(program.max().item()):g}")
plt.show()

# %%
# Trees over phrases
# ------------------
# CKY fills a chart with a cell for every span of words. In a grammar (PCFG) the chart is hidden behind the rules: what
# it tells is which kind each word is, and how often each rule is expected.

words = ["she", "saw", "the", "man", "with", "the", "glass"]
scores = torch.randn(7, 7, 1, generator=torch.Generator().manual_seed(2)) * 0.5
for begin, end, gain in ((2, 3, 2.0), (5, 6, 2.0), (4, 6, 2.0), (1, 6, 1.5), (1, 3, 0.7), (2, 6, 0.4)):
    scores[begin, end] += gain
tree = CKY(scores)
terms = torch.full((7, 4), -4.0)
for place, kind in enumerate((2, 3, 0, 1, 3, 0, 1)):
    terms[place, kind] = 0.0
terms[1, 1] = terms[3, 3] = -1.0  # "saw" may be a noun, "man" a verb
names = ["S", "NP", "VP", "PP", "D", "N", "Pro", "V/P"]
rules = torch.full((4, 8, 8), -torch.inf)
table = [(0, 1, 2, 0), (0, 6, 2, 0), (1, 4, 5, 0), (1, 1, 3, -1), (2, 7, 1, 0), (2, 2, 3, -0.7), (3, 7, 1, 0)]
for parent, left, right, score in table:
    rules[parent, left, right] = score
grammar = PCFG(terms, rules, torch.tensor([0.0, -torch.inf, -torch.inf, -torch.inf]))
kinds, used, _ = grammar.marginals()
figure, (chart, tags, counts) = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
probability = tree.marginals()[..., 0]
for i in range(7):
    for j in range(i, 7):
        chart.text((i + j) / 2, j - i, f"{probability[i, j]:.1f}", ha="center", va="center", fontsize=7, zorder=4)
        face = str(1 - 0.6 * float(probability[i, j]))
        chart.scatter((i + j) / 2, j - i, s=330, marker="D", color=face, edgecolors="none")
for i, j, _ in tree.spans()[0]:
    chart.scatter((i + j) / 2, j - i, s=330, marker="D", facecolors="none", edgecolors="tab:blue", linewidths=2)
chart.set(title="CKY: spans", xticks=range(7), xticklabels=words, yticks=[], xlim=(-0.7, 6.7), ylim=(-0.7, 6.7))
chart.tick_params(axis="x", rotation=60)
tags.imshow(kinds.T, cmap="Greys", vmin=0, vmax=1)
rows, columns = grammar.argmax()[0].T.nonzero().T
tags.scatter(columns, rows, marker="s", s=190, facecolors="none", edgecolors="tab:blue", linewidths=2)
tags.set(title="PCFG: kinds of words", xticks=range(7), xticklabels=words, yticks=range(4), yticklabels=names[4:])
tags.tick_params(axis="x", rotation=60)
labels = [f"{names[a]} → {names[b]} {names[c]}" for a, b, c, _ in table]
best = grammar.argmax()[1]
heights = [float(used[a, b, c]) for a, b, c, _ in table]
counts.barh(labels, heights, color="0.6", label="expected")
counts.plot([float(best[a, b, c]) for a, b, c, _ in table], labels, "o", color="tab:blue", label="in the best tree")
counts.set_title("PCFG: rules used")
counts.legend(frameon=False, fontsize=8)
counts.invert_yaxis()
plt.show()

# %%
# Spanning trees: arcs may cross
# ------------------------------
# The best tree that does not need to be projective is an arborescence, found by contracting cycles; the sum over all
# is a determinant (matrix-tree theorem).

sentence = ["a", "hearing", "is", "scheduled", "on", "the", "issue", "today"]
arcs = torch.randn(8, 8, generator=torch.Generator().manual_seed(4)) * 0.8
for head, child in ((1, 0), (2, 1), (2, 2), (2, 3), (1, 4), (6, 5), (4, 6), (3, 7)):
    arcs[head, child] += 3.0
crossing = SpanningTreeDependency(arcs)
probability, heads = crossing.marginals(), crossing.heads().tolist()
figure, axes = plt.subplots(figsize=(10, 3.4), layout="constrained")
half = torch.linspace(0, torch.pi, 60)
for head in range(8):
    for child in range(8):
        chosen, p = heads[child] == head, float(probability[head, child])
        if head == child or (p < 0.03 and not chosen):
            continue
        centre, radius = (head + child) / 2, abs(head - child) / 2
        style = {"color": "tab:blue" if chosen else str(0.9 - 0.7 * p), "lw": 2.2 if chosen else 1.2, "zorder": chosen}
        axes.plot(centre + radius * half.cos(), (1 if head < child else 0.8) * radius * half.sin(), **style)
for place, word in enumerate(sentence):
    axes.text(place, -0.12, word, ha="center", va="top", weight="bold" if heads[place] == place else "normal")
axes.set(ylim=(-0.5, 3.7), xlim=(-0.5, 7.5), title="the root word is bold; “on the issue” belongs to “hearing”")
axes.axis("off")
plt.show()

# sphinx_gallery_thumbnail_number = 2
