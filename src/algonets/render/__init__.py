"""Differentiable rendering of triangle meshes, with every law and every t-conorm."""

__all__: list[str] = []
