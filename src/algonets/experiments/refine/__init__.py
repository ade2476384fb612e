"""Refining coarse segmentation maps by a learnt partial differential equation (Maggiori, Charpiat et al. 2017)."""

from algonets.experiments.refine.evaluate import Score, boundary_f, evaluate, iou
from algonets.experiments.refine.model import MapRefiner
from algonets.experiments.refine.networks import METHODS, Method, build_network
from algonets.experiments.refine.run import RefineExperiment

__all__ = [
    "METHODS",
    "MapRefiner",
    "Method",
    "RefineExperiment",
    "Score",
    "boundary_f",
    "build_network",
    "evaluate",
    "iou",
]
