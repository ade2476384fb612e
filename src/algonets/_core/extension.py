"""The compiled extension module, if there is one."""

import importlib
from typing import Any

__all__ = ["module", "why_not"]

# By name, because the floors allow no import of the package itself, and where no compiler was it is not there.
module: Any = None
why_not = ""
try:
    module = importlib.import_module("algonets._native")
except ImportError as error:  # no C++ compiler when the package was built
    why_not = str(error)
