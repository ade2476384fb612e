"""algonets: put algorithms into neural networks.

Every algorithm is a layer through which gradients flow. The rooms are imported as attributes:
``algonets.sort``, ``algonets.dp``, ``algonets.graph``, ``algonets.render``, ``algonets.logic``, ``algonets.memory``,
``algonets.equations``, ``algonets.gradients``, ``algonets.implicit``, ``algonets.projections``, ``algonets.losses``,
``algonets.training``, ``algonets.semirings``, ``algonets.distributions``, ``algonets.tconorms``, ``algonets.nets``;
``algonets.relax`` is a decorator too. Import ``algonets.data`` where datasets are needed.
"""

from algonets import (
    distributions,
    dp,
    equations,
    gradients,
    graph,
    implicit,
    logic,
    losses,
    memory,
    nets,
    projections,
    render,
    semirings,
    sort,
    tconorms,
    training,
)
from algonets._core.backend import active_backend, backend, get_num_threads, native_status, set_num_threads
from algonets.relax import relax  # the decorator; the names of its package are its attributes

__version__ = "0.1.0"

__all__ = [
    "active_backend",
    "backend",
    "distributions",
    "dp",
    "equations",
    "get_num_threads",
    "gradients",
    "graph",
    "implicit",
    "logic",
    "losses",
    "memory",
    "native_status",
    "nets",
    "projections",
    "relax",
    "render",
    "semirings",
    "set_num_threads",
    "sort",
    "tconorms",
    "training",
]
