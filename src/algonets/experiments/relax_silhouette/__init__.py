"""A silhouette renderer written as a plain Python loop, and relaxed (the fourth experiment of AlgoVision)."""

from algonets.experiments.relax_silhouette.program import covered, distances_of, relaxed_silhouettes
from algonets.experiments.relax_silhouette.run import RelaxSilhouetteExperiment

__all__ = ["RelaxSilhouetteExperiment", "covered", "distances_of", "relaxed_silhouettes"]
