"""Learning a recurrent system while it runs: what RTRL, UORO and NoBackTrack share."""

import abc
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from algonets._core.checks import check_floating
from algonets._core.errors import reject, reject_type, require

__all__ = ["OnlineLearner", "learn_online"]

State = Tensor | tuple[Tensor, ...]
Cell = nn.Module | Callable[..., State]


class OnlineLearner(abc.ABC):
    r"""A recurrent system ``s <- f(theta, x, s)`` with an estimate of :math:`ds / d\theta` carried forward in time.

    No history is kept: after any number of steps, :meth:`gradient` turns the derivative of a loss in the present state
    into a gradient with respect to the parameters, through all of the past.

    Args:
        cell: A module called as ``cell(x, state)`` that returns the next state (``RNNCell``, ``GRUCell``,
            ``LSTMCell``, or one's own), or a function ``f(parameters, x, state)``.
        state: Where it starts: a tensor ``(*batch, S)`` or, for cells with several parts, a tuple of such. Each
            example of the batch runs by itself.
        parameters: For a function, its parameters by name, tensors that require gradients; a module has its own.

    Raises:
        TypeError: if ``cell`` is not callable, or the state not floating.
        ValueError: if there are no parameters, or parts of the state have different batches.

    Differentiability: none; it makes gradients.
    """

    def __init__(self, cell: Cell, state: State, parameters: Mapping[str, Tensor] | None = None):
        call = type(self).__name__
        if not callable(cell):
            reject_type(f"{call}(cell)", "must be a module or a function", cell)
        found = (
            parameters
            if parameters is not None
            else dict(cell.named_parameters())
            if isinstance(cell, nn.Module)
            else {}
        )
        self.parameters = {name: p for name, p in found.items() if p.requires_grad}
        remedy = "Give parameters={name: tensor} that require gradients."
        require(bool(self.parameters), f"{call}(parameters)", "must not be empty", found, remedy)
        self._cell = cell
        parts = state if isinstance(state, tuple) else (state,)
        for part in parts:
            check_floating(f"{call}(state)", part)
            fits = part.ndim >= 1 and part.shape[:-1] == parts[0].shape[:-1]
            require(fits, f"{call}(state)", "must have parts (*batch, S) with one batch", part)
        self._single = not isinstance(state, tuple)
        self._widths = [part.shape[-1] for part in parts]
        self._batch = parts[0].shape[:-1]
        self._sizes = [p.numel() for p in self.parameters.values()]
        self.reset(state)

    # ---- what a method writes

    @abc.abstractmethod
    def _forget(self) -> None:
        """Start with no past."""

    @abc.abstractmethod
    def _advance(self, x: Any, s: Tensor) -> Tensor:
        """Move the estimate and return the next state, ``(B, S)``."""

    @abc.abstractmethod
    def _gradient(self, by_state: Tensor) -> Tensor:
        """``(B, S)`` to ``(P,)``."""

    # ---- public

    @property
    def state(self) -> State:
        """The present state, detached, of the shape that was given."""
        parts = tuple(part.reshape(*self._batch, part.shape[-1]) for part in self._state.split(self._widths, -1))
        return parts[0] if self._single else parts

    def reset(self, state: State) -> None:
        """Start again from a state of the same shape, with no past."""
        parts = (state,) if isinstance(state, Tensor) else state
        shapes = [(*self._batch, width) for width in self._widths]
        good = [tuple(part.shape) for part in parts] == shapes
        require(good, f"{type(self).__name__}.reset(state)", f"must have the shapes {shapes}", [p.shape for p in parts])
        self._state = torch.cat([part.detach().reshape(self._count, part.shape[-1]) for part in parts], -1).clone()
        self._forget()

    def advance(self, x: Any = None) -> State:
        """Take one step.

        Args:
            x: The input, ``(*batch, ...)``, or ``None`` for a system without.

        Returns:
            The new state, detached.

        Raises:
            ValueError: if the input has another batch.
        """
        if isinstance(x, Tensor):
            good = x.shape[: len(self._batch)] == self._batch
            require(good, f"{type(self).__name__}.advance(x)", f"must have the batch {tuple(self._batch)}", x)
            x = x.detach().reshape(self._count, *x.shape[len(self._batch) :])
        with torch.no_grad():
            self._state = self._advance(x, self._state).detach()
        return self.state

    def gradient(self, by_state: State) -> dict[str, Tensor]:
        """Turn ``dL / d state`` into ``dL / d theta`` through all of the past.

        Args:
            by_state: The derivative of the present loss, of the shape of the state.

        Returns:
            A gradient for each parameter, by name, summed over the batch.

        Raises:
            ValueError: if a shape is wrong.
        """
        parts = (by_state,) if isinstance(by_state, Tensor) else by_state
        shapes = [(*self._batch, width) for width in self._widths]
        good = [tuple(part.shape) for part in parts] == shapes
        rule = f"must have the shapes {shapes} of the state"
        require(good, f"{type(self).__name__}.gradient(by_state)", rule, [tuple(part.shape) for part in parts])
        packed = torch.cat([part.detach().reshape(self._count, part.shape[-1]) for part in parts], -1)
        flat = self._gradient(packed).split(self._sizes)
        return {name: part.view_as(p) for (name, p), part in zip(self.parameters.items(), flat, strict=True)}

    def accumulate(self, by_state: State) -> None:
        """Add :meth:`gradient` to the ``grad`` of the parameters, as ``backward`` would."""
        for name, found in self.gradient(by_state).items():
            parameter = self.parameters[name]
            parameter.grad = found.clone() if parameter.grad is None else parameter.grad + found

    # ---- for the methods

    @property
    def _count(self) -> int:
        return math.prod(self._batch)

    @property
    def _size(self) -> int:
        return sum(self._sizes)

    def _packed(self) -> Tensor:
        return torch.cat([p.detach().reshape(-1) for p in self.parameters.values()])

    def _step(self, theta: Tensor, x: Any, s: Tensor) -> Tensor:
        """One example: packed parameters ``(P,)`` and state ``(S,)`` to the next state."""
        split = theta.split(self._sizes)
        named = {name: part.view(p.shape) for (name, p), part in zip(self.parameters.items(), split, strict=True)}
        return self._call(named, x, s)

    def _call(self, named: Mapping[str, Tensor], x: Any, s: Tensor) -> Tensor:
        parts: State = s if self._single else s.split(self._widths, -1)
        if isinstance(self._cell, nn.Module):
            found = functional_call(self._cell, dict(named), (x, parts))
        else:
            found = self._cell(named, x, parts)
        merged = found if isinstance(found, Tensor) else torch.cat(list(found), -1)
        if merged.shape != s.shape:
            reject(f"{type(self).__name__}(cell)", f"must return a state of size {s.shape[-1]}", merged)
        return merged

    def _over_batch(self, function: Callable[..., Any], x: Any, *others: Tensor) -> Any:
        """Map a function of (x, ...) over the batch."""
        dims = (None if x is None else 0, *[0] * len(others))
        return torch.func.vmap(function, dims, randomness="different")(x, *others)

    def __repr__(self) -> str:
        name = (
            type(self._cell).__name__ if isinstance(self._cell, nn.Module) else getattr(self._cell, "__name__", "cell")
        )
        return (
            f"{type(self).__name__}({name}, state={tuple(self._batch)} x {sum(self._widths)}, parameters={self._size})"
        )


def learn_online(
    learner: OnlineLearner,
    loss: Callable[[State, Any], Tensor],
    optimizer: torch.optim.Optimizer,
    stream: Iterable[tuple[Any, Any]],
    *,
    trainable: Sequence[Tensor] = (),
    every: int = 1,
) -> Iterator[Tensor]:
    """Learn while data streams: step, loss, gradient, update, with no history in memory.

    Args:
        learner: RTRL, UORO or NoBackTrack around a recurrent system.
        loss: ``loss(state, target)`` to a scalar; parameters inside of it (a readout) learn by ordinary gradients.
        optimizer: Over the parameters of the system and of the loss.
        stream: Pairs ``(input, target)``; a target of ``None`` means no loss at that step. It may be endless.
        trainable: Parameters of the loss.
        every: Update after so many losses.

    Yields:
        The loss of each step that has one, detached.

    Raises:
        ValueError: if ``every`` is below 1.

    Differentiability: none.
    Cost: memory constant in time; that of the learner a step. Parameters change while the estimate of the past is kept,
        so gradients are exact only as the rate goes to 0.

    Example:
        >>> from algonets.training import UORO
        >>> cell, readout = nn.RNNCell(1, 4), nn.Linear(4, 1)
        >>> optimizer = torch.optim.SGD([*cell.parameters(), *readout.parameters()], 1e-3)
        >>> stream = [(torch.randn(1), torch.randn(1)) for _ in range(3)]
        >>> loss = lambda state, target: (readout(state) - target).square().sum()
        >>> learner, own = UORO(cell, torch.zeros(4)), list(readout.parameters())
        >>> len(list(learn_online(learner, loss, optimizer, stream, trainable=own)))
        3
    """
    require(every >= 1, "learn_online(every=...)", "must be at least 1", every)
    count = 0
    for x, target in stream:
        state = learner.advance(x)
        if target is None:
            continue
        parts = state if isinstance(state, tuple) else (state,)
        leaves = tuple(part.clone().requires_grad_() for part in parts)
        with torch.enable_grad():
            value = loss(leaves if isinstance(state, tuple) else leaves[0], target)
            found = torch.autograd.grad(value, [*leaves, *trainable], allow_unused=True)
        by_state = tuple(
            torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, found[: len(leaves)], strict=True)
        )
        learner.accumulate(by_state if isinstance(state, tuple) else by_state[0])
        for parameter, g in zip(trainable, found[len(leaves) :], strict=True):
            if g is not None:
                parameter.grad = g if parameter.grad is None else parameter.grad + g
        count += 1
        if count % every == 0:
            optimizer.step()
            optimizer.zero_grad()
        yield value.detach()
