"""Networks that are logic circuits: trained by gradient descent, run bit-packed."""

__all__: list[str] = []
