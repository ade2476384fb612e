"""Layers around solvers: gradients for algorithms that can only be called."""

__all__: list[str] = []
