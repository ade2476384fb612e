"""Sorting supervision: learn to read numbers from their order alone (Grover et al. 2019, Petersen et al. 2022)."""

from algonets.experiments.sort_digits.evaluate import Ordering, evaluate
from algonets.experiments.sort_digits.methods import METHODS, Baseline, MethodName, build_method
from algonets.experiments.sort_digits.model import NumberSorter, order_loss
from algonets.experiments.sort_digits.run import SortDigitsExperiment

__all__ = [
    "METHODS",
    "Baseline",
    "MethodName",
    "NumberSorter",
    "Ordering",
    "SortDigitsExperiment",
    "build_method",
    "evaluate",
    "order_loss",
]
