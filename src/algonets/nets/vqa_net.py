"""Visual question answering: a question and a picture to an answer."""

from typing import Literal, final

import torch
from torch import Tensor, nn

from algonets._core.checks import check_at_least, values_visible
from algonets._core.errors import reject_type, require
from algonets._core.shapes import flatten_batch, unflatten_batch
from algonets.nets.net import Net, check_image_shape, check_trailing

__all__ = ["VqaNet"]


@final
class VqaNet(Net):
    """Question and picture, each encoded, multiplied and classified.

    Three models in one: ``question="bag"`` sums word vectors and knows no order; ``"lstm"`` reads them one by one;
    ``look=False`` answers blindly, from the question alone.

    Args:
        vocabulary: Number of words; word 0 is the padding after the end.
        num_answers: At least 1.
        image_shape: ``(channels, H, W)``; H and W at least 8. It fixes the size.
        question: How the question is read.
        look: Whether the picture is seen.
        width: Of word vectors and filters; the codes that are multiplied have four times as many numbers.

    The mean colour of a picture is taken away, as a bright background would drown what differs between pictures. Both
    codes are normalised (``LayerNorm``) before they are multiplied: a product of two small codes has gradients that are
    smaller still. Without either, training stays at the most frequent answer for long. The first convolution sees every
    pixel: of a small circle and a small square only corners differ.

    Input words ``(*batch, L)`` int64 and images ``(*batch, channels, H, W)``; output scores ``(*batch, num_answers)``.

    Raises:
        TypeError: If a size is no integer, words are no integers, or pictures no floating tensor.
        ValueError: If an argument is out of range, a word is unknown, or an input has another shape.

    Differentiability: almost everywhere.
    References: Antol et al. 2015, VQA: Visual Question Answering, section 5.

    Example:
        >>> net = VqaNet(12, 4, (3, 16, 16), width=8)
        >>> net(torch.tensor([[3, 5, 0], [1, 2, 3]]), torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        vocabulary: int,
        num_answers: int,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        question: Literal["bag", "lstm"] = "lstm",
        look: bool = True,
        width: int = 64,
    ):
        super().__init__()
        self.vocabulary = check_at_least("VqaNet(vocabulary)", vocabulary, 2)
        self.num_answers = check_at_least("VqaNet(num_answers)", num_answers, 1)
        self.image_shape = check_image_shape("VqaNet(image_shape)", image_shape, 8)
        require(question in ("bag", "lstm"), "VqaNet(question)", "must be bag or lstm", question)
        self.question: Literal["bag", "lstm"] = question
        self.look, self.width = bool(look), check_at_least("VqaNet(width)", width, 1)
        channels, height, breadth = self.image_shape
        code = 4 * width
        self.words = nn.Embedding(vocabulary, width, padding_idx=0)
        self.reader = nn.LSTM(width, width, batch_first=True) if question == "lstm" else None
        self.eye = None
        if look:
            flat = width * ((height + 3) // 4) * ((breadth + 3) // 4)
            self.eye = nn.Sequential(
                *_convolution(channels + 2, (width + 1) // 2, 1),
                *_convolution((width + 1) // 2, width, 2),
                *_convolution(width, width, 2),
                nn.Flatten(), nn.Linear(flat, code), nn.LayerNorm(code),
            )  # fmt: skip
        self.asked = nn.Sequential(nn.Linear(width, code), nn.LayerNorm(code))
        self.answerer = nn.Sequential(nn.Linear(code, code), nn.ReLU(), nn.Linear(code, num_answers))

    def forward(self, words: Tensor, images: Tensor) -> Tensor:
        """Score the answers."""
        good = words.ndim >= 1 and words.shape[-1] >= 1 and words.shape[:-1] == images.shape[:-3]
        require(good, "VqaNet(words)", f"must have shape (*batch, L) for images {tuple(images.shape)}", words)
        if words.is_floating_point() or words.dtype == torch.bool:
            reject_type("VqaNet(words)", "must be integers, the numbers of words", words)
        if values_visible(words) and words.numel():
            known = bool(((words >= 0) & (words < self.vocabulary)).all())
            require(known, "VqaNet(words)", f"must be from 0 to {self.vocabulary - 1}", words)
        check_trailing("VqaNet(images)", images, self.image_shape)
        joined = self.asked(self._read(flatten_batch(words, 1)))
        if self.eye is not None:
            seen = flatten_batch(images, 3)
            centred = seen - seen.mean((-2, -1), keepdim=True)
            joined = joined * self.eye(torch.cat([centred, _places(seen)], 1))
        return unflatten_batch(self.answerer(joined), words.shape[:-1])

    def _read(self, words: Tensor) -> Tensor:
        vectors = self.words(words)
        if self.reader is None:
            return vectors.sum(1)
        states, _ = self.reader(vectors)
        last = (words != 0).sum(-1).sub(1).clamp_min(0)  # an empty question is read as one padding
        return states[torch.arange(len(words), device=words.device), last]


def _convolution(inputs: int, outputs: int, stride: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()


def _places(images: Tensor) -> Tensor:
    """Two channels that say where a pixel is, from -1 to 1."""
    lines = [torch.linspace(-1, 1, side, dtype=images.dtype, device=images.device) for side in images.shape[-2:]]
    return torch.stack(torch.meshgrid(*lines, indexing="ij")).expand(len(images), -1, -1, -1)
