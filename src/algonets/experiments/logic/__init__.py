"""Learning logic circuits: digits, MNIST, CIFAR-10, the MONK's problems, census and medical tables."""

from algonets.experiments.logic.run import LogicExperiment

__all__ = ["LogicExperiment"]
