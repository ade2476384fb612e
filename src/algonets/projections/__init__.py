"""Closed-form projections with their exact Jacobians."""

__all__: list[str] = []
