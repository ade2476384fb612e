"""Read words whose letters nobody cut apart: CTC and a graph transformer beside given segmentation."""

from algonets.experiments.strips.run import StripsExperiment

__all__ = ["StripsExperiment"]
