"""Recalling digits: Hopfield's networks, Hamming's, and the modern one (the lecture's task)."""

from algonets.experiments.memory.capacity import digit_capacity, random_capacity, random_overlaps
from algonets.experiments.memory.patterns import Patterns, load_patterns
from algonets.experiments.memory.recall import MEMORIES, Recall, classify, make_memory, recall
from algonets.experiments.memory.run import MemoryExperiment

__all__ = [
    "MEMORIES",
    "MemoryExperiment",
    "Patterns",
    "Recall",
    "classify",
    "digit_capacity",
    "load_patterns",
    "make_memory",
    "random_capacity",
    "random_overlaps",
    "recall",
]
