"""The public face: ``@algonets.relax`` and the relaxed function that it makes."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, overload

from torch import Tensor
from torch.utils import _pytree as pytree

from algonets._core.errors import reject
from algonets.relax import builtin_calls, categorical, errors, report, scaling
from algonets.relax.execution import Execution
from algonets.relax.options import NAMES, Options
from algonets.relax.program import program_of

__all__ = ["Relax", "Relaxed", "relax"]


class Relaxed:
    """A Python function that became a differentiable layer; made by :func:`algonets.relax`.

    The function is written for one example. ``f(x)`` is the hard call: exactly the Python function, on every example
    of a batch. ``f.soft(x, ...)`` is the relaxed one: a comparison of real numbers becomes a probability, both
    branches run, and their results are averaged.

    Attributes:
        original: the Python function.
        source: the generated code, for reading.
        options: the defaults given at the decorator.

    Differentiability, cost: see :meth:`soft`.
    """

    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[..., Any], options: Options):
        functools.update_wrapper(self, function)
        del self.__dict__["__wrapped__"]  # inspect must not take the signature of one example for ours
        self.original = function
        self.options = options
        self.__relaxed_program__ = program_of(function)
        taken = [name for name in self.__relaxed_program__.signature.parameters if name in NAMES]
        if taken:
            reject(
                f"relax({self.__qualname__})", "must not have parameters with names of options", taken, "Rename them."
            )

    @property
    def source(self) -> str:
        """The generated code; ``_rt`` is the runtime of a call."""
        return self.__relaxed_program__.source

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The hard call: the Python function on every example.

        Args:
            *args: the arguments of the function. Tensors have one leading batch dimension, or as ``batch_dims`` says.
            **kwargs: the same, and ``batch_dims``.

        Returns:
            What the function returns, with the batch first. Integers are int64 tensors, truth values bool tensors,
            lists are stacked. Without any tensor among the arguments it is the function itself.
        """
        choices: dict[str, Any] = {"mode": "hard", "report": False}
        if not any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves((args, kwargs))):
            kwargs.pop("batch_dims", None)
            return self.original(*args, **kwargs)
        if "batch_dims" in kwargs:
            choices["batch_dims"] = kwargs.pop("batch_dims")
        return self._execute("", args, kwargs, choices)

    def soft(self, *args: Any, **kwargs: Any) -> Any:
        """The relaxed call.

        ``if c: s = f(s) else: s = g(s)`` becomes ``s = p f(s) + (1 - p) g(s)`` with ``p = F(x - y)`` for ``c = x > y``
        (``x >= y`` the same, ``x < y`` as ``y > x``); ``x == y`` becomes ``4 F(m + d) F(m - d)``, ``d = x - y``, ``m``
        the median. ``while c`` becomes ``sum_k P(the loop ends after k passes) s_k``.

        Args:
            *args: the arguments of the function, as of the hard call.
            **kwargs: the same, and the options:
                ``distribution``, the law ``F`` (default ``Logistic(0.1)``); its scale may be a tensor with gradient,
                without dimensions or one of each example.
                ``conjunction``, the t-conorm of ``or``; its t-norm is ``and`` (default ``Probabilistic()``).
                ``mode``: ``"soft"``, ``"hard"``, or ``"straight_through"`` (the hard value, the soft gradient).
                ``merge``: ``"mean"`` merges where branches meet; ``"paths"`` enumerates all paths and averages their
                results; ``"sample"`` averages ``samples`` of them, drawn from ``generator``, with score gradients.
                ``loops``: ``"dynamic"`` loops stop when no example has more mass than ``epsilon`` inside;
                ``"static"`` ones run ``max_iterations`` times and never look at values, for ``torch.compile``
                and ``vmap``.
                ``epsilon`` (1e-5), ``max_iterations`` (1024), ``max_depth`` (64, of recursion), ``max_paths`` (4096).
                ``batch_dims``: number of leading batch dimensions of each tensor (1); 0 for a single example; a
                mapping or tuple for single arguments, where ``None`` marks one that the batch shares.
                ``report``: also return a :class:`Report`.

        Returns:
            What the function returns, averaged, batch first, floating; with ``report=True`` a pair with the report.

        Raises:
            RelaxSyntaxError: for a helper with a construct that cannot be relaxed.
            TypeError: for values or indices that have no mean, and wrong kinds of options.
            ValueError: for options out of range and batches that do not agree.
            UnreachedPathsError: for more paths than ``max_paths``.

        Differentiability: as often as the law, with respect to all floating arguments and the scale;
        ``merge="sample"`` and ``mode="straight_through"`` once.
        Cost: both arms of every branch that real numbers decide on, so time and memory O(statements run * batch).
        References: Petersen, Borgelt, Kuehne, Deussen 2021, Learning with Algorithmic Supervision via Continuous
            Relaxations.

        Example:
            >>> import algonets as an, torch
            >>> @an.relax
            ... def relu(x):
            ...     if x < 0:
            ...         x = 0.0
            ...     return x
            >>> relu(torch.tensor([-1.0, 2.0]))
            tensor([0., 2.])
            >>> relu.soft(torch.tensor([-1.0, 2.0]), distribution=an.distributions.Logistic(1.0))
            tensor([-0.2689,  1.7616])
        """
        choices = {name: kwargs.pop(name) for name in NAMES if name in kwargs}
        return self._execute(".soft", args, kwargs, choices)

    def _execute(self, way: str, args: tuple, kwargs: dict, choices: dict[str, Any]) -> Any:
        options = dataclasses.replace(self.options, **choices).checked(f"{self.__qualname__}{way}")
        return Execution(self.__qualname__, self.__relaxed_program__, args, kwargs, options).run()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else BoundRelaxed(self, instance)

    def __reduce__(self) -> str:
        return self.__qualname__  # by its name, as functions are

    def __repr__(self) -> str:
        return f"Relaxed({self.__qualname__}{self.__relaxed_program__.signature})"


class BoundRelaxed:
    """A relaxed method of an object."""

    def __init__(self, relaxed: Relaxed, instance: Any):
        self.relaxed, self.instance = relaxed, instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.relaxed(self.instance, *args, **kwargs)

    def soft(self, *args: Any, **kwargs: Any) -> Any:
        """See :meth:`Relaxed.soft`."""
        return self.relaxed.soft(self.instance, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name in ("relaxed", "instance"):
            raise AttributeError(name)
        return getattr(self.relaxed, name)

    def __reduce__(self) -> tuple:
        return getattr, (self.instance, self.relaxed.__name__)

    def __repr__(self) -> str:
        return f"<relaxed method {self.relaxed.__qualname__} of {self.instance!r}>"


class Relax:
    """The decorator ``algonets.relax``, and the names that go with it."""

    __name__ = "algonets.relax"  # so that `import algonets.relax.x as y` finds the submodule
    __all__ = (
        "Decision", "RelaxSyntaxError", "Relaxed", "Report", "ResidualMassWarning", "UnreachedPathsError",
        "argmax", "argmin", "equal", "scale",
    )  # fmt: skip
    Decision = report.Decision
    Relaxed = Relaxed
    Report = report.Report
    RelaxSyntaxError = errors.RelaxSyntaxError
    ResidualMassWarning = errors.ResidualMassWarning
    UnreachedPathsError = errors.UnreachedPathsError
    scale = staticmethod(scaling.scale)
    equal = staticmethod(categorical.equal)
    argmin = staticmethod(builtin_calls.argmin)
    argmax = staticmethod(builtin_calls.argmax)

    @overload
    def __call__(self, function: Callable[..., Any], /) -> Relaxed: ...

    @overload
    def __call__(self, /, **options: Any) -> Callable[[Callable[..., Any]], Relaxed]: ...

    def __call__(self, function: Any = None, /, **options: Any) -> Any:
        """Turn a Python function on one example into a differentiable layer; options are defaults of its calls."""
        unknown = [name for name in options if name not in NAMES]
        if unknown:
            raise TypeError(f"relax(...) has no option {unknown[0]!r}. Options are {', '.join(NAMES)}.")
        chosen = Options(**options).checked("relax")
        if function is None:
            return lambda f: Relaxed(f, chosen)
        return Relaxed(function, chosen)

    def __repr__(self) -> str:
        return "algonets.relax"

    def __reduce__(self) -> str:
        return "relax"


relax = Relax()
"""Decorator: an ordinary Python function, written for one example, becomes a :class:`Relaxed` layer."""
