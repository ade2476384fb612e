"""What Newton losses are tried on: orders, shortest paths, edit distances; one training loop for all."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from algonets import distributions, sort
from algonets.data import Digits, NumberSets
from algonets.dp import EditDistance
from algonets.experiments.sort_digits.evaluate import ordering
from algonets.gradients import Perturbed
from algonets.graph import GridPath
from algonets.losses import PermutationCrossEntropy
from algonets.nets import MLP
from algonets.training import NewtonLoss

__all__ = ["METHODS", "MODES", "EditTask", "Outcome", "PathTask", "SortTask", "VectorTask", "train"]

MODES = ("base", "hessian", "fisher")
METHODS: dict[str, Callable[[], sort.SortMethod]] = {
    "NeuralSort": lambda: sort.NeuralSort(0.3),
    "SoftSort": lambda: sort.SoftSort(0.1),
    "logistic network": lambda: sort.OddEven(distributions.Logistic(0.3)),
    "Cauchy network": lambda: sort.OddEven(distributions.Cauchy(0.1)),
}
"""At the scales of ``algonets train sort-digits``."""

_HELD_OUT = 1437 - 300


class Outcome(NamedTuple):
    """Percent of all right answers: whole (sets in order, paths of least cost), and element by element."""

    exact: float
    parts: float


class SortTask:
    """Numbers of small digits, sets of ``n``, of which the order is known.

    Outputs are multiplied by ``factor``: a badly scaled start.
    """

    def __init__(self, method: str, n: int, factor: float = 1.0, digits: int = 4, width: int = 64):
        self.method, self.n, self.factor, self.width = METHODS[method](), n, factor, width
        self.digits = digits
        self._drawn: dict[tuple[str, int], NumberSets] = {}
        train, test = Digits(True), Digits(False)
        self._sets = {
            "train": (train.images[:_HELD_OUT], train.labels[:_HELD_OUT], 3000),
            "validation": (train.images[_HELD_OUT:], train.labels[_HELD_OUT:], 200),
            "test": (test.images, test.labels, 400),
        }

    def sets(self, part: str, seed: int) -> NumberSets:
        """Sets of one part."""
        if (part, seed) not in self._drawn:
            images, labels, size = self._sets[part]
            self._drawn[part, seed] = NumberSets(images, labels, n=self.n, digits=self.digits, size=size, seed=seed)
        return self._drawn[part, seed]

    def model(self) -> nn.Module:
        """A network with one score an image."""
        return nn.Sequential(nn.Flatten(), MLP((64 * self.digits, self.width, self.width, 1)))

    def outputs(self, model: nn.Module, images: Tensor) -> Tensor:
        """Scores ``(B, n)``."""
        return self.factor * model(images.flatten(0, 1)).reshape(images.shape[:2])

    def loss(self) -> Callable[..., Tensor]:
        """One value a set."""
        return PermutationCrossEntropy(self.method, reduction="none")

    def data(self, seed: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """Training batches by index."""
        return self.sets("train", seed).batch

    def size(self) -> int:
        """How many training sets there are."""
        return self._sets["train"][2]

    def judge(self, model: nn.Module, part: str) -> Outcome:
        """On sets that are not for training."""
        sets = self.sets(part, 7)
        with torch.no_grad():
            scores = self.outputs(model, sets.batch(torch.arange(len(sets))).images)
        found = ordering(scores, sets.values)
        return Outcome(100 * found.exact_match, 100 * found.element_wise)


class VectorTask:
    """Sets of vectors that a hidden direction orders: easy, so that what remains is how the loss is scaled.

    Outputs are multiplied by ``factor``.
    """

    def __init__(self, method: str, n: int = 5, factor: float = 1.0, features: int = 10):
        self.method, self.factor, self.features = METHODS[method](), factor, features
        direction = torch.randn(features, generator=torch.Generator().manual_seed(99)) / features**0.5
        self._parts = {}
        for seed, (part, count) in enumerate((("train", 3000), ("validation", 300), ("test", 600))):
            x = torch.randn(count, n, features, generator=torch.Generator().manual_seed(seed))
            self._parts[part] = (x, x @ direction)

    def model(self) -> nn.Module:
        """A network with one score a vector."""
        return MLP((self.features, 32, 1))

    def outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        """Scores ``(B, n)``."""
        return self.factor * model(x).squeeze(-1)

    def loss(self) -> Callable[..., Tensor]:
        """One value a set."""
        return PermutationCrossEntropy(self.method, reduction="none")

    def data(self, seed: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """Training batches by index."""
        x, y = self._parts["train"]
        return lambda chosen: (x[chosen], y[chosen])

    def size(self) -> int:
        """How many training sets there are."""
        return len(self._parts["train"][0])

    def judge(self, model: nn.Module, part: str) -> Outcome:
        """On sets that are not for training."""
        x, y = self._parts[part]
        with torch.no_grad():
            found = ordering(self.outputs(model, x), y)
        return Outcome(100 * found.exact_match, 100 * found.element_wise)


class EditTask:
    """Noisy letters, and the word they spell with one letter left out: nobody says which.

    The network gives logits a letter; the loss is the soft edit distance to the shorter word, where a substitution
    costs the probability of not being the letter.
    """

    def __init__(self, length: int = 4, letters: int = 4, features: int = 8, temperature: float = 0.1):
        self.length, self.letters, self.features, self.temperature = length, letters, features, temperature
        self._shapes = torch.randn(letters, features, generator=torch.Generator().manual_seed(99))
        counts = (("train", 1000), ("validation", 300), ("test", 1000))
        self._parts = {part: self._draw(count, seed) for seed, (part, count) in enumerate(counts)}

    def _draw(self, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        words = torch.randint(0, self.letters, (count, self.length), generator=generator)
        x = self._shapes[words] + torch.randn(count, self.length, self.features, generator=generator)
        gone = torch.randint(0, self.length, (count, 1), generator=generator)
        kept = torch.arange(self.length - 1).expand(count, -1)
        return x, words.gather(1, kept + (kept >= gone)), words

    def model(self) -> nn.Module:
        """A network with a logit for each letter of the alphabet."""
        return MLP((self.features, 32, self.letters))

    def outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        """Logits ``(B, length, letters)``."""
        return model(x)

    def loss(self) -> Callable[..., Tensor]:
        """One value a word."""

        def distance(logits: Tensor, word: Tensor) -> Tensor:
            probabilities = logits.softmax(-1)
            cost = 1 - probabilities.gather(-1, word[:, None, :].expand(-1, self.length, -1))
            return EditDistance(cost, insert=1.0, delete=1.0).distance(self.temperature)

        return distance

    def data(self, seed: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """Training batches by index."""
        x, shorter, _ = self._parts["train"]
        return lambda chosen: (x[chosen], shorter[chosen])

    def size(self) -> int:
        """How many training words there are."""
        return len(self._parts["train"][0])

    def judge(self, model: nn.Module, part: str) -> Outcome:
        """Words and letters read right."""
        x, _, words = self._parts[part]
        with torch.no_grad():
            right = self.outputs(model, x).argmax(-1) == words
        return Outcome(100 * right.all(-1).float().mean().item(), 100 * right.float().mean().item())


class _PerturbedPaths(torch.autograd.Function):
    """The perturbed Fenchel-Young loss of costs up to a constant: its gradient is known, and has a derivative."""

    @staticmethod
    def forward(ctx: Any, costs: Tensor, target: Tensor, layer: Perturbed) -> Tensor:
        ctx.save_for_backward(costs, target)
        ctx.layer = layer
        with torch.no_grad():
            return (costs * (target - layer(costs))).sum((-1, -2))  # regret of the mean path, where noise is left out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        costs, target = ctx.saved_tensors
        return grads[0][:, None, None] * (target - ctx.layer(costs)), None, None


class PathTask:
    """Cells whose costs depend on features; the cheapest path through a grid is known, the costs are not."""

    def __init__(self, side: int = 6, features: int = 5, factor: float = 1.0, samples: int = 16):
        self.side, self.features, self.factor = side, features, factor
        self.solver = GridPath(negative="clamp")
        self.layer = Perturbed(self.solver, distributions.Gaussian(0.5), samples=samples)
        generator = torch.Generator().manual_seed(99)
        self._map = torch.randn(features, generator=generator)
        self._parts = {
            name: self._draw(n, k) for k, (name, n) in enumerate((("train", 400), ("validation", 200), ("test", 500)))
        }

    def _draw(self, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(count, self.side, self.side, self.features, generator=generator)
        costs = nn.functional.softplus((x @ self._map) + 0.5 * (x[..., 0] * x[..., 1])) + 0.1
        return x, costs, self.solver(costs)

    def model(self) -> nn.Module:
        """Features of a cell to its cost."""
        return nn.Sequential(nn.Linear(self.features, 32), nn.ReLU(), nn.Linear(32, 1), nn.Softplus())

    def outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        """Costs ``(B, side, side)``."""
        return self.factor * model(x).squeeze(-1)

    def loss(self) -> Callable[..., Tensor]:
        """One value a grid."""
        return lambda costs, target: _PerturbedPaths.apply(costs, target, self.layer)

    def data(self, seed: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """Training batches by index."""
        x, _, paths = self._parts["train"]
        return lambda chosen: (x[chosen], paths[chosen])

    def size(self) -> int:
        """How many training grids there are."""
        return 400

    def judge(self, model: nn.Module, part: str) -> Outcome:
        """Paths of least cost, and cells in common."""
        x, costs, paths = self._parts[part]
        with torch.no_grad():
            found = self.solver(self.outputs(model, x))
        best, ours = ((costs * path).sum((-1, -2)) for path in (paths, found))
        same = ((found * paths).sum((-1, -2)) / paths.sum((-1, -2))).mean().item()
        return Outcome(100 * (ours <= best * (1 + 1e-5)).float().mean().item(), 100 * same)


def train(
    task: Any, mode: Any, damping: float, rate: float, steps: int, seed: int, optimizer: str, part: str, batch: int = 32
) -> Outcome:
    """Train from a seed with a base or a Newton loss, and judge."""
    torch.manual_seed(seed)
    model, loss = task.model(), task.loss()
    if mode != "base":
        loss = NewtonLoss(loss, mode, damping)
    kind = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
    updates = kind(model.parameters(), rate)
    data, generator = task.data(seed), torch.Generator().manual_seed(seed)
    for _ in range(steps):
        x, y = data(torch.randint(task.size(), (batch,), generator=generator))
        value = loss(task.outputs(model, x), y).mean()
        if not bool(value.isfinite()):
            return Outcome(0.0, 0.0)
        updates.zero_grad()
        value.backward()
        updates.step()
    return task.judge(model, part)
