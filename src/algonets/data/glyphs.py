"""Glyphs of the alphabet, and their random distortion into hard little letter images."""

import functools
import math
import string
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

__all__ = ["FONTS", "glyph_bank", "render_letters"]

FONTS = (
    "DejaVuSans",
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono",
    "DejaVuSerif",
    "DejaVuSerif-Italic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "STIXGeneralBolIta",
    "cmr10",
    "cmb10",
    "cmss10",
    "cmti10",
    "cmtt10",
)
"""Fonts that matplotlib ships and that have complete lower-case latin letters."""

_CELL = 48  # pixels of a glyph mask
_EM = 40.0  # font size in these pixels
_BASELINE = 0.31  # height of the baseline above the bottom of the cell
_SIZE = 16  # pixels of a letter image
_FINE = 2 * _SIZE  # it is drawn at this size and averaged down
_ZOOM = (0.7, 0.86)  # parts of a cell's width and height that an image shows
_ELASTIC = 5  # nodes of the coarse displacement field, each way
_BLOCK = 4096  # letters drawn at once


@functools.lru_cache(maxsize=1)
def glyph_bank() -> torch.Tensor:
    """Draw ``a-z`` in each font of :data:`FONTS`, all on one baseline, centred sideways.

    Returns:
        ``(fonts, 26, 48, 48)`` float32, ink 1 on 0. Drawn once a process, in about half a second;
        matplotlib's backend, figures and settings stay as they are.

    Raises:
        ImportError: if matplotlib is missing.
    """
    try:
        from matplotlib import get_data_path
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.font_manager import FontProperties
        from matplotlib.patches import PathPatch
        from matplotlib.textpath import TextPath
        from matplotlib.transforms import Affine2D
    except ImportError as error:
        raise ImportError(
            "SyntheticWords draws its letters with matplotlib's fonts. "
            "Install them with: pip install 'algonets[experiments]'"
        ) from error
    rows, columns = len(FONTS), len(string.ascii_lowercase)
    figure = Figure(figsize=(columns, rows), dpi=_CELL, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    for row, name in enumerate(FONTS):
        font = FontProperties(fname=str(Path(get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"))
        for column, letter in enumerate(string.ascii_lowercase):
            outline = TextPath((0, 0), letter, size=_EM, prop=font)
            box = outline.get_extents()
            x = (column + 0.5) * _CELL - (box.x0 + box.x1) / 2
            y = (rows - 1 - row + _BASELINE) * _CELL
            figure.add_artist(PathPatch(outline, color="black", lw=0, snap=False, transform=Affine2D().translate(x, y)))
    canvas.draw()
    ink = 1 - np.asarray(canvas.buffer_rgba())[..., 0].astype(np.float32) / 255
    cells = ink.reshape(rows, _CELL, columns, _CELL).transpose(0, 2, 1, 3)
    return torch.from_numpy(np.ascontiguousarray(cells))


def render_letters(
    labels: torch.Tensor, fonts: torch.Tensor, difficulty: float, generator: torch.Generator
) -> torch.Tensor:
    """Draw one distorted image of each letter.

    In this order: an affine map (turn, slant, size, place), a smooth random displacement, a change of stroke
    width (a random threshold on the blurred glyph), a faded bar across the letter as of a pen that ran dry,
    and grey noise.

    Args:
        labels: ``(letters,)`` int64, 0 to 25.
        fonts: ``(letters,)`` int64, indices into :data:`FONTS`.
        difficulty: factor on the amplitude of all of it; 0 draws clean letters.
        generator: the CPU generator that all randomness comes from.

    Returns:
        ``(letters, 1, 16, 16)`` float32 in [0, 1], ink is bright.

    Cost:
        About 30 microseconds a letter on one core.
    """
    if len(labels) == 0:
        return torch.zeros(0, 1, _SIZE, _SIZE)
    fields = _ink_fields()
    images = [
        _render_block(fields[font, label].unsqueeze(1), difficulty, generator)
        for label, font in zip(labels.split(_BLOCK), fonts.split(_BLOCK), strict=True)
    ]
    return torch.cat(images)


@functools.lru_cache(maxsize=1)
def _ink_fields() -> torch.Tensor:
    """The glyphs blurred and scaled to a maximum of 1, so that a threshold is a stroke width."""
    bank = glyph_bank()
    taps = torch.arange(-5.0, 6.0)
    kernel = torch.exp(-0.5 * (taps / 1.6) ** 2)
    kernel = kernel / kernel.sum()
    flat = bank.reshape(-1, 1, _CELL, _CELL)
    flat = functional.conv2d(flat, kernel.reshape(1, 1, -1, 1), padding=(5, 0))
    flat = functional.conv2d(flat, kernel.reshape(1, 1, 1, -1), padding=(0, 5))
    return (flat / flat.amax((2, 3), keepdim=True)).reshape(bank.shape)


def _render_block(fields: torch.Tensor, difficulty: float, generator: torch.Generator) -> torch.Tensor:
    n = len(fields)

    def spread(amplitude: float, *shape: int) -> torch.Tensor:
        """Uniform between -1 and 1 times an amplitude."""
        return (2 * torch.rand(n, *shape, generator=generator) - 1) * (amplitude * difficulty)

    angle, slant = spread(0.22), spread(0.3)
    width, height = torch.exp(spread(0.25)), torch.exp(spread(0.2))
    maps = torch.zeros(n, 2, 3)  # from places in the image to places in the cell
    maps[:, 0, 0] = _ZOOM[0] * width * angle.cos()
    maps[:, 0, 1] = _ZOOM[0] * width * (slant - angle.sin())
    maps[:, 1, 0] = _ZOOM[1] * height * angle.sin()
    maps[:, 1, 1] = _ZOOM[1] * height * angle.cos()
    maps[:, 0, 2], maps[:, 1, 2] = spread(0.12), spread(0.15)
    grid = functional.affine_grid(maps, [n, 1, _FINE, _FINE], align_corners=False)
    nodes = torch.randn(n, 2, _ELASTIC, _ELASTIC, generator=generator) * (0.055 * difficulty)
    bend = functional.interpolate(nodes, size=(_FINE, _FINE), mode="bicubic", align_corners=True)
    field = functional.grid_sample(fields, grid + bend.permute(0, 2, 3, 1), align_corners=False)
    threshold = 0.45 + spread(0.2, 1, 1, 1)
    ink = torch.sigmoid((field - threshold) * 12)
    # The bar: pixels near a random line lose most of their ink.
    axis = torch.linspace(-1, 1, _FINE)
    direction, offset = spread(math.pi, 1, 1), spread(0.5, 1, 1)
    distance = (direction.cos() * axis[:, None] + direction.sin() * axis[None, :] + offset).abs()
    faded = torch.sigmoid((0.09 * difficulty - distance) * 25).unsqueeze(1)
    image = functional.avg_pool2d(ink * (1 - 0.9 * min(difficulty, 1.0) * faded), 2)
    noise = torch.randn(n, 1, _SIZE, _SIZE, generator=generator) * (0.1 * difficulty)
    return (image + noise).clamp(0, 1)
