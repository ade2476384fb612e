"""Alignments and trees: averages of warped series by soft-DTW, and parsers that learn a small grammar."""

from algonets.experiments.align.run import AlignExperiment

__all__ = ["AlignExperiment"]
