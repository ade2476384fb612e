"""Differentiable sorting, ranking, top-k and quantiles: every method of the field under one contract."""

from algonets.projections import sinkhorn
from algonets.sort.art import LogisticART
from algonets.sort.batcher import Batcher
from algonets.sort.bitonic import Bitonic
from algonets.sort.catalogue import METHODS
from algonets.sort.comparators import ComparatorMethod, Comparators
from algonets.sort.df_topk import DFTopK
from algonets.sort.error_free import ErrorFree
from algonets.sort.functions import by_item, soft_argsort, soft_rank, soft_sort, soft_topk, sort_with
from algonets.sort.gumbel_sinkhorn import gumbel_sinkhorn
from algonets.sort.hard import Hard
from algonets.sort.hungarian import hungarian
from algonets.sort.lap_sum import LapSum
from algonets.sort.method import Properties, SortMethod
from algonets.sort.modules import Argsort, Max, Median, Min, Quantile, Rank, Sort, SortWith, TopK
from algonets.sort.networks import Network
from algonets.sort.neural_sort import NeuralSort
from algonets.sort.odd_even import OddEven
from algonets.sort.projection import Projection
from algonets.sort.quantiles import soft_max, soft_median, soft_min, soft_quantile
from algonets.sort.softsort import SoftSort
from algonets.sort.sparse_topk import SparseTopK
from algonets.sort.suggest import suggest_scale
from algonets.sort.transport import Sinkhorn

__all__ = [
    "METHODS",
    "Argsort",
    "Batcher",
    "Bitonic",
    "ComparatorMethod",
    "Comparators",
    "DFTopK",
    "ErrorFree",
    "Hard",
    "LapSum",
    "LogisticART",
    "Max",
    "Median",
    "Min",
    "Network",
    "NeuralSort",
    "OddEven",
    "Projection",
    "Properties",
    "Quantile",
    "Rank",
    "Sinkhorn",
    "SoftSort",
    "Sort",
    "SortMethod",
    "SortWith",
    "SparseTopK",
    "TopK",
    "by_item",
    "gumbel_sinkhorn",
    "hungarian",
    "sinkhorn",
    "soft_argsort",
    "soft_max",
    "soft_median",
    "soft_min",
    "soft_quantile",
    "soft_rank",
    "soft_sort",
    "soft_topk",
    "sort_with",
    "suggest_scale",
]
