"""Predict, then optimise: costs are predicted, decisions are made by them (the benchmarks of PyEPO)."""

from algonets.experiments.predict_optimise.problems import PROBLEMS, Task
from algonets.experiments.predict_optimise.run import PredictOptimiseExperiment
from algonets.experiments.predict_optimise.training import METHODS, Outcome, train

__all__ = ["METHODS", "PROBLEMS", "Outcome", "PredictOptimiseExperiment", "Task", "train"]
