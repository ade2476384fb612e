"""The picture of what a chain does for one word."""

from collections.abc import Mapping
from pathlib import Path

import numpy
import torch

from algonets.data import AbstractWordDataset
from algonets.experiments.words.evaluate import Reading
from algonets.experiments.words.model import WordReader

__all__ = ["save_report", "save_strip"]

INK, GOOD, BAD = "#1f3b73", "#1b7837", "#c0392b"


def save_report(
    path: Path, test: AbstractWordDataset, readers: Mapping[str, WordReader], readings: Mapping[str, Reading]
) -> int:
    """Draw a word that the chain reads and single letters do not; returns its index in ``test``."""
    import matplotlib.figure

    way = next((name for name in ("analytic", *readers) if name in readers and name != "independent"), "independent")
    reader, reading = readers[way], readings[way]
    scorer_alone = _letters_alone(reader, test)
    alone = readings["independent"].words if "independent" in readings else scorer_alone
    index = _telling_word(test.words, reading.words, alone, scorer_alone)
    images = test[index].images
    with torch.inference_mode():
        chain = reader.chain(images.unsqueeze(0), torch.tensor([len(images)]))
        scores = chain.unary[0].log_softmax(-1)
        beliefs = chain.marginals()[0][0]
        best = chain.argmax()[0]
        probability = chain.log_prob(chain.argmax())[0].exp().item()
    truth, word = test.words[index], reading.words[index]

    figure = matplotlib.figure.Figure(figsize=(max(1.15 * len(truth), 8), 13), layout="constrained", dpi=110)
    axes = figure.subplots(4, 1, height_ratios=[1.1, 4, 5, 4])
    figure.suptitle(
        f"Without a chain a network reads “{alone[index]}”, with it ({way}) “{word}” "
        f"(probability {probability:.2f}); the word is “{truth}”",
        fontsize=12,
        wrap=True,
    )
    axes[0].set(xlim=(-0.5, len(truth) - 0.5), ylim=(-0.45, 0.95))
    axes[0].axis("off")
    _draw_grid(
        figure,
        axes[1],
        scores.exp(),
        reader.alphabet,
        "What the chain's own network says of each letter (softmax of its scores)",
    )
    _draw_trellis(axes[2], scores.exp(), best, reader.alphabet)
    _draw_grid(figure, axes[3], beliefs, reader.alphabet, "What the chain makes of it (marginal probabilities)")
    for axis in (axes[1], axes[3]):
        axis.plot(range(len(best)), best.tolist(), "o", mfc="none", mec=GOOD, ms=11, mew=1.6)
    figure.draw_without_rendering()  # settles the layout, which gives the letters their size
    _draw_letters(axes[0], images, truth, alone[index])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return index


def save_strip(path: Path, images: torch.Tensor) -> None:
    """Save the letters ``(T, 1, H, W)`` of a word side by side, dark on light, as ``algonets read`` takes them."""
    from PIL import Image

    strip = torch.cat(list(images[:, 0]), 1)
    Image.fromarray((255 * (1 - strip)).round().to(torch.uint8).numpy()).save(path)


def _letters_alone(reader: WordReader, test: AbstractWordDataset) -> list[str]:
    """Read with the best label of each unary score, as if there were no chain."""
    words = []
    with torch.inference_mode():
        for i in range(len(test)):
            scores = reader.scorer(test[i].images)
            words.append(reader.spell(scores.argmax(-1)))
    return words


def _telling_word(truths: list[str], chained: list[str], alone: list[str], scorer_alone: list[str]) -> int:
    """Choose a right word of which letters alone got most wrong, at most half, the chain's own scorer included."""

    def wrong(words: list[str], i: int) -> int:
        return sum(a != b for a, b in zip(words[i], truths[i], strict=True))

    def gain(i: int) -> int:
        errors = wrong(alone, i), wrong(scorer_alone, i)
        return min(errors) if chained[i] == truths[i] and 2 * max(errors) <= len(truths[i]) else -1

    return max(range(len(truths)), key=lambda i: (gain(i), len(truths[i])))


def _draw_letters(axis, images: torch.Tensor, truth: str, alone: str) -> None:
    """Draw each letter above its column, square pixels."""
    box = axis.get_window_extent()
    tall, broad = 0.9 * box.height / 1.4, 0.9 * box.width / len(truth)
    rows, columns = images.shape[-2:]
    pixel = min(tall / rows, broad / columns)
    half, height = 0.5 * columns * pixel / box.width * len(truth), rows * pixel / box.height * 1.4
    for t, image in enumerate(images[:, 0]):
        axis.imshow(image.numpy(), cmap="Greys", extent=(t - half, t + half, 0, height), aspect="auto", vmin=0, vmax=1)
        color = GOOD if alone[t] == truth[t] else BAD
        axis.text(t, -0.1, f"{truth[t]} → {alone[t]}" if color == BAD else truth[t], color=color, ha="center", va="top")
    axis.set(xlim=(-0.5, len(truth) - 0.5), ylim=(-0.45, 0.95))


def _draw_grid(figure, axis, values: torch.Tensor, alphabet: str, title: str) -> None:
    picture = axis.imshow(values.T.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto", origin="upper")
    axis.set_yticks(range(len(alphabet)), list(alphabet), fontsize=7)
    axis.set_xticks(range(len(values)), [str(t + 1) for t in range(len(values))])
    axis.set_title(title, fontsize=10, loc="left")
    figure.colorbar(picture, ax=axis, pad=0.01, fraction=0.03)


def _draw_trellis(axis, probabilities: torch.Tensor, best: torch.Tensor, alphabet: str, kept: int = 5) -> None:
    """Draw the likeliest letters of each position, the edges between them, and two paths through them."""
    steps = len(probabilities)
    greedy = probabilities.argmax(-1)
    shown = [sorted({*p.topk(kept).indices.tolist(), int(b)}) for p, b in zip(probabilities, best, strict=True)]
    for t in range(steps - 1):
        ends = [(i, j) for i in shown[t] for j in shown[t + 1]]
        axis.plot([[t] * len(ends), [t + 1] * len(ends)], numpy.array(ends).T, color="0.88", lw=0.6, zorder=1)
    axis.plot(range(steps), greedy.tolist(), "--", color=BAD, lw=1.8, zorder=2, label="best score of each letter")
    axis.plot(range(steps), best.tolist(), "-", color=GOOD, lw=2.6, zorder=3, label="best path (Viterbi)")
    for t in range(steps):
        sizes = (70 + 380 * probabilities[t, shown[t]].sqrt()).numpy()
        axis.scatter([t] * len(shown[t]), shown[t], s=sizes, color="white", edgecolor=INK, zorder=4)
        for k in shown[t]:
            axis.text(t, k, alphabet[k], ha="center", va="center", fontsize=8, color=INK, zorder=5)
    axis.set(xlim=(-0.5, steps - 0.5), ylim=(len(alphabet) - 0.2, -0.8), yticks=[])
    axis.set_xticks(range(steps), [str(t + 1) for t in range(steps)])
    axis.set_title("The likeliest letters as a trellis", fontsize=10, loc="left")
    axis.legend(loc="lower right", bbox_to_anchor=(1.0, 0.99), ncols=2, fontsize=8, frameon=False, borderaxespad=0.2)
