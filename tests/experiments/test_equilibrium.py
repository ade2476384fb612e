"""Equilibrium against unrolling: equal parameters, constant memory, a run that can be resumed."""

import pytest
import torch

from algonets.experiments._training import RunError
from algonets.experiments.equilibrium import EquilibriumClassifier, EquilibriumExperiment, Step, saved_bytes
from algonets.experiments.equilibrium.measure import over_iterations

TINY = {"depths": [0, 2], "seeds": 2, "epochs": 2, "batch_size": 16, "channels": 4, "train_size": 48}
QUIET = {"enable_progress_bar": False}


def test_networks_have_the_same_parameters_and_first_weights():
    networks = []
    for depth in (0, 1, 8):
        torch.manual_seed(0)
        networks.append(EquilibriumClassifier(depth, 4))
    first, *others = [dict(network.named_parameters()) for network in networks]
    for other in others:
        assert first.keys() == other.keys() and all(torch.equal(first[key], other[key]) for key in first)


def test_deep_unrolling_reaches_the_equilibrium():
    torch.manual_seed(0)
    images, scores = torch.rand(3, 1, 8, 8), []
    for depth in (0, 60):
        torch.manual_seed(1)
        scores.append(EquilibriumClassifier(depth, 4)(images))
    torch.testing.assert_close(*scores, rtol=0.02, atol=0.005)


def test_the_step_contracts():
    """The largest gain of the convolution, as a matrix over all pixels, is 0.9 at most."""
    step = Step(3)
    for scale in (1.0, 10.0, 0.01):
        with torch.no_grad():
            step.weight.mul_(scale)
        basis = torch.eye(192).view(192, 3, 8, 8)
        slopes = torch.atanh(step(1e-3 * basis, torch.zeros_like(basis), step.contraction())).flatten(1) / 1e-3
        assert torch.linalg.matrix_norm(slopes, 2) < 0.901
    assert torch.equal(step.contraction(), step.weight)  # small already


def test_saved_bytes_by_hand():
    x = torch.zeros(1000, requires_grad=True)  # exp keeps its result; the sum nothing
    assert saved_bytes(lambda: x.exp().sum()) == 4000
    assert saved_bytes(lambda: x.exp().exp().sum()) == 8000


def test_memory_is_constant_in_the_iterations():
    torch.manual_seed(0)
    network = EquilibriumClassifier(0, 4)
    rows = over_iterations(
        network.step,
        (torch.randn(2, 4, 8, 8), network.step.contraction().detach().requires_grad_()),
        [2, 20],
        repeats=1,
    )
    assert rows[0]["implicit_megabytes"] == rows[1]["implicit_megabytes"]
    assert rows[1]["unrolled_megabytes"] > 4 * rows[0]["unrolled_megabytes"]


def test_it_runs_and_is_resumed(tmp_path):
    whole = EquilibriumExperiment(**TINY, output=str(tmp_path / "a"), trainer=QUIET).run()
    assert [row["depth"] for row in whole["networks"]] == [0, 2] and whole["networks"][0]["iterations"] > 1
    assert (tmp_path / "a" / "report.png").stat().st_size > 10_000
    EquilibriumExperiment(**{**TINY, "depths": [2]}, output=str(tmp_path / "b"), trainer=QUIET).run()
    again = EquilibriumExperiment(**TINY, output=str(tmp_path / "b"), resume=True, trainer=QUIET).run()
    assert [row["accuracies"] for row in again["networks"]] == [row["accuracies"] for row in whole["networks"]]
    with pytest.raises(RunError, match="holds a run already"):
        EquilibriumExperiment(**TINY, output=str(tmp_path / "b"), trainer=QUIET).run()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"seeds": 0}, "--seeds must be at least 1"),
        ({"depths": [-1]}, "--depths must be"),
        ({"learning_rate": 0.0}, "--learning_rate must be positive"),
        ({"resume": True, "overwrite": True}, "exclude each other"),
        ({"output": ""}, "--output must name a folder"),
    ],
)
def test_bad_options(options, text):
    with pytest.raises(RunError, match=text):
        EquilibriumExperiment(**options)
