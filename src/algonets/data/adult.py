"""Adult: does a person earn more than 50,000 dollars a year (census of 1994)."""

import gzip
import hashlib
import os

import torch

from algonets.data._checks import check_train
from algonets.data._tables import BitTable, one_hot
from algonets.data.location import find, locate
from algonets.data.remote import DatasetCorrupt, DatasetUnavailable, RemoteFile

__all__ = ["Adult"]

_HOME = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
_DIGESTS = {
    "adult.data": ("5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d", 3974305),
    "adult.test": ("a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05", 2003153),
}
_COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country"),
)
_CUTS = {
    "age": (20, 25, 30, 35, 40, 45, 50, 55, 60, 65),
    "education-num": (*range(5, 16),),
    "capital-gain": (0, 3000, 5000, 7000, 10000, 15000),
    "capital-loss": (0, 1500, 1800, 1850, 1900, 2000, 2200),
    "hours-per-week": (20, 30, 35, 39, 40, 45, 50, 60),
}
_VALUES = {
    "workclass": (
        *("Private", "Self-emp-not-inc", "Self-emp-inc", "Federal-gov", "Local-gov", "State-gov", "Without-pay"),
        "Never-worked",
    ),
    "marital-status": (
        *("Married-civ-spouse", "Divorced", "Never-married", "Separated", "Widowed", "Married-spouse-absent"),
        "Married-AF-spouse",
    ),
    "occupation": (
        *("Tech-support", "Craft-repair", "Other-service", "Sales", "Exec-managerial", "Prof-specialty"),
        *("Handlers-cleaners", "Machine-op-inspct", "Adm-clerical", "Farming-fishing", "Transport-moving"),
        *("Priv-house-serv", "Protective-serv", "Armed-Forces"),
    ),
    "relationship": ("Wife", "Own-child", "Husband", "Not-in-family", "Other-relative", "Unmarried"),
    "race": ("White", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other", "Black"),
    "sex": ("Female", "Male"),
    "native-country": ("United-States", "Mexico", "Philippines", "Germany", "India"),
}


class Adult(BitTable):
    """32,561 persons for training, 16,281 for the test, fourteen attributes, of which twelve become bits.

    Numbers are compared with fixed thresholds, one bit each; named values have a bit each, of countries the five most
    frequent. An unknown value has none. ``fnlwgt`` is a sampling weight and left out; ``education`` says what
    ``education-num`` says.

    Args:
        train: the training part, or the test part.
        data_dir: folder that holds ``adult/adult.data`` and ``adult/adult.test``, or both with ``.gz`` behind; default
            ``$ALGONETS_DATA``, else the cache.

    Attributes:
        bits: uint8 ``(N, F)``.
        labels: int64 ``(N,)``, 1 for more than 50,000 dollars.
        names: such as ``"age > 30"`` and ``"sex = Female"``.

    Raises:
        DatasetUnavailable: if the file is missing, damaged, or could not be fetched.

    Terms:
        CC BY 4.0 (UCI repository). Cite the reference.

    Cost:
        About a second.

    References:
        R. Kohavi (1996), Scaling Up the Accuracy of Naive-Bayes Classifiers: a Decision-Tree Hybrid.

    Example:
        >>> len(Adult(train=False))  # doctest: +SKIP
        16281
    """

    def __init__(self, train: bool = True, data_dir: str | os.PathLike[str] | None = None):
        self.train = check_train("Adult", train)
        name = "adult.data" if train else "adult.test"
        rows = []
        for line in _read(name, data_dir).splitlines():
            words = [word.strip() for word in line.rstrip(".").split(",")]
            if len(words) == len(_COLUMNS) + 1:  # not the first line of the test part
                rows.append(words)
        if not rows or any(row[-1] not in ("<=50K", ">50K") for row in rows):
            raise DatasetCorrupt(f"adult/{name} must hold lines of 14 attributes and a class.")
        self.labels = torch.tensor([int(row[-1] == ">50K") for row in rows])
        parts, names = [], []
        for k, column in enumerate(_COLUMNS):
            values = [row[k] for row in rows]
            if column in _CUTS:
                numbers = torch.tensor([int(value) for value in values])
                parts.append((numbers[:, None] > torch.tensor(_CUTS[column])).to(torch.uint8))
                names += [f"{column} > {cut}" for cut in _CUTS[column]]
            elif column in _VALUES:
                parts.append(one_hot(values, _VALUES[column]))
                names += [f"{column} = {value}" for value in _VALUES[column]]
        self.bits, self.names = torch.cat(parts, 1), tuple(names)

    def __repr__(self) -> str:
        return f"Adult(train={self.train}): {len(self)} persons"


def _read(name: str, data_dir: str | os.PathLike[str] | None) -> str:
    """The text of a part: packed if that is there, else as the repository has it."""
    digest, size = _DIGESTS[name]
    try:
        packed = find(f"adult/{name}.gz", data_dir)
    except DatasetUnavailable:
        return locate(RemoteFile(f"adult/{name}", (_HOME + name,), digest, size), data_dir).read_text()
    try:
        content = gzip.decompress(packed.read_bytes())
    except (OSError, EOFError) as error:
        raise DatasetCorrupt(f"{packed} is damaged ({error}). Delete it, and the file is downloaded.") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise DatasetCorrupt(f"{packed} is damaged or another file. Delete it, and the file is downloaded.")
    return content.decode()
