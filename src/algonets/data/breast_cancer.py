"""Breast cancer of the Ljubljana oncology institute: will it come back."""

import os

import torch

from algonets.data._tables import BitTable, one_hot
from algonets.data.location import locate
from algonets.data.remote import DatasetCorrupt, RemoteFile

__all__ = ["BreastCancer"]

_HOME = "https://archive.ics.uci.edu/ml/machine-learning-databases/breast-cancer/"
_FILE = RemoteFile(
    "breast_cancer/breast-cancer.data",
    (_HOME + "breast-cancer.data",),
    "ca7d3fa97b62ff967b6894ffbb3acaaf4a51062e0149e5950b3ad6f685970b65",
    18654,
)
_CLASSES = ("no-recurrence-events", "recurrence-events")
_VALUES = {
    "age": ("10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90-99"),
    "menopause": ("lt40", "ge40", "premeno"),
    "tumor-size": tuple(f"{start}-{start + 4}" for start in range(0, 60, 5)),
    "inv-nodes": (*(f"{start}-{start + 2}" for start in range(0, 33, 3)), "33-35", "36-39"),
    "node-caps": ("yes", "no"),
    "deg-malig": ("1", "2", "3"),
    "breast": ("left", "right"),
    "breast-quad": ("left_up", "left_low", "right_up", "right_low", "central"),
    "irradiat": ("yes", "no"),
}


class BreastCancer(BitTable):
    """286 patients with nine attributes, 85 of whom had a recurrence. There is no division into training and test.

    An item is ``(bits, label)``: float32, one bit for every documented value of every attribute (an unknown value has
    none of them set), and 1 for a recurrence.

    Args:
        data_dir: folder that holds ``breast_cancer/``; default ``$ALGONETS_DATA``, else the cache.

    Attributes:
        bits: uint8 ``(286, 51)``.
        labels: int64 ``(286,)``.
        names: such as ``"deg-malig = 3"``.

    Raises:
        DatasetUnavailable: if the file is missing, damaged, or could not be fetched.

    Terms:
        CC BY 4.0 (UCI repository); from M. Zwitter and M. Soklic, University Medical Centre, Ljubljana, whom to cite.

    Cost:
        Milliseconds.

    References:
        R. Michalski, I. Mozetic, J. Hong, N. Lavrac (1986), The Multi-Purpose Incremental Learning System AQ15.

    Example:
        >>> len(BreastCancer())  # doctest: +SKIP
        286
    """

    def __init__(self, data_dir: str | os.PathLike[str] | None = None):
        path = locate(_FILE, data_dir)
        rows = [line.split(",") for line in path.read_text().splitlines() if line.strip()]
        if not rows or any(len(row) != 1 + len(_VALUES) or row[0] not in _CLASSES for row in rows):
            raise DatasetCorrupt(f"{path} must hold lines of a class and nine attributes.")
        self.labels = torch.tensor([_CLASSES.index(row[0]) for row in rows])
        sets = [one_hot([row[k] for row in rows], values) for k, values in enumerate(_VALUES.values(), 1)]
        self.bits = torch.cat(sets, 1)
        self.names = tuple(f"{name} = {value}" for name, values in _VALUES.items() for value in values)

    def __repr__(self) -> str:
        return f"BreastCancer(): {len(self)} patients"
