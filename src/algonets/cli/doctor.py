"""``algonets doctor``: is everything there, and which backend runs."""

import importlib.metadata
import os
import platform
import sys
from pathlib import Path

import torch

import algonets
from algonets.data import cache_dir

__all__ = ["doctor"]

_EXTRAS = {
    "experiments": ("lightning", "jsonargparse", "rich", "tensorboard", "matplotlib", "pillow", "scikit-learn"),
    "docs": ("sphinx", "furo", "myst-parser", "sphinx-gallery"),
    "dev": ("pytest", "hypothesis", "scipy", "ruff", "pyright", "import-linter"),
}
_CUDA = {True: "yes", False: "no"}


def doctor() -> int:
    """Print the state of the installation; returns 0, as both backends can do all work."""
    loaded, detail = algonets.native_status()
    lines = {
        "algonets": algonets.__version__,
        "python": f"{platform.python_version()} on {platform.machine()}",
        "torch": f"{torch.__version__}, threads {torch.get_num_threads()}, CUDA {_CUDA[torch.cuda.is_available()]}",
        "backend": f"native CPU kernels ({detail})" if loaded else "plain torch (no native kernels)",
    }
    for name, packages in _EXTRAS.items():
        missing = [package for package in packages if not _version(package)]
        lines[f"extra {name}"] = f"missing {', '.join(missing)}" if missing else "installed"
    own = os.environ.get("ALGONETS_DATA")
    for label, folder in (("$ALGONETS_DATA", Path(own) if own else None), ("data cache", cache_dir())):
        lines[label] = "not set" if folder is None else f"{folder} ({_datasets(folder)})"
    for key, value in lines.items():
        print(f"{key:18} {value}")
    if not loaded:
        print(f"\nThe kernels could not be loaded: {detail}", file=sys.stderr)
        print("Everything works, slower. Install a C++ compiler and reinstall algonets to get them.", file=sys.stderr)
    return 0


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _datasets(folder: Path) -> str:
    if not folder.is_dir():
        return "does not exist"
    found = sorted(path.name for path in folder.iterdir() if path.is_dir())
    return ", ".join(found) if found else "empty"
