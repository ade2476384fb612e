"""Networks that learn through programs: bubble sort, edit distance, shortest paths under ``algonets.relax``.

Each experiment trains one network by one program at several temperatures and under several laws, and by baselines
without the program: the same data, steps and first weights for all.
"""

from algonets.experiments.relax.edit import EditTask, RelaxEditExperiment
from algonets.experiments.relax.learner import Learner
from algonets.experiments.relax.methods import LAWS, Method, grid
from algonets.experiments.relax.path import PathTask, RelaxPathExperiment
from algonets.experiments.relax.sort import RelaxSortExperiment, SortTask

__all__ = [
    "LAWS",
    "EditTask",
    "Learner",
    "Method",
    "PathTask",
    "RelaxEditExperiment",
    "RelaxPathExperiment",
    "RelaxSortExperiment",
    "SortTask",
    "grid",
]
