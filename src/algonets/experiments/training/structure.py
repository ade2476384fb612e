"""Structure that emerges: layers that become one layer, inputs and edges that switch off."""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._report import Criterion, at_most
from algonets.experiments.training.samples import accuracy, batches, load_samples
from algonets.experiments.training.study import Study, entry
from algonets.training import L0Linear, SelfSimilarity, description_length, round_weights

__all__ = ["StructureExperiment"]

STEP = 2**-5
QUICKER = 10  # gates than weights: they have further to go, from -0.2 to below -2.4
TITLES = {
    "free": "free layers",
    "similar": "self-similarity prior",
    "tied": "one layer for all",
    "edges": "free layers, gated edges (L0)",
    "neurons": "free layers, gated neurons (L0)",
}


class Residual(nn.Module):
    """``x <- x + tanh(W x + b)`` through layers of one shape."""

    def __init__(self, inputs: int, width: int, layers: list[Any]):
        super().__init__()
        self.first, self.last = nn.Linear(inputs, width), nn.Linear(width, 10)
        self.layers: Any = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = torch.tanh(self.first(x))
        for layer in self.layers:
            x = x + torch.tanh(layer(x))
        return self.last(x)


class StructureExperiment(Study):
    """Let a deep classifier find out that its layers may be alike, or which of its edges and neurons it needs.

    Args:
        data: ``digits`` come with scikit-learn; ``mnist`` is read from the data directory or downloaded.
        seeds: How many.
        size: Training images.
        epochs: Passes over the data.
        width: Units of a layer.
        depth: Layers that may be alike.
        strength: Of the self-similarity prior.
        gates: Strength of the L0 penalty, per weight and image.
        common: See the base class.
    """

    name = "structure"

    def __init__(
        self,
        data: Literal["digits", "mnist"] = "digits",
        seeds: int = 3,
        size: int = 1437,
        epochs: int = 60,
        width: int = 32,
        depth: int = 8,
        strength: float = 0.3,
        gates: float = 0.3,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(data=data, seeds=seeds, size=size, epochs=epochs, width=width, depth=depth)
        self.keep(strength=strength, gates=gates)
        self.samples = load_samples(data, self.data_dir, size)

    def measure_seed(self, seed: int) -> dict[str, Any]:
        """Train each kind."""
        found = {}
        for name in TITLES:
            torch.manual_seed(seed)
            found[name] = self._train(name, seed)
        return found

    def _layers(self, name: str) -> list[Any]:
        w, d = self.width, self.depth
        if name == "tied":
            return [nn.Linear(w, w)] * d
        if name in ("edges", "neurons"):
            return [L0Linear(w, w, name, 0.8) for _ in range(d)]
        return [nn.Linear(w, w) for _ in range(d)]

    def _train(self, name: str, seed: int) -> dict[str, Any]:
        data, generator = self.samples, torch.Generator().manual_seed(seed)
        model = Residual(data.x.shape[1], self.width, self._layers(name))
        prior = SelfSimilarity(list(model.layers)) if name == "similar" else None
        gates = [layer.gates.log_alpha for layer in model.layers if isinstance(layer, L0Linear)]
        parameters = [p for part in (model, prior) if part is not None for p in part.parameters()]
        weights = [p for p in parameters if all(p is not gate for gate in gates)]
        rate = 2e-3
        optimizer = torch.optim.Adam(
            [{"params": weights}, {"params": gates, "lr": QUICKER * rate}] if gates else weights, rate
        )
        kept = []
        for epoch in range(self.epochs):
            if epoch == 3 * self.epochs // 4:
                rate /= 4
                for group in optimizer.param_groups:
                    group["lr"] /= 4
            for chosen in batches(len(data.x), 60, generator):
                optimizer.zero_grad()
                loss = functional.cross_entropy(model(data.x[chosen]), data.y[chosen])
                if name in ("edges", "neurons"):
                    cost = torch.stack([layer.penalty() for layer in model.layers]).sum()
                    loss = loss + self.gates * cost / len(data.x)
                loss.backward()
                optimizer.step()
                if prior is not None:
                    prior.shrink(rate * self.strength)
            kept.append(prior.kept() if prior is not None else self._open(model))
        score = accuracy(model, data.test_x, data.test_y)
        stored = self._stored(model, prior)
        bits = description_length([(t / STEP).round() * STEP for t in stored], STEP).bits
        self._round(model, prior)
        rounded = accuracy(model, data.test_x, data.test_y)
        return {"test": score, "rounded": rounded, "kbit": bits / 1000, "kept": kept}

    def _open(self, model: Residual) -> float:
        if not isinstance(model.layers[0], L0Linear):
            return 1.0
        weights = [layer.effective_weight() for layer in model.layers]
        return sum(int(w.count_nonzero()) for w in weights) / sum(w.numel() for w in weights)

    def _stored(self, model: Residual, prior: SelfSimilarity | None) -> list[Tensor]:
        """What has to be stored of the layers that may be alike, and of the rest."""
        ends = [p.detach() for part in (model.first, model.last) for p in part.parameters()]
        layers = list(dict.fromkeys(model.layers))
        biases = [layer.bias.detach() for layer in layers]
        if prior is not None:
            return [*ends, *biases, prior.shared.detach(), torch.stack(prior.differences).detach()]
        weights = [
            layer.effective_weight() if isinstance(layer, L0Linear) else layer.weight.detach() for layer in layers
        ]
        return [*ends, *biases, torch.stack(weights)]

    def _round(self, model: Residual, prior: SelfSimilarity | None) -> None:
        with torch.no_grad():
            for layer in dict.fromkeys(model.layers):
                if isinstance(layer, L0Linear):  # fold the gates into the weights
                    layer.weight.copy_((layer.effective_weight() / STEP).round() * STEP)
                    layer.gates.log_alpha.fill_(100.0)
        gates = [p for name, p in model.named_parameters() if name.endswith("log_alpha")]
        before = [gate.detach().clone() for gate in gates]
        round_weights(model, STEP)
        if prior is not None:
            round_weights(prior, STEP)
        with torch.no_grad():
            for gate, old in zip(gates, before, strict=True):
                gate.copy_(old)

    def criteria(self, mean: Any) -> list[Criterion]:
        """Shorter, and as good."""
        free, similar = mean["free"], mean["similar"]
        return [
            at_most(
                "bits of the self-similar network, in parts of the free one's", similar["kbit"] / free["kbit"], 0.7
            ),
            at_most("points that it loses", free["rounded"] - similar["rounded"], 1.0),
            at_most("edges that L0 gates leave, percent", 100 * mean["edges"]["kept"][-1], 50.0),
            at_most("points that they cost", free["rounded"] - mean["edges"]["rounded"], 1.5),
        ]

    def rows(self, mean: Any, deviation: Any) -> tuple[list[str], list[list[str]]]:
        """Accuracy and bits."""
        rows = [
            [
                title,
                *[entry(mean[n][k], deviation[n][k], 1) for k in ("test", "rounded", "kbit")],
                entry(100 * mean[n]["kept"][-1], 100 * deviation[n]["kept"][-1], 1),
            ]
            for n, title in TITLES.items()
        ]
        return ["network", "test accuracy %", "rounded to 1/32", "kilobits", "differences or edges kept %"], rows

    def draw(self, figure: Any, mean: Any, deviation: Any) -> None:
        """Accuracy by bits; what is kept, by epoch."""
        left, right = figure.subplots(1, 2)
        colours = ("black", "#c0392b", "#d9902f", "#1f3b73", "#3d9970")
        for (name, title), colour in zip(TITLES.items(), colours, strict=True):
            found, spread = mean[name], deviation[name]
            left.errorbar(
                found["kbit"], found["rounded"], spread["rounded"], spread["kbit"], "o", color=colour, label=title
            )
            if name in ("similar", "edges", "neurons"):
                right.plot([100 * k for k in found["kept"]], color=colour, label=title)
        left.set(xlabel="kilobits", ylabel="test accuracy of rounded weights, %")
        left.margins(y=0.4)
        left.legend(frameon=False, fontsize=7, loc="upper center", ncols=2)
        right.set(xlabel="epoch", ylabel="differences or edges that are not zero, %", ylim=(0, 105))
        right.legend(frameon=False, fontsize=7)
