"""Decoding of CTC outputs: the most probable targets by beam search over prefixes."""

import math
from collections.abc import Callable, Sequence

import torch

from algonets._core.checks import check_at_least, check_finite_or_minus_inf, check_floating
from algonets._core.errors import reject_type, require

__all__ = ["prefix_beam_search"]

LanguageModel = Callable[[Sequence[int], int], float]


def prefix_beam_search(
    log_probs: torch.Tensor,
    width: int = 16,
    blank: int = 0,
    language_model: LanguageModel | None = None,
) -> list[tuple[list[int], float]]:
    r"""Return the targets with the largest probability, each summed over its labellings, best first.

    .. math:: \log p(y) + \sum_k \text{lm}(y_1 \dots y_{k-1}, y_k)

    Args:
        log_probs: ``(T, S)`` log-probabilities of the labels of one sequence.
        width: How many prefixes are kept after each frame. With as many as there are the result is exact.
        blank: The label that stands for nothing.
        language_model: ``lm(prefix, label)``, the log-score of a label after the labels before it; none by default.

    Returns:
        Up to ``width`` pairs of labels and log-score.

    Raises:
        ValueError, TypeError: wrong shape or dtype, NaN or +inf, blank or width out of range.

    Differentiability: none; for gradients put a target into :class:`CTC`.

    Cost: ``O(T width S)`` steps in Python.

    References:
        A. Hannun et al., *First-Pass Large Vocabulary Continuous Speech Recognition using Bi-Directional Recurrent
        DNNs*, 2014. A. Graves, *Supervised Sequence Labelling with Recurrent Neural Networks*, 2012, section 7.5.

    Example:
        >>> log_probs = torch.log(torch.tensor([[0.6, 0.4], [0.6, 0.4]]))  # blank, "a"
        >>> [(labels, round(score, 3)) for labels, score in prefix_beam_search(log_probs)]  # not the best labelling
        [([1], -0.446), ([], -1.022)]
    """
    check_floating("prefix_beam_search(log_probs)", log_probs)
    require(log_probs.ndim == 2, "prefix_beam_search(log_probs)", "must have shape (T, S)", log_probs)
    check_finite_or_minus_inf("prefix_beam_search(log_probs)", log_probs)
    width = check_at_least("prefix_beam_search(width)", width, 1)
    symbols = log_probs.shape[1]
    require(0 <= blank < symbols, "prefix_beam_search(blank)", f"must be in 0 .. {symbols - 1}", blank)
    if language_model is not None and not callable(language_model):
        reject_type("prefix_beam_search(language_model)", "must be callable, lm(prefix, label)", language_model)
    none = -math.inf
    beam: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, none)}  # ends in a blank, in its last label
    for frame in log_probs.detach().double().tolist():
        grown: dict[tuple[int, ...], tuple[float, float]] = {}

        def add(prefix: tuple[int, ...], in_blank: float, in_label: float, grown: dict = grown) -> None:
            before = grown.get(prefix, (none, none))
            grown[prefix] = (_log_add(before[0], in_blank), _log_add(before[1], in_label))

        for prefix, (in_blank, in_label) in beam.items():
            both = _log_add(in_blank, in_label)
            add(prefix, both + frame[blank], none)
            if prefix:  # the label once more, without a blank: the same prefix
                add(prefix, none, in_label + frame[prefix[-1]])
            for label, score in enumerate(frame):
                if label == blank or score == none:
                    continue
                extra = language_model(prefix, label) if language_model is not None else 0.0
                origin = in_blank if prefix and label == prefix[-1] else both
                add((*prefix, label), none, origin + score + extra)
        ranked = sorted(grown.items(), key=lambda item: -_log_add(*item[1]))
        beam = {prefix: scores for prefix, scores in ranked[:width] if _log_add(*scores) > none}
    return [(list(prefix), _log_add(*scores)) for prefix, scores in beam.items()]


def _log_add(a: float, b: float) -> float:
    high, low = (a, b) if a > b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
