"""What all networks share: a ``repr`` that rebuilds them, checked shapes, and checkpoints by safetensors."""

import inspect
import json
import numbers
import os
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from algonets._core.checks import check_floating
from algonets._core.errors import reject, reject_type, require

__all__ = [
    "Net",
    "check_fraction",
    "check_image_shape",
    "check_images",
    "check_last",
    "check_sizes",
    "check_trailing",
    "load_net",
    "save_net",
]


class Net(nn.Module):
    """A network whose ``repr`` is the call that builds it.

    Each argument of a constructor is kept as an attribute of the same name; nothing else is asked of a subclass.
    """

    def settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.settings().items())})"

    def parameter_count(self) -> int:
        """Return how many numbers are trained."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def save_net(net: Net, path: str | os.PathLike[str]) -> None:
    """Write a network as one safetensors file: its weights, and in the header how it is built.

    Args:
        net: A network of this room.
        path: The file.

    Raises:
        TypeError: If it is another module.
        ImportError: If safetensors is missing.

    Example:
        >>> import tempfile
        >>> from algonets.nets import MLP
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_net(MLP((2, 3, 1)), f"{folder}/net.safetensors")
        ...     load_net(f"{folder}/net.safetensors")
        MLP(sizes=(2, 3, 1), activation='relu')
    """
    if not isinstance(net, Net):
        raise TypeError(f"save_net(net) must be a network of algonets.nets, got {type(net).__name__}.")
    weights = {name: value.detach().contiguous() for name, value in net.state_dict().items()}
    header = _described(net)
    _safetensors().save_file(weights, os.fspath(path), header)


def load_net(path: str | os.PathLike[str]) -> Net:
    """Rebuild a network that :func:`save_net` wrote; nothing in the file is executed.

    Args:
        path: The file.

    Returns:
        The network, in training mode as a new one, on the CPU.

    Raises:
        ValueError: If the file is of another kind.
        ImportError: If safetensors is missing.
    """
    try:
        with _safetensors().safe_open(os.fspath(path), "pt") as file:
            header: Mapping[str, str] = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, _safetensors().SafetensorError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        reject("load_net(path)", "must be a safetensors file", os.fspath(path), str(error))
    try:
        net = _built(header)
        net.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reject("load_net(path)", "must be written by save_net", os.fspath(path), str(error))
    return net


def _described(net: Net) -> dict[str, str]:
    """How a network is built, as text; a network among its arguments likewise."""
    parts = {name: _described(value) if isinstance(value, Net) else value for name, value in net.settings().items()}
    return {"class": type(net).__name__, "settings": json.dumps(parts)}


def _built(header: Mapping[str, str]) -> Net:
    from algonets import nets

    kind = getattr(nets, header["class"]) if header["class"] in nets.__all__ else None
    if not (inspect.isclass(kind) and issubclass(kind, Net)):
        raise ValueError(f"{header['class']} is no network of algonets.nets")
    settings = json.loads(header["settings"])
    return kind(**{name: _built(v) if isinstance(v, dict) else _tuples(v) for name, v in settings.items()})


def check_sizes(call: str, sizes: Any, fewest: int = 1, least: int | None = 1) -> tuple[int, ...]:
    """Require at least ``fewest`` integers of at least ``least``; any integers if that is ``None``."""
    if isinstance(sizes, str) or not isinstance(sizes, Sequence):
        reject_type(call, "must be a tuple of integers", sizes)
    require(len(sizes) >= fewest, call, f"must be at least {fewest} size{'s' * (fewest > 1)}", sizes)
    for size in sizes:
        if isinstance(size, bool) or not isinstance(size, numbers.Integral):
            reject_type(call, "must be a tuple of integers", size)
        require(least is None or int(size) >= least, call, f"must be sizes of at least {least}", sizes)
    return tuple(map(int, sizes))


def check_image_shape(call: str, image_shape: Any, least: int, multiple: int = 1) -> tuple[int, int, int]:
    """Require ``(channels, H, W)`` with sides of at least ``least`` pixels, multiples of ``multiple``."""
    sizes = check_sizes(call, image_shape, least=None)
    good = len(sizes) == 3 and sizes[0] >= 1 and min(sizes[1:]) >= least
    rule = f"must be (channels, H, W) with a channel and sides of at least {least} pixels"
    if multiple > 1:
        good = good and all(side % multiple == 0 for side in sizes[1:])
        rule += f", multiples of {multiple}"
    require(good, call, rule, image_shape)
    channels, height, width = sizes
    return channels, height, width


def check_images(call: str, images: Tensor, channels: int, least: int) -> Tensor:
    """Require floating ``(*batch, channels, H, W)`` with sides of at least ``least`` pixels."""
    check_floating(call, images)
    good = images.ndim >= 3 and images.shape[-3] == channels and min(images.shape[-2:]) >= least
    require(good, call, f"must have shape (*batch, {channels}, H, W) with H and W at least {least}", images)
    return images


def check_trailing(call: str, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Require a floating tensor whose last dimensions are ``shape``."""
    check_floating(call, tensor)
    rule = f"must have shape (*batch, {', '.join(map(str, shape))})"
    require(tuple(tensor.shape[-len(shape) :]) == shape, call, rule, tensor)
    return tensor


def check_last(call: str, tensor: Tensor, size: int) -> Tensor:
    """Require a floating tensor with a last dimension of ``size``."""
    check_floating(call, tensor)
    require(tensor.ndim >= 1 and tensor.shape[-1] == size, call, f"must have shape (*batch, {size})", tensor)
    return tensor


def check_fraction(call: str, value: float) -> float:
    """Require a number in [0, 1)."""
    good = isinstance(value, numbers.Real) and 0 <= value < 1
    require(good, call, "must be in [0, 1)", value)
    return value


def _tuples(value: Any) -> Any:
    """Undo what JSON does to tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.torch
    except ImportError as error:
        raise ImportError(
            "save_net and load_net need safetensors. Install it with: pip install 'algonets[experiments]'"
        ) from error

    class Names:
        safe_open, SafetensorError = safetensors.safe_open, safetensors.SafetensorError
        save_file = staticmethod(safetensors.torch.save_file)

    return Names
