"""Oracle: everything a linear chain can be asked, by listing all label sequences of one example."""

import itertools
import math

import torch


class Enumeration:
    """All label sequences of one (unbatched) chain with their scores, in float64 and with autograd."""

    def __init__(self, unary, transition, start=None, end=None, length=None):
        steps, states = unary.shape
        length = steps if length is None else int(length)
        self.length, self.steps, self.states = length, steps, states
        self.sequences = list(itertools.product(range(states), repeat=length))
        scores = []
        for y in self.sequences:
            score = sum(unary[t, y[t]] for t in range(length))
            for t in range(length - 1):
                score = score + (transition[t] if transition.ndim == 3 else transition)[y[t], y[t + 1]]
            if start is not None:
                score = score + start[y[0]]
            if end is not None:
                score = score + end[y[-1]]
            scores.append(score)
        self.scores = torch.stack(scores)
        self.allowed = self.scores.detach() > -math.inf

    def log_partition(self):
        return (
            torch.logsumexp(self.scores[self.allowed], 0) if self.allowed.any() else self.scores.new_tensor(-math.inf)
        )

    def probabilities(self):
        p = torch.zeros_like(self.scores)
        p[self.allowed] = torch.softmax(self.scores[self.allowed], 0)
        return p

    def max(self):
        return self.scores.max()

    def kbest(self, k):
        best = torch.full((k,), -math.inf, dtype=self.scores.dtype)
        top = self.scores[self.allowed].sort(descending=True).values[:k]
        best[: len(top)] = top
        return best

    def entropy(self):
        p = self.probabilities()[self.allowed]
        return -(p * p.log()).sum() if self.allowed.any() else p.sum()

    def unary_marginals(self):
        p, result = self.probabilities(), []
        for t in range(self.steps):
            row = [sum((p[n] for n, y in enumerate(self.sequences) if t < self.length and y[t] == s), p.new_zeros(()))
                   for s in range(self.states)]  # fmt: skip
            result.append(torch.stack(row))
        return torch.stack(result)

    def pairwise_marginals(self):
        p = self.probabilities()
        result = p.new_zeros(self.steps - 1, self.states, self.states)
        for n, y in enumerate(self.sequences):
            for t in range(self.length - 1):
                result[t, y[t], y[t + 1]] += p[n]
        return result
