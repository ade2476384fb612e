"""How the numbers that are learned make the truth table of a gate."""

from abc import ABC, abstractmethod
from typing import Literal, final

import torch
from torch import Tensor

from algonets._core.checks import check_positive
from algonets._core.errors import require
from algonets.logic.gates import TABLES, tables_of_gates

__all__ = ["AbstractParametrization", "Fixed", "Initialization", "Light4", "Softmax16", "Walsh4"]

Initialization = Literal["residual", "normal"]


class AbstractParametrization(ABC):
    """Weights ``(..., size)`` to truth tables ``(..., 2^inputs)`` in [0, 1]; entry ``ab`` at the binary number ab."""

    @abstractmethod
    def size(self, inputs: int) -> int:
        """Number of weights of a gate with so many inputs."""

    @abstractmethod
    def tables(self, weights: Tensor) -> Tensor:
        """Soft truth tables."""

    @abstractmethod
    def hard_tables(self, weights: Tensor) -> Tensor:
        """Truth tables of 0 and 1, those of the most likely gates."""

    @abstractmethod
    def residual(self, inputs: int) -> Tensor:
        """Weights ``(size,)`` of a gate that passes its first input on."""

    @abstractmethod
    def noise(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        """Noise on the weights, by which the most likely gate is a draw from the soft ones."""

    def initial(
        self, shape: tuple[int, ...], inputs: int, initialization: Initialization, generator: torch.Generator | None
    ) -> Tensor:
        """Draw weights ``(*shape, size)``: gates that pass their first input on, or standard normal numbers."""
        if initialization == "residual":
            return self.residual(inputs).expand(*shape, -1).clone()
        return torch.randn(*shape, self.size(inputs), generator=generator)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    tiny = torch.finfo(like.dtype).eps
    drawn = torch.rand(like.shape, generator=generator, dtype=like.dtype, device=like.device)
    return drawn.clamp(tiny, 1 - tiny)


def check_strength(call: str, strength: float) -> float:
    """Require a positive finite number."""
    check_positive(f"{call}(strength)", strength)
    return float(strength)


@final
class Softmax16(AbstractParametrization):
    """A distribution over the sixteen gates: ``table = softmax(w) TABLES``.

    Args:
        strength: Logit of the passing gate in the residual initialisation.

    References:
        F. Petersen et al. (2022), Deep Differentiable Logic Gate Networks, eq. 2; (2024), Convolutional
        Differentiable Logic Gate Networks, section 3.3 (residual initialisation).

    Example:
        >>> Softmax16().tables(torch.zeros(1, 16))
        tensor([[0.5000, 0.5000, 0.5000, 0.5000]])
    """

    def __init__(self, strength: float = 5.0):
        self.strength = check_strength("Softmax16", strength)

    def size(self, inputs: int) -> int:
        """16, for two inputs."""
        require(
            inputs == 2, "Softmax16", "must be used for gates of 2 inputs", inputs, "Take Light4() for larger tables."
        )
        return 16

    def tables(self, weights: Tensor) -> Tensor:
        """Expected truth tables."""
        return weights.softmax(-1) @ TABLES.to(weights)

    def hard_tables(self, weights: Tensor) -> Tensor:
        """Truth tables of the most likely gates, the first of equally likely ones."""
        return tables_of_gates(weights.argmax(-1), weights.dtype)

    def residual(self, inputs: int) -> Tensor:
        """A logit of ``strength`` for the gate ``a``, 0 for the others."""
        return torch.zeros(self.size(inputs)).index_fill(0, torch.tensor([3]), self.strength)

    def noise(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        """Gumbel noise."""
        return -(-_uniform(like, generator).log()).log()

    def __repr__(self) -> str:
        return f"Softmax16(strength={self.strength:g})"


@final
class Light4(AbstractParametrization):
    """A probability for each entry of the truth table: ``table = sigmoid(w)``; four weights instead of sixteen.

    For gates of k inputs there are ``2^k``.

    Args:
        strength: Logits of the residual initialisation are ``-strength`` and ``strength``.

    References:
        L. Rüttgers, T. Hahn et al. (2025), Light Differentiable Logic Gate Networks.

    Example:
        >>> Light4().hard_tables(torch.tensor([[-1.0, 2.0, 0.5, -3.0]]))  # xor
        tensor([[0., 1., 1., 0.]])
    """

    def __init__(self, strength: float = 3.0):
        self.strength = check_strength("Light4", strength)

    def size(self, inputs: int) -> int:
        """Entries of the truth table."""
        return 1 << inputs

    def tables(self, weights: Tensor) -> Tensor:
        """Probabilities of the entries."""
        return weights.sigmoid()

    def hard_tables(self, weights: Tensor) -> Tensor:
        """Entries above one half."""
        return (weights > 0).to(weights.dtype)

    def residual(self, inputs: int) -> Tensor:
        """Entries that follow the first input."""
        half = 1 << (inputs - 1)
        return torch.cat((torch.full((half,), -self.strength), torch.full((half,), self.strength)))

    def noise(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        """Logistic noise."""
        return _uniform(like, generator).logit()

    def __repr__(self) -> str:
        return f"Light4(strength={self.strength:g})"


@final
class Walsh4(AbstractParametrization):
    """The truth table in the Walsh-Hadamard basis: ``table = sigmoid(H w)``, H of +1 and -1.

    The weights are those of 1, b, a and a b, for a and b of -1 and +1; for k inputs there are ``2^k``. Between
    the corners it is multilinear, as all gates here are; the reference below takes the sigmoid of the polynomial there.

    Args:
        strength: Weight of the first input in the residual initialisation.

    References:
        T. Gerlach et al. (2025), WARP: Weight-Adapted Relaxation of logic gates by the Walsh-Hadamard transform.

    Example:
        >>> Walsh4().tables(torch.tensor([[0.0, 0.0, 9.0, 0.0]])).round()  # a
        tensor([[0., 0., 1., 1.]])
    """

    def __init__(self, strength: float = 3.0):
        self.strength = check_strength("Walsh4", strength)

    def size(self, inputs: int) -> int:
        """Entries of the truth table."""
        return 1 << inputs

    def tables(self, weights: Tensor) -> Tensor:
        """Probabilities of the entries."""
        return (weights @ _hadamard(weights.shape[-1]).to(weights)).sigmoid()

    def hard_tables(self, weights: Tensor) -> Tensor:
        """Entries above one half."""
        return ((weights @ _hadamard(weights.shape[-1]).to(weights)) > 0).to(weights.dtype)

    def residual(self, inputs: int) -> Tensor:
        """A weight for the first input alone."""
        return torch.zeros(1 << inputs).index_fill(0, torch.tensor([1 << (inputs - 1)]), self.strength)

    def noise(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        """Logistic noise on the entries, taken back to the weights."""
        size = like.shape[-1]
        return _uniform(like, generator).logit() @ _hadamard(size).to(like) / size

    def __repr__(self) -> str:
        return f"Walsh4(strength={self.strength:g})"


@final
class Fixed(AbstractParametrization):
    """The weights are the truth table itself: what :func:`algonets.logic.harden` leaves.

    Example:
        >>> Fixed().tables(torch.tensor([0.0, 0.0, 0.0, 1.0]))
        tensor([0., 0., 0., 1.])
    """

    def size(self, inputs: int) -> int:
        """Entries of the truth table."""
        return 1 << inputs

    def tables(self, weights: Tensor) -> Tensor:
        """The weights."""
        return weights

    def hard_tables(self, weights: Tensor) -> Tensor:
        """Entries above one half."""
        return (weights > 0.5).to(weights.dtype)

    def residual(self, inputs: int) -> Tensor:
        """The table of the first input."""
        half = 1 << (inputs - 1)
        return torch.cat((torch.zeros(half), torch.ones(half)))

    def noise(self, like: Tensor, generator: torch.Generator | None) -> Tensor:
        """None."""
        return torch.zeros_like(like)


def _hadamard(size: int) -> Tensor:
    """``H[s, x] = prod over inputs i in s of (2 x_i - 1)``, ``(size, size)``."""
    matrix = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(size.bit_length() - 1):
        matrix = torch.cat((torch.cat((matrix, matrix), 1), torch.cat((-matrix, matrix), 1)), 0)
    return matrix
