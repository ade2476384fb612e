"""Look into a network: the activations of any of its layers, and their Gram matrices."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from algonets._core.errors import reject, require

__all__ = ["features", "gram", "kernels", "record"]


@contextmanager
def record(network: nn.Module, layers: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Collect what layers return while the block runs.

    Args:
        network: Any module.
        layers: Names as of ``network.named_modules()``; all modules without children by default.

    Yields:
        A dictionary that fills with each call of the network: name to the last result of that layer, as it is (its
        graph included, so a loss on it trains the input). A layer after it that works in place, such as
        ``ReLU(inplace=True)`` in torchvision's VGG, changes what is seen.

    Raises:
        ValueError: If a name is unknown; the message lists some that are.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> with record(net, ["0"]) as seen:
        ...     _ = net(torch.zeros(5, 2))
        >>> seen["0"].shape
        torch.Size([5, 3])
    """
    modules = dict(network.named_modules())
    if layers is None:
        layers = [name for name, module in modules.items() if not any(True for _ in module.children())]
    seen: dict[str, Any] = {}
    hooks = []
    try:
        for name in layers:
            if name not in modules:
                known = [key for key in modules if key]
                reject("record(layers)", f"must be among {', '.join(known[:12])}{' ...' * (len(known) > 12)}", name)

            def keep(module: nn.Module, inputs: Any, output: Any, name: str = name) -> None:
                seen[name] = output

            hooks.append(modules[name].register_forward_hook(keep))
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def features(network: nn.Module, inputs: Tensor, layers: Sequence[str] | None = None) -> dict[str, Any]:
    """Run a network once and return what its layers returned; see :func:`record`.

    Example:
        >>> import torch
        >>> from algonets.nets import LeNet
        >>> features(LeNet(), torch.zeros(1, 1, 28, 28), ["features.2"])["features.2"].shape
        torch.Size([1, 6, 14, 14])
    """
    with record(network, layers) as seen:
        network(inputs)
    return seen


def gram(maps: Tensor) -> Tensor:
    """Return the Gram matrix of feature maps, what is left of them without their places.

    ``G_ab = mean over pixels of F_a F_b``.

    Args:
        maps: ``(*batch, C, H, W)``.

    Returns:
        ``(*batch, C, C)``.

    Differentiability: any order.
    References: Gatys, Ecker, Bethge 2015, Texture Synthesis Using Convolutional Neural Networks, equation 1, divided by
    the number of pixels.

    Example:
        >>> import torch
        >>> gram(torch.ones(2, 3, 3))
        tensor([[1., 1.],
                [1., 1.]])
    """
    require(maps.ndim >= 3, "gram(maps)", "must have shape (*batch, C, H, W)", maps)
    flat = maps.flatten(-2)
    return flat @ flat.mT / max(flat.shape[-1], 1)


def kernels(network: nn.Module, layer: str | None = None) -> Tensor:
    """Return the weights of a convolution, by default the first, for a picture: ``(out, in, h, w)``."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and layer in (None, name):
            return module.weight.detach()
    return reject("kernels(layer)", "must name a convolution", layer)
