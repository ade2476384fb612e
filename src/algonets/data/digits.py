"""The small handwritten digits that come with scikit-learn: no file, no download."""

import torch
from torch.utils.data import Dataset

from algonets.data._checks import check_index, check_train

__all__ = ["Digits"]

_TRAIN = 1437  # of 1797; the file is ordered by writer, so most writers of the test part are new


class Digits(Dataset[tuple[torch.Tensor, int]]):
    """1,437 training and 360 test images of handwritten digits, 8 x 8 with 17 grey levels.

    An item is ``(image, label)``: float32 ``(1, 8, 8)`` in [0, 1] (1 is ink) and an ``int`` from 0 to 9. The test
    part is the end of scikit-learn's file, which is ordered by writer: mostly other hands than in training.

    Args:
        train: the training part, or the test part.

    Attributes:
        images: uint8 ``(N, 8, 8)``, scaled to 0 .. 255.
        labels: int64 ``(N,)``.

    Raises:
        TypeError: if ``train`` is no bool.
        ImportError: if scikit-learn is missing.

    Terms:
        From the UCI repository, CC BY 4.0; scikit-learn ships it. Cite the reference.

    Cost:
        About a second, most of it the import of scikit-learn; 115 kB.

    References:
        E. Alpaydin, C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository.

    Example:
        >>> image, label = Digits()[0]
        >>> image.shape, label
        (torch.Size([1, 8, 8]), 0)
    """

    num_classes = 10

    def __init__(self, train: bool = True):
        self.train = check_train("Digits", train)
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise ImportError(
                "Digits reads the digits of scikit-learn. Install it with: pip install 'algonets[experiments]'"
            ) from error
        images, labels = load_digits(return_X_y=True)
        part = slice(0, _TRAIN) if train else slice(_TRAIN, None)
        grey = torch.from_numpy(images[part]).reshape(-1, 8, 8)
        self.images = (grey * (255 / 16)).round().to(torch.uint8)
        self.labels = torch.from_numpy(labels[part]).long()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        i = check_index("Digits", index, len(self))
        return self.images[i].unsqueeze(0).to(torch.float32) / 255, int(self.labels[i])

    def __repr__(self) -> str:
        return f"Digits(train={self.train}): {len(self)} images"
