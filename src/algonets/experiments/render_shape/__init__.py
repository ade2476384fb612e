"""A sphere deforms until its silhouettes are those of a thing (Liu et al. 2019; Petersen et al. 2022)."""

from algonets.experiments.render_shape.deform import Deformed, deform, score
from algonets.experiments.render_shape.run import RenderShapeExperiment

__all__ = ["Deformed", "RenderShapeExperiment", "deform", "score"]
