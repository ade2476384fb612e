"""Reading a trained word reader back."""

from pathlib import Path

import torch

from algonets.experiments._training import RunError
from algonets.experiments.words.model import WordReader

__all__ = ["load_reader"]


def load_reader(path: str | Path) -> WordReader:
    """Load a checkpoint of ``algonets train words``.

    Raises:
        RunError: if the file is missing, damaged, or no such checkpoint.
    """
    path = Path(path)
    if not path.is_file():
        raise RunError(f"--checkpoint must be a file, got {path}. Train one with `algonets train words`.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)  # runs no code of a stranger
        reader = WordReader(**content["hyper_parameters"])
        reader.load_state_dict(content["state_dict"])
    except Exception as error:
        raise RunError(
            f"--checkpoint must be a checkpoint of `algonets train words`, but {path} could not be read "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no details'}). "
            "It may be cut off or of another program; train again."
        ) from error
    return reader.eval()
