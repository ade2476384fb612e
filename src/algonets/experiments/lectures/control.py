"""Acting: deep Q-learning from pixels and from numbers."""

import copy
from collections.abc import Callable
from typing import Any, Literal, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from algonets.experiments._experiment import AbstractExperiment
from algonets.experiments._measures import device_of
from algonets.experiments._pictures import COLOURS, GREY, mosaic, new_figure, show, tidy
from algonets.experiments._report import Report, at_least
from algonets.experiments.lectures._environments import CartPole, Catch, Environment
from algonets.nets import DQN

__all__ = ["ControlExperiment"]

World = Literal["catch", "cartpole"]
WORLDS: dict[str, Callable[[int], Environment]] = {"catch": Catch, "cartpole": CartPole}
GOAL = {"catch": 0.95, "cartpole": 100.0}
DISCOUNT, EVERY = 0.99, 200  # steps between two copies to the target network


@final
class ControlExperiment(AbstractExperiment):
    """A network that learns the worth of actions by trying them: the pixel game Catch, and CartPole, several seeds.

    Args:
        worlds: Which ones.
        seeds: Networks of CartPole; of Catch there is one.
        steps: Of learning, for each network; Catch takes half as many.
        acts: Actions between two steps of learning.
        batch_size: Remembered actions of a step.
        test_size: Episodes of the test.
        common: See the base class.
    """

    name = "control"

    def __init__(
        self,
        worlds: list[World] | None = None,
        seeds: int = 3,
        steps: int = 5000,
        acts: int = 4,
        batch_size: int = 128,
        test_size: int = 30,
        **common: Any,
    ):
        super().__init__(**common)
        self.keep(worlds=["catch", "cartpole"] if worlds is None else worlds, seeds=seeds, steps=steps, acts=acts)
        self.keep(batch_size=batch_size, test_size=test_size)

    def measure(self) -> Report:
        """Learn to act, then act without curiosity."""
        rows, criteria, curves = [], [], {}
        catcher: DQN | None = None
        for name in self.worlds:
            scores, baseline = [], _score(WORLDS[name](self.seed + 100), None, self.test_size)
            for seed in range(self.seed, self.seed + (self.seeds if name == "cartpole" else 1)):
                torch.manual_seed(seed)
                world = WORLDS[name](seed)
                network = DQN(world.observation, world.actions)
                curves[f"{name}, seed {seed}"] = self._learn(f"{name}-{seed}", world, network, seed)
                scores.append(_score(WORLDS[name](seed + 100), network, self.test_size))
                catcher = network if name == "catch" else catcher
            rows.append({"world": name, "random": baseline, "learnt": " ".join(f"{s:.4g}" for s in scores)})
            least = f"{name}: mean score, worst of {len(scores)} seeds"
            criteria.append(at_least(least, min(scores), GOAL[name]))
        figure = self._draw(curves, catcher)
        return Report("Mean score of an episode", rows, criteria, figure, {"curves": curves})

    def _learn(self, name: str, world: Environment, network: DQN, seed: int) -> list[float]:
        """Act, remember, learn; returns the scores of the episodes."""
        generator = torch.Generator().manual_seed(seed)
        steps = self.steps if isinstance(world, CartPole) else -(-self.steps // 2)
        memory = _Memory(world.observation, 20000)
        target = copy.deepcopy(network)
        scores, seen, score = [], world.reset(), 0.0

        def batch(step: int) -> tuple[Tensor, ...]:
            nonlocal seen, score
            if step % EVERY == 0:
                target.to(device_of(network)).load_state_dict(network.state_dict())
            curiosity = max(0.05, 1 - step / (0.4 * steps))
            while True:
                for _ in range(self.acts):
                    if torch.rand((), generator=generator) < curiosity:
                        action = int(torch.randint(world.actions, (), generator=generator))
                    else:
                        action = _greedy(network, seen)
                    after, reward, done, late = world.step(action)
                    memory.add(seen, action, reward, after, done)
                    score += reward
                    seen = after
                    if done or late:
                        scores.append(score)
                        seen, score = world.reset(), 0.0
                if memory.count >= self.batch_size:
                    return memory.draw(self.batch_size, generator)

        def loss(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
            """Double Q-learning: the network chooses the next action, its older copy says what it is worth."""
            before, actions, rewards, after, done = batch
            with torch.no_grad():
                choice = net(after).argmax(-1, keepdim=True)
                promise = rewards + DISCOUNT * (1 - done) * target(after).gather(-1, choice)[:, 0]
            return functional.smooth_l1_loss(net(before).gather(-1, actions[:, None])[:, 0], promise)

        self.train(name, network, loss, batch, steps, 1e-3, notes=scores, replay=False, clip=10.0)
        return scores

    def _draw(self, curves: dict[str, list[float]], catcher: DQN | None) -> Any:
        figure = new_figure(12, 3.8)
        axes = figure.subplots(1, 1 + len(self.worlds))
        for panel, name in zip(axes, self.worlds, strict=False):
            for (key, scores), colour in zip(
                ((k, v) for k, v in curves.items() if k.startswith(name)), COLOURS, strict=False
            ):
                width = max(1, len(scores) // 40)
                means = torch.tensor(scores).unfold(0, width, 1).mean(-1) if scores else torch.zeros(0)
                panel.plot(range(width, width + len(means)), means, color=colour, label=key.split(", ")[1])
            panel.axhline(GOAL[name], color=GREY, ls="--", lw=1)
            tidy(panel, f"{name}, while it still explores", "episodes", "score, running mean", legend=True)
        world = Catch(self.seed + 7)
        seen, frames = world.reset(), []
        for _ in range(world.observation[1] - 1):
            frames.append(seen)
            seen = world.step(_greedy(catcher, seen) if catcher else 1)[0]
        show(axes[-1], mosaic(1 - torch.stack([*frames, seen]), 5, fill=0.6), "pixel Catch, frame by frame")
        return figure


class _Memory:
    """The last so many actions."""

    def __init__(self, observation: tuple[int, ...], size: int):
        self.parts = [torch.zeros(size, *observation), torch.zeros(size, dtype=torch.long), torch.zeros(size),
                      torch.zeros(size, *observation), torch.zeros(size)]  # fmt: skip
        self.count, self.size = 0, size

    def add(self, *values: Any) -> None:
        for part, value in zip(self.parts, values, strict=True):
            part[self.count % self.size] = value
        self.count += 1

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, ...]:
        kept = torch.randint(min(self.count, self.size), (count,), generator=generator)
        return tuple(part[kept] for part in self.parts)


@torch.no_grad()
def _greedy(network: DQN, seen: Tensor) -> int:
    return int(network(seen.to(device_of(network))).argmax())


def _score(world: Environment, network: DQN | None, episodes: int) -> float:
    """Mean score of a network, or of random actions."""
    draw, total = torch.Generator().manual_seed(0), 0.0
    for _ in range(episodes):
        seen, over = world.reset(), False
        while not over:
            action = (
                int(torch.randint(world.actions, (), generator=draw)) if network is None else _greedy(network, seen)
            )
            seen, reward, done, late = world.step(action)
            total += reward
            over = done or late
    return total / episodes
