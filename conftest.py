"""What all tests and doctests share."""

import random

import numpy as np
import pytest
import torch
from hypothesis import settings

# The same examples in every run; new ones are searched for with `--hypothesis-profile=default`.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def same_random_numbers():
    """Begin every test and doctest with the same random numbers, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
