"""Reading handwritten words: the main experiment (Osokin 2019's running example)."""

from algonets.experiments.words.checkpoint import load_reader
from algonets.experiments.words.evaluate import Reading, evaluate
from algonets.experiments.words.model import WAYS, Way, WordReader
from algonets.experiments.words.run import WordsExperiment

__all__ = ["WAYS", "Reading", "Way", "WordReader", "WordsExperiment", "evaluate", "load_reader"]
