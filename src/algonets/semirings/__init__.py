"""Semirings: one dynamic program, many algorithms.

Exact: ``MaxPlus`` (best), ``MinPlus`` (cheapest), ``KMax`` (k best), ``Counting``, ``Boolean``.
Smooth: ``Log`` (marginals), ``SoftMin``, ``Entropy``, ``Sampling`` (exact samples), ``SparseMax`` (sparse marginals).
"""

from algonets.semirings.base import Semiring
from algonets.semirings.hard import Boolean, Counting, KMax, MaxPlus, MinPlus
from algonets.semirings.smooth import Entropy, Log, Sampling, SoftMin, SparseMax

__all__ = [
    "Boolean",
    "Counting",
    "Entropy",
    "KMax",
    "Log",
    "MaxPlus",
    "MinPlus",
    "Sampling",
    "Semiring",
    "SoftMin",
    "SparseMax",
]
