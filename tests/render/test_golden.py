"""Silhouettes against GenDR, on every backend."""

import pytest
import torch

from algonets import distributions, tconorms
from algonets.render import Rasterizer
from tests.golden import assert_close, select

LAWS = {"logistic": "Logistic", "gaussian": "Gaussian", "uniform": "Uniform", "cauchy": "Cauchy"}
FOLDS = {"probabilistic": "Probabilistic", "yager": "Yager", "einstein": "Einstein"}


@pytest.mark.parametrize("case", select("gendr", "silhouette"))
def test_silhouette(case, any_backend):
    meta = case.meta
    law = getattr(distributions, LAWS[meta["distribution"]])(meta["scale"])
    fold = getattr(tconorms, FOLDS[meta["tconorm"]])
    fold = fold() if meta["p"] is None else fold(meta["p"])
    vertices = case.inputs["vertices"].clone().requires_grad_()
    faces = vertices[case.inputs["faces"].long()]
    image = Rasterizer(meta["image_size"], law, fold, squared=meta["squared"], cutoff=1e-14).silhouette(faces)
    case.check_outputs({"silhouette": image})
    case.check_grads({"silhouette": image}, {"vertices": vertices})
    cut = Rasterizer(meta["image_size"], law, fold, squared=meta["squared"]).silhouette(
        vertices[case.inputs["faces"].long()]
    )
    assert_close(cut, case.outputs["silhouette_cut"], meta["tol_cut"])
    assert_close(
        torch.autograd.grad((cut * case.weights["silhouette"]).sum(), vertices)[0],
        case.grads["vertices"],
        1e-3,
        relative_to_largest=True,
    )
