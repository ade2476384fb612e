"""Shapes from one picture, learnt from silhouettes alone (after Liu et al. 2019, Soft Rasterizer)."""

from algonets.experiments.render_reconstruct.family import Family, superquadrics, vehicles
from algonets.experiments.render_reconstruct.model import Reconstructor
from algonets.experiments.render_reconstruct.run import RenderReconstructExperiment

__all__ = ["Family", "Reconstructor", "RenderReconstructExperiment", "superquadrics", "vehicles"]
