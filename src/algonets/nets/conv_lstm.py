"""ConvLSTM: a memory at every pixel, with the same gates everywhere."""

from typing import final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_sizes

__all__ = ["ConvLSTM"]


@final
class ConvLSTM(Net):
    """Forecasts frames of a film by LSTM layers whose products are convolutions.

    It reads the frames given, then goes on with its own forecasts. As the weights are the same at all places, what it
    learnt in one part of the picture holds in the others.

    Args:
        channels: Of a frame.
        hidden: Channels of the state of each layer.
        kernel_size: Side of the convolutions, odd.

    Input frames ``(*batch, T, channels, H, W)`` float in [0, 1] of any size, T at least 1; output the logits of the
    next ``ahead`` frames, ``(*batch, ahead, channels, H, W)``.

    Raises:
        TypeError: If a size is no integer, or an input no floating tensor.
        ValueError: If an argument is out of range, or an input has another shape.

    Differentiability: any order.
    Cost: T + ahead steps, one after the other.
    References: Shi et al. 2015, Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting.

    Example:
        >>> ConvLSTM(1, (4,))(torch.rand(2, 5, 1, 9, 7), ahead=3).shape
        torch.Size([2, 3, 1, 9, 7])
    """

    def __init__(self, channels: int = 1, hidden: tuple[int, ...] = (16,), kernel_size: int = 5):
        super().__init__()
        self.channels = check_at_least("ConvLSTM(channels)", channels, 1)
        self.hidden = check_sizes("ConvLSTM(hidden)", hidden)
        check_at_least("ConvLSTM(kernel_size)", kernel_size, 1)
        require(kernel_size % 2 == 1, "ConvLSTM(kernel_size)", "must be odd", kernel_size)
        self.kernel_size = kernel_size
        inputs = (channels, *self.hidden[:-1])
        self.gates = nn.ModuleList(
            nn.Conv2d(a + b, 4 * b, kernel_size, padding=kernel_size // 2)
            for a, b in zip(inputs, self.hidden, strict=True)
        )
        self.last = nn.Conv2d(self.hidden[-1], channels, 1)

    def forward(self, frames: Tensor, ahead: int = 1) -> Tensor:
        """Return the logits of the next ``ahead`` frames."""
        good = frames.ndim >= 4 and frames.shape[-3] == self.channels and frames.shape[-4] >= 1
        require(good, "ConvLSTM(frames)", f"must have shape (*batch, T, {self.channels}, H, W), T at least 1", frames)
        check_at_least("ConvLSTM.forward(ahead)", ahead, 1)
        film = flatten_batch(frames, 4)
        side = film.shape[-2:]
        states = [(film.new_zeros(len(film), size, *side),) * 2 for size in self.hidden]
        for frame in film.unbind(1):
            states = self._step(frame, states)
        forecasts = [self.last(states[-1][0])]
        while len(forecasts) < ahead:
            states = self._step(forecasts[-1].sigmoid(), states)
            forecasts.append(self.last(states[-1][0]))
        return unflatten_batch(torch.stack(forecasts, 1), frames.shape[:-4])

    def _step(self, x: Tensor, states: list[tuple[Tensor, ...]]) -> list[tuple[Tensor, ...]]:
        result = []
        for convolve, (hidden, before) in zip(self.gates, states, strict=True):
            write, forget, new, read = convolve(torch.cat([x, hidden], 1)).chunk(4, 1)
            memory = (forget + 1).sigmoid() * before + write.sigmoid() * new.tanh()  # + 1: remember at first
            x = read.sigmoid() * memory.tanh()
            result.append((x, memory))
        return result
