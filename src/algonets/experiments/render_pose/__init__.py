"""The pose of a camera from one silhouette, by gradients."""

from algonets.experiments.render_pose.pose import apart, recover
from algonets.experiments.render_pose.run import RenderPoseExperiment

__all__ = ["RenderPoseExperiment", "apart", "recover"]
