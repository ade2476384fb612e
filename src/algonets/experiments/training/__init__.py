"""Ways to train, each against the ordinary one: curvature, online learning, noise, structure, adversaries.

Eight short experiments over one machinery: some seeds, mean and deviation, a table, a picture, metrics.json.
"""

from algonets.experiments.training.compress import CompressExperiment
from algonets.experiments.training.domain_adversary import DomainAdversaryExperiment
from algonets.experiments.training.isaac import IsaacExperiment
from algonets.experiments.training.natural_gradient import NaturalGradientExperiment
from algonets.experiments.training.newton_loss import NewtonLossExperiment
from algonets.experiments.training.noise import NoiseExperiment
from algonets.experiments.training.online_memory import OnlineMemoryExperiment
from algonets.experiments.training.structure import StructureExperiment

__all__ = [
    "CompressExperiment",
    "DomainAdversaryExperiment",
    "IsaacExperiment",
    "NaturalGradientExperiment",
    "NewtonLossExperiment",
    "NoiseExperiment",
    "OnlineMemoryExperiment",
    "StructureExperiment",
]
