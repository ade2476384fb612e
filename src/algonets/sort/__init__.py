"""Differentiable sorting, ranking, top-k and quantiles: every method of the field under one contract."""

from algonets.sort.catalogue import METHODS
from algonets.sort.functions import (
    by_item,
    soft_argsort,
    soft_max,
    soft_median,
    soft_min,
    soft_quantile,
    soft_rank,
    soft_sort,
    soft_topk,
    sort_with,
)
from algonets.sort.hard import Hard
from algonets.sort.lap_sum import LapSum
from algonets.sort.method import Properties, SortMethod
from algonets.sort.modules import Argsort, Max, Median, Min, Quantile, Rank, Sort, SortWith, TopK
from algonets.sort.neural_sort import NeuralSort

__all__ = [
    "METHODS",
    "Argsort",
    "Hard",
    "LapSum",
    "Max",
    "Median",
    "Min",
    "NeuralSort",
    "Properties",
    "Quantile",
    "Rank",
    "Sort",
    "SortMethod",
    "SortWith",
    "TopK",
    "by_item",
    "soft_argsort",
    "soft_max",
    "soft_median",
    "soft_min",
    "soft_quantile",
    "soft_rank",
    "soft_sort",
    "soft_topk",
    "sort_with",
]
