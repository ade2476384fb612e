"""Questions about stories: an end-to-end memory network on the twenty bAbI tasks."""

from algonets.experiments.babi.model import MODELS, Model, Recipe, StoryReader
from algonets.experiments.babi.run import BabiExperiment
from algonets.experiments.babi.stories import StoryBatch, StorySet, Vocabulary, spread

__all__ = [
    "MODELS",
    "BabiExperiment",
    "Model",
    "Recipe",
    "StoryBatch",
    "StoryReader",
    "StorySet",
    "Vocabulary",
    "spread",
]
