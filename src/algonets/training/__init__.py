"""Alternative ways to train, for losses that contain algorithms."""

__all__: list[str] = []
