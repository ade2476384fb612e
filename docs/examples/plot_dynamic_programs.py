"""
Dynamic programs and their lattices
===================================

A dynamic program sums over all structures of a kind. These pictures show, for one small input each, what
:mod:`algonets.dp` computes: the best structure, and the probability of every part, which is also the gradient of
``log_partition``.
"""

# %%
# Soft-DTW: two series that run at different speeds
# -------------------------------------------------
# The expected alignment is a blurred path; towards temperature 0 it becomes the path of classical DTW. A band forbids
# what is far from the diagonal.

import matplotlib.pyplot as plt
import torch

from algonets.dp import CTC, Lattice, ProjectiveDependency, SemiMarkov, SoftDTW, soft_dtw_barycenter

plt.rcParams.update({"font.size": 10, "figure.dpi": 110})
t = torch.linspace(0, 1, 40)
x, y = torch.sin(9 * t**1.6), torch.sin(9 * t**0.7)
distances = (x[:, None] - y) ** 2
figure, grid = plt.subplots(1, 4, figsize=(10, 2.7), layout="constrained")
for axes, (temperature, band) in zip(grid, ((1.0, None), (0.1, None), (0.0, None), (0.1, 8)), strict=True):
    program = SoftDTW(distances, temperature, band=band)
    axes.imshow(program.alignment(), cmap="magma", vmin=0, vmax=1, origin="lower")
    band_text = "" if band is None else f", band {band}"
    axes.set(title=rf"$\tau$ = {temperature:g}{band_text}: {program.value():.2f}", xticks=[], yticks=[])
plt.show()

# %%
# The average of series under soft-DTW keeps a peak that the pointwise mean blurs.

series = torch.stack([torch.exp(-((40 * t - c) ** 2) / 6) for c in (12.0, 19.0, 27.0)]).unsqueeze(2)
figure, axes = plt.subplots(figsize=(10, 2.4), layout="constrained")
axes.plot(t, series[..., 0].T, color="0.75")
axes.plot(t, series.mean(0), color="tab:orange", lw=2.5, label="mean")
axes.plot(t, soft_dtw_barycenter(series, 0.01), color="tab:blue", lw=2.5, label="barycenter")
axes.legend(frameon=False)
plt.show()

# %%
# CTC: which frame says which symbol
# ----------------------------------
# Frames know the letters, but nobody said when. The program sums over all ways to spell "cab".

labels = "-abc"
truth = torch.tensor([0, 3, 3, 0, 0, 1, 1, 1, 0, 2, 2, 0])
noise = torch.randn(12, 4, generator=torch.Generator().manual_seed(3))
log_probs = (2.0 * torch.eye(4)[truth] + noise).log_softmax(1)
spelled = CTC(log_probs, torch.tensor([3, 1, 2]))
figure, panels = plt.subplots(1, 3, figsize=(10, 2.2), sharey=True, layout="constrained")
pictures = (
    ("what the frames say", log_probs.exp()),
    ("given that they spell “cab”", spelled.marginals()),
    ("best labelling", spelled.argmax()),
)
for axes, (title, values) in zip(panels, pictures, strict=True):
    axes.imshow(values.T, cmap="magma", vmin=0, vmax=1, aspect="auto")
    axes.set(title=title, xlabel="frame", yticks=range(4), yticklabels=list(labels))
plt.show()

# %%
# Semi-Markov: segments with labels
# ---------------------------------
# Segments of one to five steps, each scored as a whole: here by how even the signal is inside. The probability that a
# segment *begins* at a step follows from the marginals.

signal = torch.tensor([0.1, 0.0, 0.2, 1.1, 0.9, 1.0, 1.0, 0.4, 0.5, 0.6, 0.0, 0.1])
levels = torch.tensor([0.0, 0.5, 1.0])
segment = torch.full((12, 5, 3), -torch.inf)
for begin in range(12):
    for size in range(1, min(5, 12 - begin) + 1):
        error = (signal[begin : begin + size, None] - levels) ** 2
        segment[begin, size - 1] = 1.5 * size - 15 * error.sum(0) - 2.5
program = SemiMarkov(segment, torch.zeros(3, 3).fill_diagonal_(-torch.inf))
marginals = program.marginals()[0]
figure, (top, bottom) = plt.subplots(2, 1, figsize=(10, 3.2), sharex=True, layout="constrained")
top.plot(signal, "o", color="black")
for begin, end, label in program.segments()[0]:
    top.hlines(levels[label], begin - 0.4, end - 0.6, color="tab:blue", lw=3)
top.set(title="signal, and the best segmentation", yticks=levels.tolist())
bottom.bar(range(12), marginals.sum((1, 2)), color="tab:orange")
bottom.set(title="probability that a segment begins", xlabel="step", xticks=range(12), ylim=(0, 1.05))
plt.show()

# %%
# Dependency trees
# ----------------
# Arcs from heads to words, the darker the more probable; the best tree in blue.

words = ["the", "old", "dog", "chased", "a", "cat"]
arcs = torch.randn(6, 6, generator=torch.Generator().manual_seed(0)) * 0.7
for head, child in ((2, 0), (2, 1), (3, 2), (3, 3), (5, 4), (3, 5)):
    arcs[head, child] += 1.8
trees = ProjectiveDependency(arcs)
probability, best = trees.marginals(), trees.heads().tolist()
figure, axes = plt.subplots(figsize=(10, 3.2), layout="constrained")
half = torch.linspace(0, torch.pi, 60)
for head in range(6):
    for child in range(6):
        chosen, p = best[child] == head, float(probability[head, child])
        if head == child or (p < 0.02 and not chosen):
            continue
        centre, radius = (head + child) / 2, abs(head - child) / 2
        colour = "tab:blue" if chosen else str(0.9 - 0.7 * p)
        height = radius if head < child else 0.8 * radius
        style = {"color": colour, "lw": 2.2 if chosen else 1.2, "zorder": 2 if chosen else 1}
        axes.plot(centre + radius * half.cos(), height * half.sin(), **style)
for place, word in enumerate(words):
    axes.text(place, -0.12, word, ha="center", va="top", weight="bold" if best[place] == place else "normal")
axes.set(ylim=(-0.5, 2.7), xlim=(-0.5, 5.5), title="the root word is bold")
axes.axis("off")
plt.show()

# %%
# A lattice and a lexicon
# -----------------------
# Three stretches of ink, each of which may be one letter or part of the next. Intersecting the lattice with a lexicon
# leaves the paths that spell words, and gradients flow through the intersection.

pieces = [(0, 1, "c", 1.0), (0, 1, "e", 0.8), (1, 2, "l", 1.2), (1, 2, "i", 0.9), (0, 2, "d", 1.9), (2, 3, "o", 1.5)]
pieces += [(2, 3, "a", 1.4), (3, 4, "g", 1.0), (3, 4, "t", 0.7)]
source, target, letters, weight = zip(*pieces, strict=True)
codes = [ord(letter) for letter in letters]
lattice = Lattice(list(source), list(target), torch.tensor(weight), 5, [0], [4], labels=codes)
lexicon = Lattice.from_lexicon([[ord(c) for c in word] for word in ("clog", "dot", "eiga", "dag", "clot")])


def draw(axes, graph, places, title):
    """Draw arcs as curves, the best path in blue."""
    best_path, marginal, table = graph.viterbi()[1][0], graph.marginals(), graph.arcs
    seen = {}
    for arc, (_, begin, end, _, out) in enumerate(table.tolist()):
        rank = seen.setdefault((begin, end), 0)
        seen[begin, end] += 1
        bend = 0.35 * (rank + 1) * (1 if (rank % 2 == 0) else -0.8) * max(1, abs(places[end][0] - places[begin][0]))
        s = torch.linspace(0, 1, 40)
        xs = places[begin][0] + (places[end][0] - places[begin][0]) * s
        ys = places[begin][1] + (places[end][1] - places[begin][1]) * s + 4 * bend * s * (1 - s)
        colour = "tab:blue" if arc in best_path else str(0.75 - 0.6 * float(marginal[arc]))
        axes.plot(xs, ys, color=colour, lw=2.2 if arc in best_path else 1.3)
        above = bend > 0
        place = {"ha": "center", "va": "bottom" if above else "top"}
        axes.text(xs[20], ys[20] + (0.05 if above else -0.05), f"{chr(out)} {marginal[arc]:.2f}", color=colour, **place)
    for place in places:
        axes.plot(*place, "o", color="black", zorder=3)
    axes.set_title(title)
    axes.margins(0.06, 0.25)
    axes.axis("off")


figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
read = "".join(map(chr, lattice.paths()[0]))
draw(left, lattice, [(k, 0.0) for k in range(5)], f"all readings; the best is “{read}”")
both = lattice.intersect(lexicon)
depth = [0] * max(both.arcs[:, 1:3].max().item() + 1, 1)
for _, begin, end, _, _ in both.arcs.tolist():
    depth[end] = max(depth[end], depth[begin] + 1)
rows = {}
places = []
for level in depth:
    places.append((float(level), 1.1 * rows.get(level, 0)))
    rows[level] = rows.get(level, 0) + 1
draw(right, both, places, f"within the lexicon: “{''.join(map(chr, both.paths()[0]))}”")
plt.show()

# sphinx_gallery_thumbnail_number = 1
