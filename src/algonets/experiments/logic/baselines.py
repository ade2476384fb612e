"""Classical models on the same bits."""

import time
import warnings
from typing import Any

import numpy as np

from algonets.experiments.logic.tasks import Task

__all__ = ["baselines"]

_MOST = 20_000


def baselines(task: Task, parameters: int, seed: int) -> dict[str, dict[str, Any]]:
    """Test accuracy, percent, of a linear model, a tree, and a perceptron with one hidden layer.

    Args:
        task: The data; of more than 20,000 rows the first 20,000 are used for training.
        parameters: How many numbers the perceptron may have, as many as the circuit has gates.
        seed: Of their random draws.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.tree import DecisionTreeClassifier

    x, y = task.train[:_MOST].flatten(1).numpy().astype(np.float32), task.train_labels[:_MOST].numpy()
    test, truth = task.test.flatten(1).numpy().astype(np.float32), task.test_labels.numpy()
    top = max(float(x.max()), 1.0)
    hidden = max(1, round(parameters / (x.shape[1] + task.classes + 1)))
    models = {
        "logistic regression": LogisticRegression(max_iter=300),
        "decision tree": DecisionTreeClassifier(random_state=seed),
        f"MLP, {hidden} hidden": MLPClassifier((hidden,), random_state=seed, max_iter=200 if len(x) < 5000 else 30),
    }
    found = {}
    for name, model in models.items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x / top, y)
        right = float((model.predict(test / top) == truth).mean())
        found[name] = {"accuracy": round(100 * right, 2), "seconds": round(time.perf_counter() - start, 2)}
    return found
