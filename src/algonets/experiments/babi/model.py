"""Readers of stories: the end-to-end memory network, and the two baselines without a memory."""

from typing import Any, Literal, NamedTuple

import lightning
import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments.babi.stories import StoryBatch, spread
from algonets.memory import MemoryNetwork

__all__ = ["MODELS", "BagOfWords", "LstmReader", "Model", "Recipe", "StoryReader"]

Model = Literal["memory", "lstm", "bag"]
MODELS: tuple[Model, ...] = ("memory", "lstm", "bag")

LARGEST_GRADIENT = 40.0


class Recipe(NamedTuple):
    """How a reader is trained.

    Attributes:
        epochs: passes over the questions, after those of the linear start.
        linear: passes at first without the softmax of the reads, at half the rate; of the memory network.
        learning_rate: of SGD on the sum over a batch (memory network), or of Adam on the mean (baselines).
        halve: epochs after which the rate of the memory network is halved, again and again.
    """

    epochs: int
    linear: int
    learning_rate: float
    halve: int


class BagOfWords(nn.Module):
    """Counts of the words of the story and of the question, and a network with one hidden layer."""

    def __init__(self, vocabulary: int, width: int):
        super().__init__()
        self.story = nn.EmbeddingBag(vocabulary, width, mode="sum", padding_idx=0)
        self.question = nn.EmbeddingBag(vocabulary, width, mode="sum", padding_idx=0)
        self.answer = nn.Sequential(nn.ReLU(), nn.Linear(width, vocabulary))
        for table in (self.story, self.question):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, stories: Tensor, questions: Tensor) -> Tensor:
        """Scores ``(B, vocabulary)`` of the answers."""
        return self.answer(self.story(stories.flatten(1)) + self.question(questions))


class LstmReader(nn.Module):
    """Reads the story word by word, then the question, and answers from the last state."""

    def __init__(self, vocabulary: int, width: int):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.answer = nn.Linear(width, vocabulary)

    def forward(self, stories: Tensor, questions: Tensor) -> Tensor:
        """Scores ``(B, vocabulary)`` of the answers."""
        words = torch.cat([stories.flatten(1), questions], -1)
        # Padding is left out: the words of each example move to the front, in their order.
        order = (words == 0).to(torch.uint8).argsort(dim=-1, stable=True)
        lengths = (words != 0).sum(-1).clamp_min(1)
        words = words.gather(-1, order)[:, : int(lengths.max())]
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embedding(words), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        _, (state, _) = self.lstm(packed)
        return self.answer(state[-1])


class StoryReader(lightning.LightningModule):
    """Answers questions about stories.

    Args:
        model: ``memory``, ``lstm`` or ``bag``.
        vocabulary: number of words, padding included.
        memories: most sentences of a story.
        words: most words of a sentence.
        width: of the vectors.
        hops: how often the memory network reads the story.
        recipe: how it is trained.
    """

    def __init__(self, model: Model, vocabulary: int, memories: int, words: int, width: int, hops: int, recipe: Recipe):
        super().__init__()
        self.save_hyperparameters()
        self.model, self.memories, self.recipe = model, memories, recipe
        if model == "memory":
            self.network: nn.Module = MemoryNetwork(vocabulary, width, hops, memories, words)
        else:
            self.network = (BagOfWords if model == "bag" else LstmReader)(vocabulary, width)
        self.final_loss = float("nan")
        """Mean loss of a question in the last epoch of training, by which the best of several starts is chosen."""
        self._sum = 0.0

    def forward(self, batch: StoryBatch) -> Tensor:
        """Scores ``(B, vocabulary)`` of the answers."""
        return self.network(batch.stories, batch.questions)

    def attention(self, batch: StoryBatch) -> Tensor:
        """What the memory network reads, ``(B, hops, memories)``."""
        if not isinstance(self.network, MemoryNetwork):
            raise TypeError(f"StoryReader.attention() needs model='memory', got {self.model!r}: others read no memory.")
        return self.network.read_story(batch.stories, batch.questions)[1]

    def on_train_epoch_start(self) -> None:
        """Begin without the softmax of the reads, if the recipe says so."""
        self._sum = 0.0
        if isinstance(self.network, MemoryNetwork):
            self.network.linear = self.current_epoch < self.recipe.linear

    def training_step(self, batch: StoryBatch, batch_index: int) -> Tensor:
        """One step of training; logs the loss."""
        stories = batch.stories
        if isinstance(self.network, MemoryNetwork):
            stories = spread(stories, self.memories)
        scores = self.network(stories, batch.questions)
        total = functional.cross_entropy(scores, batch.answers, reduction="sum")
        self._sum += float(total.detach())
        mean = total / len(batch.answers)
        self.log("loss", mean.detach(), prog_bar=True, batch_size=len(batch.answers))
        return total if self.model == "memory" else mean

    def on_train_epoch_end(self) -> None:
        """Keep the loss of the epoch."""
        data: Any = self.trainer.train_dataloader
        self.final_loss = self._sum / max(len(data.dataset), 1)
        if isinstance(self.network, MemoryNetwork):
            self.network.linear = False

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the last loss with the weights."""
        checkpoint["final_loss"] = self.final_loss

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Know the last loss again."""
        self.final_loss = checkpoint["final_loss"]

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Shorten gradients that are longer than 40, as in the paper."""
        self.clip_gradients(optimizer, LARGEST_GRADIENT, "norm")

    def configure_optimizers(self) -> Any:
        """SGD at a rate that halves (memory network), or Adam."""
        recipe = self.recipe
        if self.model != "memory":
            return torch.optim.Adam(self.parameters(), recipe.learning_rate)
        optimizer = torch.optim.SGD(self.parameters(), recipe.learning_rate)

        def rate(epoch: int) -> float:
            return 0.5 if epoch < recipe.linear else 0.5 ** ((epoch - recipe.linear) // recipe.halve)

        return [optimizer], [torch.optim.lr_scheduler.LambdaLR(optimizer, rate)]
