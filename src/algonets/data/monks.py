"""The MONK's problems: three small logical rules to be learned from examples."""

import os

import torch

from algonets._core.checks import check_at_least
from algonets._core.errors import require
from algonets.data._checks import check_train
from algonets.data._tables import BitTable
from algonets.data.location import locate
from algonets.data.remote import DatasetCorrupt, RemoteFile

__all__ = ["Monks"]

_HOME = "https://archive.ics.uci.edu/ml/machine-learning-databases/monks-problems/"
_FILES = {
    (1, "train"): ("d9c328b6f0e095ab10f7bc8468f1d2141f3d08be73e665c3bf0a62994c922606", 2947),
    (1, "test"): ("e501ada3b21d876ab86f3e1614747bd2edc443a685f229a25e480aa1dea629f6", 10260),
    (2, "train"): ("7ebcc278005737caad0cd52e6aa31256a2c3174da8047faf4ac3a9d35edbdaa8", 4013),
    (2, "test"): ("945650affde377c27f6218c8b17893e339ea831f4bee9f9d7123020699cfbf40", 10260),
    (3, "train"): ("726f258f80be06af4bb2d8831789514a663f5813e47429211fe19dcd367966f8", 2886),
    (3, "test"): ("1d816ae7347afaf895050667adc3f382904c6ed2332d0a2d09353f5e6cb54612", 10260),
}
_VALUES = {
    "head": ("round", "square", "octagon"),
    "body": ("round", "square", "octagon"),
    "smiling": ("yes", "no"),
    "holding": ("sword", "balloon", "flag"),
    "jacket": ("red", "yellow", "green", "blue"),
    "tie": ("yes", "no"),
}


class Monks(BitTable):
    """Robots with six attributes, and whether they belong to a class.

    The rules: (1) head and body have the same shape, or the jacket is red; (2) exactly two attributes have their first
    value; (3) the jacket is green and a sword is held, or it is not blue and the body is no octagon, with 5 % of the
    training labels wrong. An item is ``(bits, label)``: float32 ``(17,)``, one bit a value, and 0 or 1.

    Args:
        problem: 1, 2 or 3.
        train: the training part (124, 169 or 122 robots), or the test part (all 432).
        data_dir: folder that holds ``monks/``; default ``$ALGONETS_DATA``, else the cache.

    Attributes:
        attributes: int64 ``(N, 6)``, from 1.
        bits: uint8 ``(N, 17)``.
        labels: int64 ``(N,)``.
        names: such as ``"jacket = red"``.

    Raises:
        ValueError: if there is no such problem.
        DatasetUnavailable: if the file is missing, damaged, or could not be fetched.

    Terms:
        CC BY 4.0 (UCI repository). Cite the reference.

    Cost:
        Milliseconds.

    References:
        S. Thrun et al. (1991), The MONK's Problems: A Performance Comparison of Different Learning Algorithms.

    Example:
        >>> Monks(1)[0][1]  # doctest: +SKIP
        1
    """

    def __init__(self, problem: int = 1, train: bool = True, data_dir: str | os.PathLike[str] | None = None):
        self.problem = check_at_least("Monks(problem)", problem, 1)
        require(problem <= 3, "Monks(problem)", "must be 1, 2 or 3", problem)
        self.train = check_train("Monks", train)
        name = f"monks-{problem}.{'train' if train else 'test'}"
        digest, size = _FILES[problem, "train" if train else "test"]
        path = locate(RemoteFile(f"monks/{name}", (_HOME + name,), digest, size), data_dir)
        rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
        if not rows or any(len(row) != 8 or not all(word.isdecimal() for word in row[:7]) for row in rows):
            raise DatasetCorrupt(f"{path} must hold lines of a class, six attributes and a name.")
        numbers = torch.tensor([[int(word) for word in row[:7]] for row in rows])
        self.labels, self.attributes = numbers[:, 0], numbers[:, 1:]
        columns = enumerate(_VALUES.values())
        sets = [self.attributes[:, k, None] == torch.arange(1, len(values) + 1) for k, values in columns]
        self.bits = torch.cat(sets, 1).to(torch.uint8)
        self.names = tuple(f"{name} = {value}" for name, values in _VALUES.items() for value in values)

    def __repr__(self) -> str:
        return f"Monks({self.problem}, train={self.train}): {len(self)} robots"
