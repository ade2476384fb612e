"""The one format of every error: the call, the rule, what was given, the remedy."""

import pytest
import torch

from algonets._core.errors import describe, reject, reject_type, require, sentence


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        ("three", "'three'"),
        (None, "None"),
        (torch.zeros(2, 3), "a float32 tensor of shape (2, 3)"),
        (torch.zeros(0, dtype=torch.int64), "a int64 tensor of shape (0,)"),
        (torch.tensor(-1.5, dtype=torch.float64, requires_grad=True), "-1.5 (a float64 scalar)"),
        (torch.tensor(True), "True (a bool scalar)"),
        (torch.zeros((), device="meta"), "a float32 tensor of shape ()"),
    ],
)
def test_describe(value, shown):
    assert describe(value) == shown


def test_sentence():
    assert sentence("f(x)", "must be positive", -1.0) == "f(x) must be positive, got -1.0."
    assert sentence("f(x)", "must be positive", -1.0, "Take abs().") == "f(x) must be positive, got -1.0. Take abs()."


def test_reject():
    with pytest.raises(ValueError) as caught:
        reject("f(x)", "must be even", 3, "Add one.")
    assert str(caught.value) == "f(x) must be even, got 3. Add one."


@pytest.mark.parametrize(("given", "shown"), [(3, "<class 'int'>"), (torch.zeros(2), "a float32 tensor of shape (2,)")])
def test_reject_type(given, shown):
    with pytest.raises(TypeError) as caught:
        reject_type("f(x)", "must be a string", given)
    assert str(caught.value) == f"f(x) must be a string, got {shown}."


def test_require():
    assert require(True, "f(x)", "must be even", 2) is None
    with pytest.raises(ValueError, match=r"^f\(x\) must be even, got 3\. Add one\.$"):
        require(False, "f(x)", "must be even", 3, "Add one.")
