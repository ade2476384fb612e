"""End-to-end memory network: read a story several times, each time with what was read before in mind."""

from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets._core.checks import check_at_least
from algonets._core.errors import reject_type, require
from algonets.memory.key_value import READS, Read, choose

__all__ = ["MemoryNetwork", "position_encoding"]

Tying = Literal["adjacent", "layer"]

_DENSE = 32
"""Up to so many words of the vocabulary for each of a sentence, counting words and one product beats looking up."""


def position_encoding(words: int, width: int) -> Tensor:
    """Weights ``(words, width)`` by which word vectors are added, so that their order counts.

    ``l_kj = (1 - j/J) - (k/d) (1 - 2 j/J)`` for word ``j`` of ``J`` and coordinate ``k`` of ``d``, both from 1.

    Args:
        words: ``J``, at least 1.
        width: ``d``, at least 1.

    Returns:
        float32 tensor.

    Raises:
        TypeError: if an argument is not an integer.
        ValueError: if one is below 1.

    Differentiability: a constant.
    Cost: O(J d).
    References: Sukhbaatar, Szlam, Weston, Fergus 2015, End-To-End Memory Networks, section 4.1.

    Example:
        >>> position_encoding(2, 2)
        tensor([[0.5000, 0.5000],
                [0.5000, 1.0000]])
    """
    j = torch.arange(1, check_at_least("position_encoding(words)", words, 1) + 1)[:, None] / words
    k = torch.arange(1, check_at_least("position_encoding(width)", width, 1) + 1) / width
    return (1 - j) - k * (1 - 2 * j)


@final
class MemoryNetwork(nn.Module):
    """End-to-end memory network (MemN2N): answers a question about a story of sentences.

    Each hop reads the memory with the state ``u``: ``p_i = softmax(u . m_i)``, ``o = sum_i p_i c_i``, and goes on with
    ``u + o`` (adjacent tying) or ``H u + o`` (layer-wise). ``m_i = sum_j l_j A x_ij + T_A(i)`` embeds sentence ``i``;
    ``c_i`` likewise by another matrix. The answer is ``W u`` of the last hop.

    Args:
        vocabulary: number of words, including 0 for padding.
        width: length of the vectors.
        hops: how often the story is read.
        memories: most sentences of a story.
        words: most words of a sentence.
        tying: ``"adjacent"``: the output embedding of a hop is the input embedding of the next, the question's is the
            first, the answer's the last. ``"layer"``: the same two for all hops, with a linear map ``H`` between.
        positions: weigh words by :func:`position_encoding`; else sentences are bags of words.
        temporal: learn a vector for how long ago a sentence was.
        read: ``"soft"``, ``"pool"`` or ``"straight_through"``, see :class:`KeyValueMemory`.

    Raises:
        TypeError: if a size is not an integer.
        ValueError: if an option is out of range.

    Differentiability: soft, any order in the weights.
    Cost: O(hops memories width) an answer, beside embedding O(memories words width).
    References: Sukhbaatar, Szlam, Weston, Fergus 2015, End-To-End Memory Networks.

    Example:
        >>> network = MemoryNetwork(vocabulary=20, width=8, hops=2, memories=10, words=6)
        >>> network(torch.ones(4, 10, 6, dtype=torch.long), torch.ones(4, 6, dtype=torch.long)).shape
        torch.Size([4, 20])
    """

    encoding: Tensor
    offset: Tensor
    slope: Tensor
    steps: Tensor

    def __init__(
        self,
        vocabulary: int,
        width: int = 20,
        hops: int = 3,
        memories: int = 50,
        words: int = 12,
        *,
        tying: Tying = "adjacent",
        positions: bool = True,
        temporal: bool = True,
        read: Read = "soft",
    ):
        super().__init__()
        sizes = {"vocabulary": vocabulary, "width": width, "hops": hops, "memories": memories, "words": words}
        for name, value in sizes.items():
            check_at_least(f"MemoryNetwork({name})", value, 2 if name == "vocabulary" else 1)
        require(tying in ("adjacent", "layer"), "MemoryNetwork(tying)", "must be adjacent or layer", tying)
        require(read in READS, "MemoryNetwork(read)", f"must be one of {', '.join(READS)}", read)
        self.sizes, self.tying, self.temporal, self.positions = sizes, tying, temporal, positions
        self.read: Read = read
        self.linear = False
        """Leave out the softmax of all reads, as at the beginning of training ("linear start")."""
        tables = hops + 1 if tying == "adjacent" else 2
        self.embeddings = nn.ModuleList(nn.Embedding(vocabulary, width, padding_idx=0) for _ in range(tables))
        self.times = nn.ParameterList(torch.zeros(memories, width) for _ in range(tables if temporal else 0))
        self.between = nn.Linear(width, width, bias=False) if tying == "layer" else None
        self.answer = nn.Linear(width, vocabulary, bias=False) if tying == "layer" else None
        encoding = position_encoding(words, width) if positions else torch.ones(words, width)
        self.register_buffer("encoding", encoding, persistent=False)
        place = torch.arange(1, words + 1) / words
        self.register_buffer("offset", 1 - place if positions else torch.ones(words), persistent=False)
        self.register_buffer("slope", 2 * place - 1, persistent=False)
        self.register_buffer("steps", torch.arange(1, width + 1) / width, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights from N(0, 0.1^2), padding at 0, as in the paper."""
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.1)
        with torch.no_grad():
            for table in self.embeddings:
                table.weight[0] = 0.0  # pyright: ignore[reportIndexIssue]

    def forward(self, stories: Tensor, questions: Tensor) -> Tensor:
        """Answer.

        Args:
            stories: int64 ``(*batch, M, words)``, at most ``memories`` sentences, the latest last; 0 is padding, and
                a sentence of zeros does not exist.
            questions: int64 ``(*batch, words)``.

        Returns:
            Scores ``(*batch, vocabulary)`` of the answers.

        Raises:
            TypeError: if an argument is not an int64 tensor.
            ValueError: if the shapes do not fit.
        """
        return self.read_story(stories, questions)[0]

    def read_story(self, stories: Tensor, questions: Tensor) -> tuple[Tensor, Tensor]:
        """Answer as :meth:`forward`, and tell what was read: weights ``(*batch, hops, M)`` of the sentences."""
        self._check(stories, questions)
        there = (stories != 0).any(-1)
        state = self._embed(questions, 1)[0]
        memory = self._embed(stories, len(self.embeddings))
        if self.temporal:  # the latest sentence has the first vector
            ago = stories.shape[-2]
            memory = [table + times[:ago].flip(0) for table, times in zip(memory, self.times, strict=True)]
        seen = []
        for hop in range(self.sizes["hops"]):
            keys, values = memory[hop : hop + 2] if self.tying == "adjacent" else memory
            scores = (keys @ state.unsqueeze(-1)).squeeze(-1)
            weights = scores * there if self.linear else choose(scores, self.read, there)
            seen.append(weights)
            carried = state if self.between is None else self.between(state)
            state = carried + (weights.unsqueeze(-2) @ values).squeeze(-2)
        last = self.answer.weight if self.answer is not None else self.embeddings[-1].weight
        return state @ last.mT, torch.stack(seen, -2)  # pyright: ignore[reportOperatorIssue]

    def _embed(self, sentences: Tensor, tables: int) -> list[Tensor]:
        """Vectors of sentences ``(*batch, words)`` by the first so many tables."""
        vectors = [self.embeddings[k].weight for k in range(tables)]
        if self.sizes["vocabulary"] > _DENSE * self.sizes["words"]:
            found = [functional.embedding(sentences, table, padding_idx=0) for table in vectors]  # pyright: ignore
            return [(table * self.encoding).sum(-2) for table in found]
        # The encoding is a(j) + k b(j): two counts of the words of each sentence, one matrix product for all tables.
        together = torch.cat(vectors, -1)  # pyright: ignore
        embedded = self._counts(sentences, self.offset) @ together
        if self.positions:
            along = self.steps.repeat(tables)
            embedded = embedded + along * (self._counts(sentences, self.slope) @ together)
        return list(embedded.chunk(tables, -1))

    def _counts(self, sentences: Tensor, weights: Tensor) -> Tensor:
        """Weighted counts of each word but padding: ``(*batch, vocabulary)``."""
        counts = self.encoding.new_zeros(*sentences.shape[:-1], self.sizes["vocabulary"])
        return counts.scatter_add(-1, sentences, torch.where(sentences != 0, weights, 0.0))

    def _check(self, stories: Tensor, questions: Tensor) -> None:
        for name, value in (("stories", stories), ("questions", questions)):
            if not isinstance(value, Tensor) or value.dtype != torch.int64:
                reject_type(f"MemoryNetwork({name})", "must be an int64 tensor of word numbers", value)
        words, memories = self.sizes["words"], self.sizes["memories"]
        fits = stories.ndim >= 2 and stories.shape[-1] == words and 1 <= stories.shape[-2] <= memories
        require(fits, "MemoryNetwork(stories)", f"must be (*batch, 1..{memories}, {words})", stories)
        fits = questions.shape == (*stories.shape[:-2], words)
        require(fits, "MemoryNetwork(questions)", f"must be {(*stories.shape[:-2], words)}", questions)

    def extra_repr(self) -> str:
        """Show what rebuilds it."""
        sizes = ", ".join(f"{name}={value}" for name, value in self.sizes.items())
        return (
            f"{sizes}, tying={self.tying!r}, positions={self.positions}, temporal={self.temporal}, read={self.read!r}"
        )
