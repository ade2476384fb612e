"""The soft network as an ONNX model."""

import importlib.util
from typing import Any

import torch
from torch import Tensor, nn

from algonets._core.backend import backend
from algonets._core.errors import require

__all__ = ["to_onnx"]


def to_onnx(network: nn.Module, example: Tensor, path: Any) -> None:
    """Export a network of gates, soft or hardened, through PyTorch's exporter.

    The model has gathers, products and sums only; batches of any size. Learned wirings and all layers of this room can
    be exported; for bits a :class:`Circuit` is thousands of times faster.

    Args:
        network: What to export, in evaluation mode for the time.
        example: A batch of inputs.
        path: Of the ``.onnx`` file.

    Raises:
        ImportError: if the packages ``onnx`` and ``onnxscript`` are missing.
        ValueError: if the example has no batch dimension.

    Differentiability:
        None.

    Cost:
        Seconds.

    Example:
        >>> to_onnx(layer, torch.rand(2, 4), "layer.onnx")  # doctest: +SKIP
    """
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(f"to_onnx needs {' and '.join(missing)}. Install with: pip install 'algonets[onnx]'")
    require(example.ndim >= 2 and len(example) > 1, "to_onnx(example)", "must be a batch of at least two", example)
    training = network.training
    network.eval()
    try:
        with backend("torch"), torch.no_grad():
            batch = torch.export.Dim("batch", min=1)
            torch.onnx.export(network, (example,), path, dynamo=True, dynamic_shapes=({0: batch},), verbose=False)
    finally:
        network.train(training)
