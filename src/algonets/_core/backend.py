"""Which implementation runs: the native CPU kernels, or the plain-torch reference."""

from typing import Any

import torch

from algonets._core import extension
from algonets._core.checks import carries_tangent
from algonets._core.errors import reject, require

_native: Any = extension.module
_why_not = extension.why_not

__all__ = [
    "active_backend",
    "backend",
    "get_num_threads",
    "native",
    "native_status",
    "set_num_threads",
    "use_native",
]

_CHOICES = ("auto", "native", "torch")
_DTYPES = (torch.float32, torch.float64)
_setting = "auto"
_threads: int | None = None


class backend:
    """Choose the backend of every operation, for the whole process.

    ``backend("torch")`` forces the plain-torch reference. ``backend("native")`` demands the compiled CPU
    kernels: an operation that has one, but not for the device or dtype given, raises; those without a kernel
    run on torch. ``backend("auto")`` (the default) uses a kernel where there is one for the device and
    dtype. It takes effect at once; as a context manager it also restores what was set before.

    Args:
        name: ``"auto"``, ``"native"`` or ``"torch"``.

    Raises:
        ValueError: for any other name.
        RuntimeError: for ``"native"`` when the package was installed without a C++ compiler.

    Example:
        >>> import algonets as an
        >>> with an.backend("torch"):
        ...     an.active_backend()
        'torch'
    """

    def __init__(self, name: str):
        global _setting  # noqa: PLW0603 - the process-wide switch is the point
        require(name in _CHOICES, "backend(name)", f"must be one of {', '.join(_CHOICES)}", name)
        if name == "native" and _native is None:
            raise RuntimeError(
                f"backend('native') needs the compiled kernels, which could not be loaded ({_why_not}). "
                "Install a C++ compiler and reinstall algonets; `algonets doctor` shows the state."
            )
        self.name = name
        self._before = _setting
        self._outer: list[str] = []
        _setting = name

    def __enter__(self) -> "backend":
        global _setting  # noqa: PLW0603
        self._outer.append(self._before)
        _setting = self.name
        return self

    def __exit__(self, *exception: object) -> None:
        global _setting  # noqa: PLW0603
        _setting = self._outer.pop()
        self._before = _setting

    def __repr__(self) -> str:
        return f"backend({self.name!r})"


def active_backend() -> str:
    """Return the setting in force: ``"auto"``, ``"native"`` or ``"torch"``."""
    return _setting


def native_status() -> tuple[bool, str]:
    """Return whether the compiled kernels are loaded, and their instruction set or the reason why not."""
    return (_native is not None, _native.isa() if _native is not None else _why_not)


def native():
    """Return the extension module; call it only after :func:`use_native` said yes."""
    if _native is None:
        raise RuntimeError(f"the compiled kernels of algonets are not available: {_why_not}")
    return _native


def use_native(call: str, *tensors: torch.Tensor | None) -> bool:
    """Decide whether ``call`` may run on the native kernels, given its tensor arguments."""
    if _setting == "torch" or _native is None:
        return False
    fits = True
    for t in tensors:  # a plain loop is faster, and this runs in every call
        if t is None:
            continue
        if carries_tangent(t):
            return False  # forward mode and torch.func differentiate the reference
        fits = fits and t.device.type == "cpu" and t.dtype in _DTYPES
    if _setting == "native" and not fits:
        odd = next(t for t in tensors if t is not None and (t.device.type != "cpu" or t.dtype not in _DTYPES))
        reject(
            call,
            "under backend('native') takes float32 or float64 CPU tensors",
            f"{odd.dtype} on {odd.device}",
            "Use backend('auto').",
        )
    return fits


def set_num_threads(threads: int | None) -> None:
    """Set how many threads a native kernel may use; ``None`` (the default) follows ``torch.get_num_threads()``.

    Kernels stay on one thread while the work is too small to gain from more.
    """
    global _threads  # noqa: PLW0603
    if threads is not None:
        good = isinstance(threads, int) and not isinstance(threads, bool) and threads >= 1
        require(good, "set_num_threads(threads)", "must be a positive integer or None", threads)
    _threads = threads


def get_num_threads() -> int:
    """Return how many threads a native kernel may use."""
    return _threads if _threads is not None else torch.get_num_threads()
