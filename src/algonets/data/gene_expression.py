"""Golub's microarrays: which of two leukaemias, from the activity of 7,129 genes."""

import os
import zipfile

import numpy
import torch
from torch import Tensor
from torch.utils.data import Dataset

from algonets.data._checks import check_index
from algonets.data.location import find
from algonets.data.remote import DatasetCorrupt

__all__ = ["GeneExpression"]

_PATH = "gene_expression/golub_leukemia.npz"


class GeneExpression(Dataset[tuple[Tensor, int]]):
    """72 patients with acute leukaemia, 47 lymphoblastic (0) and 25 myeloid (1), and 7,129 measured probes.

    An item is ``(activity, label)``: float32 ``(7129,)`` and an ``int``. Activity is the logarithm to base 10 of the
    Affymetrix average difference, clipped to 100 .. 16,000 as is usual: negative values are measurement noise.

    Args:
        data_dir: folder that holds ``gene_expression/golub_leukemia.npz``; default ``$ALGONETS_DATA``, else the cache.
            There is no public copy of this file to download: it holds arrays ``X``, ``y``, ``is_train`` and ``gene``
            of the Bioconductor package golubEsets.

    Attributes:
        activity: float32 ``(72, 7129)``.
        labels: int64 ``(72,)``.
        train: bool ``(72,)``, the 38 patients of the authors' training part.
        genes: names of the probes.

    Raises:
        DatasetUnavailable: if the file is missing.
        DatasetCorrupt: if it is damaged.

    Terms:
        Published with the paper; in Bioconductor. Not shipped with algonets. Cite the reference.

    References:
        T. Golub et al. (1999), Molecular Classification of Cancer, Science 286.

    Example:
        >>> activity, label = GeneExpression()[0]  # doctest: +SKIP
        >>> activity.shape, GeneExpression.classes[label]  # doctest: +SKIP
        (torch.Size([7129]), 'ALL')
    """

    classes = ("ALL", "AML")

    def __init__(self, data_dir: str | os.PathLike[str] | None = None):
        path = find(_PATH, data_dir)
        try:
            with numpy.load(path, allow_pickle=False) as file:
                raw, labels, train = file["X"], file["y"], file["is_train"]
                self.genes = [str(name) for name in file["gene"]]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise DatasetCorrupt(
                f"{path} must hold X, y, is_train and gene, but could not be read ({error})."
            ) from error
        self.activity = torch.from_numpy(numpy.log10(numpy.clip(raw, 100, 16000)).astype(numpy.float32))
        self.labels, self.train = torch.from_numpy(labels.astype(numpy.int64)), torch.from_numpy(train.astype(bool))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        i = check_index("GeneExpression", index, len(self))
        return self.activity[i], int(self.labels[i])

    def __repr__(self) -> str:
        return f"GeneExpression(): {len(self)} patients"
