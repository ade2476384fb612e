"""MNIST: handwritten digits."""

import os

import torch
from torch.utils.data import Dataset

from algonets.data._checks import check_index, check_train
from algonets.data.idx import read_idx
from algonets.data.location import locate
from algonets.data.remote import Progress, RemoteFile

__all__ = ["Mnist"]

_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def _file(name: str, sha256: str, size: int) -> RemoteFile:
    return RemoteFile(f"mnist/{name}", tuple(mirror + name for mirror in _MIRRORS), sha256, size)


_TRAIN_IMAGES = _file(
    "train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9912422
)
_TRAIN_LABELS = _file(
    "train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881
)
_TEST_IMAGES = _file(
    "t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1648877
)
_TEST_LABELS = _file(
    "t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542
)


class Mnist(Dataset[tuple[torch.Tensor, int]]):
    """60,000 training and 10,000 test images of handwritten digits, 28 x 28 grey levels.

    An item is ``(image, label)``: float32 ``(1, 28, 28)`` in [0, 1] (1 is ink) and an ``int`` from 0 to 9.

    Args:
        train: the training part, or the test part.
        data_dir: folder that holds the four files in ``mnist/``; default ``$ALGONETS_DATA``, else the cache.
        progress: called as ``progress(done_bytes, total_bytes)`` for each file that is downloaded.

    Attributes:
        images: uint8 ``(N, 28, 28)``.
        labels: int64 ``(N,)``.

    Raises:
        DatasetUnavailable: if a file is missing, damaged, or could not be fetched.

    Terms:
        Free for research by its authors, often quoted as CC BY-SA 3.0. Not shipped with algonets but
        downloaded from the customary mirrors. Cite the reference.

    Cost:
        About 0.2 s and 47 MB for the training part.

    References:
        Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998), Gradient-Based Learning Applied to Document
        Recognition, Proceedings of the IEEE 86(11).

    Example:
        >>> image, label = Mnist(train=False)[0]  # doctest: +SKIP
        >>> image.shape, label  # doctest: +SKIP
        (torch.Size([1, 28, 28]), 7)
    """

    num_classes = 10

    def __init__(
        self,
        train: bool = True,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        progress: Progress | None = None,
    ):
        self.train = check_train("Mnist", train)
        images, labels = (_TRAIN_IMAGES, _TRAIN_LABELS) if train else (_TEST_IMAGES, _TEST_LABELS)
        paths = [locate(remote, data_dir, progress=progress) for remote in (images, labels)]
        self.images, self.labels = read_idx(paths[0]), read_idx(paths[1]).long()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        i = check_index("Mnist", index, len(self))
        return self.images[i].unsqueeze(0).to(torch.float32) / 255, int(self.labels[i])

    def __repr__(self) -> str:
        return f"Mnist(train={self.train}): {len(self)} images"
