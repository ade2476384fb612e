"""A network of infinite depth against unrolled ones with the same parameters."""

from algonets.experiments.equilibrium.measure import saved_bytes, step_seconds
from algonets.experiments.equilibrium.model import EquilibriumClassifier, Step
from algonets.experiments.equilibrium.run import EquilibriumExperiment

__all__ = ["EquilibriumClassifier", "EquilibriumExperiment", "Step", "saved_bytes", "step_seconds"]
