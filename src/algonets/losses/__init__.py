"""Losses that contain an algorithm: ``nll`` (analytic), ``perceptron`` and ``structured_hinge`` (pool)."""

from algonets.losses.structured import nll, perceptron, structured_hinge

__all__ = ["nll", "perceptron", "structured_hinge"]
