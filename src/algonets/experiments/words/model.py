"""A network that reads words: a letter scorer with a linear chain on top, trained in one of the ways."""

from typing import Any, Literal

import lightning
import torch
from torch.nn import functional

from algonets import losses
from algonets.data import WordBatch
from algonets.dp import CRF, LinearChain
from algonets.nets import LetterScorer

__all__ = ["WAYS", "Way", "WordReader"]

Way = Literal["independent", "pool-perceptron", "pool-hinge", "unroll", "analytic"]
WAYS: tuple[Way, ...] = ("independent", "pool-perceptron", "pool-hinge", "unroll", "analytic")


class WordReader(lightning.LightningModule):
    """Letter images to words.

    Args:
        way: How the chain enters. ``independent``: not at all, each letter by itself. ``pool-perceptron`` and
            ``pool-hinge``: Viterbi, with the gradient to the selected scores. ``unroll``: a few iterations of belief
            propagation as layers. ``analytic``: the likelihood, with the marginals as its gradient.
        image_shape: ``(1, H, W)`` of a letter.
        alphabet: The letters in label order.
        width: Channels of the letter scorer.
        dropout: Of the letter scorer.
        iterations: Unrolled iterations of ``unroll``.
        margin: Cost of a wrong letter of ``pool-hinge``.
        learning_rate: Peak of the one-cycle schedule.
        transition_rate: Learning rate of the chain's own scores, relative to that of the letter scorer.
        distortion: Strength of random shifts and affine maps of the training images; 0 for none.
    """

    def __init__(
        self,
        way: Way,
        image_shape: tuple[int, int, int],
        alphabet: str,
        width: int = 32,
        dropout: float = 0.4,
        iterations: int = 3,
        margin: float = 1.0,
        learning_rate: float = 3e-3,
        transition_rate: float = 3.0,
        distortion: float = 0.7,
    ):
        super().__init__()
        self.save_hyperparameters()
        self.way, self.alphabet = way, alphabet
        self.iterations, self.margin = iterations, margin
        self.learning_rate, self.transition_rate, self.distortion = learning_rate, transition_rate, distortion
        self.scorer = LetterScorer(image_shape, len(alphabet), width, dropout)
        self.crf = None if way == "independent" else CRF(len(alphabet))

    def chain(self, images: torch.Tensor, lengths: torch.Tensor) -> LinearChain:
        """Return the chain over the letters of ``(B, T, 1, H, W)`` images; without transitions if independent."""
        inside = torch.arange(images.shape[1], device=images.device) < lengths[:, None]
        letters = images[inside]
        if self.training and self.distortion:
            letters = distort(letters, self.distortion)
        scores = self.scorer(letters)
        unary = scores.new_zeros(*inside.shape, scores.shape[-1]).index_put(inside.nonzero(as_tuple=True), scores)
        if self.crf is None:
            return LinearChain(unary, unary.new_zeros(unary.shape[-1], unary.shape[-1]), lengths=lengths)
        return self.crf.chain(unary, lengths)

    def loss(self, chain: LinearChain, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean loss a letter of the chosen way; labels are -1 beyond the length."""
        letters = (labels >= 0).sum()
        if self.way == "pool-perceptron":
            return losses.perceptron(chain, labels, reduction="sum") / letters
        if self.way == "pool-hinge":
            return losses.structured_hinge(chain, labels, self.margin, reduction="sum") / letters
        if self.way == "unroll":
            beliefs = chain.messages(self.iterations).clamp_min(torch.finfo(torch.float32).tiny)
            return functional.nll_loss(beliefs.log().flatten(0, 1), labels.flatten(), ignore_index=-1)
        # Without transitions the likelihood of the chain is that of its letters: the same loss serves `independent`.
        return losses.nll(chain, labels, reduction="sum") / letters

    def read(self, chain: LinearChain) -> torch.Tensor:
        """Return labels ``(B, T)``, -1 beyond the length: the best sequence, or the strongest belief if unrolled."""
        if self.way != "unroll":
            return chain.argmax()
        beliefs = chain.messages(self.iterations)
        return torch.where(beliefs.sum(-1) > 0, beliefs.argmax(-1), -1)

    def spell(self, labels: torch.Tensor) -> str:
        """Return the string of a row of labels."""
        return "".join(self.alphabet[k] for k in labels.tolist() if k >= 0)

    def training_step(self, batch: WordBatch, batch_index: int) -> torch.Tensor:
        """One step of training; logs the loss."""
        chain = self.chain(batch.images, batch.lengths)
        loss = self.loss(chain, batch.labels)
        self.log("loss", loss, prog_bar=True, batch_size=len(batch.words))
        return loss

    def configure_optimizers(self) -> Any:
        """Adam with a one-cycle schedule over the whole run."""
        groups = [{"params": list(self.scorer.parameters()), "lr": self.learning_rate}]
        if self.crf is not None:
            groups.append({"params": list(self.crf.parameters()), "lr": self.learning_rate * self.transition_rate})
        optimizer = torch.optim.Adam(groups)
        steps = max(int(self.trainer.estimated_stepping_batches), 2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [g["lr"] for g in groups], total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def distort(images: torch.Tensor, strength: float) -> torch.Tensor:
    """Shift, shear, rotate and scale each image ``(N, C, H, W)`` at random: about a tenth, and most of a pixel."""
    count, _, height, width = images.shape
    linear = torch.eye(2, device=images.device) + 0.1 * strength * torch.randn(count, 2, 2, device=images.device)
    shift = 0.7 * strength * torch.randn(count, 2, 1, device=images.device)
    size = images.new_tensor([width, height])
    maps = torch.cat([linear * (size / size[:, None]), shift * 2 / size[:, None]], 2)
    grid = functional.affine_grid(maps.to(images.dtype), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)
