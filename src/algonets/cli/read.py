"""``algonets read``: the word in an image, its probability, and the next-best words."""

from pathlib import Path

import numpy
import torch
from torch.nn import functional

from algonets.experiments._training import RunError
from algonets.experiments.words import load_reader

__all__ = ["letters_of", "read"]


def read(image: Path, checkpoint: Path, letters: int | None = None, best: int = 5) -> int:
    """Print the readings of an image by a trained reader, best first."""
    for option, value in (("--best", best), ("--letters", letters)):
        if value is not None and value < 1:
            raise RunError(f"{option} must be at least 1, got {value}.")
    reader = load_reader(checkpoint)
    if best > 1000:
        raise RunError(f"--best must be at most 1000, got {best}.")
    images = letters_of(image, reader.scorer.image_shape, letters)
    with torch.inference_mode():
        chain = reader.chain(images.unsqueeze(0), torch.tensor([len(images)]))
        first = reader.read(chain)
        scores, labels = chain.topk(best)
        others = [k for k in range(best) if not torch.equal(labels[0, k], first[0]) and labels[0, k, 0] >= 0]
        rows = [first[0], *(labels[0, k] for k in others)][:best]
        logs = torch.cat([chain.log_prob(first), scores[0, others] - chain.log_partition()])
        probabilities = logs.exp().clamp_max(1).tolist()[:best]
    for rank, (probability, row) in enumerate(zip(probabilities, rows, strict=True)):
        print(f"{reader.spell(row)}  {100 * probability:6.2f} %{'' if rank else '   <- the reading'}")
    if reader.way not in ("independent", "analytic"):
        print(f"(Training {reader.way} shapes scores, not probabilities: take the percentages as an order.)")
    return 0


def letters_of(path: Path, shape: tuple[int, int, int], letters: int | None = None) -> torch.Tensor:
    """Return ``(T, 1, H, W)`` letter images in [0, 1], ink 1, from a PNG strip or an npz file.

    Args:
        path: A picture, dark on light or light on dark, with letters side by side in cells of equal width;
            or npz with an array ``images`` of shape ``(T, H, W)`` or ``(T, 1, H, W)``, values in [0, 1].
        shape: ``(1, H, W)`` that the reader was trained on; a picture is resized to it.
        letters: How many there are in a picture; by default from its width and height.

    Raises:
        RunError: if the file is missing, unreadable, or of the wrong shape.
    """
    _, height, width = shape
    if not path.is_file():
        raise RunError(f"read: the image must be a file, got {path}.")
    if path.suffix == ".npz":
        return _from_npz(path, height, width)
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            if picture.mode.startswith("I"):  # 16 bits, which convert("L") would clip
                pixels = torch.from_numpy(numpy.asarray(picture, dtype=numpy.float32) / 65535)
            else:
                paper = Image.new("RGBA", picture.size, "white")
                flat = Image.alpha_composite(paper, picture.convert("RGBA")).convert("L")
                pixels = torch.from_numpy(numpy.asarray(flat, dtype=numpy.float32) / 255)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise RunError(f"read: {path} must be a picture (PNG) or npz, but it could not be read ({error}).") from error
    border = torch.cat([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ink = 1 - pixels if border.median() > 0.5 else pixels
    count = letters or max(round(pixels.shape[1] * height / (pixels.shape[0] * width)), 1)
    if pixels.shape[1] < count:
        raise RunError(
            f"read: {path} is {pixels.shape[1]} pixels wide, too narrow for {count} letters. Check --letters."
        )
    strip = ink[None, None]
    if strip.shape[-2:] != (height, count * width):
        strip = functional.interpolate(strip, (height, count * width), mode="bilinear", antialias=True)
    return strip[0, 0].unflatten(1, (count, width)).movedim(1, 0).unsqueeze(1).contiguous()


def _from_npz(path: Path, height: int, width: int) -> torch.Tensor:
    try:
        with numpy.load(path, allow_pickle=False) as content:
            images = numpy.asarray(content["images"], dtype=numpy.float32)
    except Exception as error:
        raise RunError(
            f"read: {path} must be npz with an array `images`, but it could not be read ({error})."
        ) from error
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    if images.ndim != 3 or images.shape[1:] != (height, width) or not len(images):
        raise RunError(f"read: `images` must have shape (T, {height}, {width}) with T >= 1, got {images.shape}.")
    if not (numpy.isfinite(images).all() and images.min() >= 0 and images.max() <= 1):
        raise RunError(f"read: `images` must lie in [0, 1], got {images.min()} .. {images.max()}.")
    return torch.from_numpy(images).unsqueeze(1)
