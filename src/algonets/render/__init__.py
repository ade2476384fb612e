"""Differentiable rendering of triangle meshes, with every law and every t-conorm."""

from algonets.render.rasterizer import Rasterizer

__all__ = ["Rasterizer"]
