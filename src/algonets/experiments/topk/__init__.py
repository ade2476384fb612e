"""Top-k classification: training for "among the first k" instead of "the first" (Petersen et al. 2022)."""

from algonets.experiments.topk.evaluate import accuracies
from algonets.experiments.topk.model import PictureClassifier
from algonets.experiments.topk.run import TopKExperiment

__all__ = ["PictureClassifier", "TopKExperiment", "accuracies"]
