"""Golden vectors: outputs of existing implementations; layout and tolerances are in their README."""

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

FOLDER = Path(os.environ.get("ALGONETS_GOLDEN") or Path(__file__).resolve().parents[2] / "shared" / "golden")


@dataclass(frozen=True)
class Case:
    """One case: hyper-parameters in ``meta``, tensors by name in the other fields (reals are float64)."""

    meta: dict
    inputs: dict[str, torch.Tensor]
    outputs: dict[str, torch.Tensor]
    weights: dict[str, torch.Tensor]
    grads: dict[str, torch.Tensor]

    @property
    def tol(self) -> float:
        return self.meta["tol"]

    @property
    def tol_grad(self) -> float:
        return self.meta.get("tol_grad") or 10 * self.meta["tol"]

    def check_outputs(self, ours: dict[str, torch.Tensor]) -> None:
        """Compare by name; every output in ``ours`` must be golden."""
        for name, value in ours.items():
            assert_close(value, self.outputs[name], self.tol)

    def check_grads(self, ours: dict[str, torch.Tensor], inputs: dict[str, torch.Tensor]) -> None:
        """Differentiate ``L = sum <w, out>`` and compare with every golden gradient."""
        loss = torch.stack([(self.weights[name] * ours[name]).sum() for name in self.weights]).sum()
        found = torch.autograd.grad(loss, [inputs[name] for name in self.grads])
        for (name, golden), gradient in zip(self.grads.items(), found, strict=True):
            try:
                assert_close(gradient, golden, self.tol_grad, relative_to_largest=True)
            except AssertionError as error:
                raise AssertionError(f"gradient of {name}: {error}") from None


@cache
def load(topic: str) -> list[Case]:
    """All cases of a topic; skips the test where the files are not there."""
    path = FOLDER / f"{topic}.npz"
    if not path.exists():
        pytest.skip(f"no golden vectors at {path}: set ALGONETS_GOLDEN to their folder", allow_module_level=True)
    with np.load(path, allow_pickle=False) as file:
        arrays: dict[str, dict[str, dict[str, torch.Tensor]]] = {}
        for key in file.files:
            if key != "meta":
                case, group, name = key.split(".", 2)
                arrays.setdefault(case, {}).setdefault(group, {})[name] = torch.from_numpy(file[key])
        metas = json.loads(str(file["meta"]))
    groups = ("in", "out", "w", "grad")
    return [Case(meta, *(arrays[meta["case"]].get(group, {}) for group in groups)) for meta in metas]


def select(topic: str, fn: str) -> list:
    """The cases of one function as parameters for pytest; none (not an error) where the files are not there."""
    if not (FOLDER / f"{topic}.npz").exists():
        reason = f"no golden vectors in {FOLDER}: set ALGONETS_GOLDEN to their folder"
        return [pytest.param(None, id="missing", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(case, id=case.meta["case"]) for case in load(topic) if case.meta["fn"] == fn]


def assert_close(ours: torch.Tensor, golden: torch.Tensor, tol: float, *, relative_to_largest: bool = False) -> None:
    """``|ours - golden| <= tol (1 + |golden|)``; for gradients ``tol (1 + max |golden|)``."""
    assert ours.shape == golden.shape, f"shape {tuple(ours.shape)}, golden {tuple(golden.shape)}"
    if not golden.numel():
        return
    golden = golden.to(torch.float64)
    error = (ours.detach().to(torch.float64) - golden).masked_fill(ours.detach() == golden, 0.0).abs()
    size = golden.abs().amax() if relative_to_largest else golden.abs()
    size = torch.where(size.isfinite(), size, 0.0)
    excess = error / (tol * (1 + size))
    assert bool((excess <= 1).all()), f"off by {error.max().item():.3g}, {excess.max().item():.3g} times the tolerance"
