"""The operations of ``algonets.training``: most of them act on networks, and are tested in ``tests/training``."""

import torch
from torch import nn
from torch.nn import functional

from algonets import training
from algonets.distributions import Cauchy
from algonets.losses import PermutationCrossEntropy
from algonets.sort import NeuralSort, OddEven, Sort
from tests.conformance.registry import Argument, Operation, PublicObject, exempt, register, register_object


def means_and_scales(generator, dtype, batch):
    """A mean, and a positive scale."""
    mean = torch.randn(*batch, 3, generator=generator, dtype=dtype)
    return mean, torch.rand(*batch, 3, generator=generator, dtype=dtype) + 0.3


def divergence_of(mean, scale):
    """By the rectangle rule over the densities."""
    grid = torch.linspace(-30, 30, 200_001, dtype=mean.dtype)
    q = torch.distributions.Normal(mean[:, None], scale[:, None]).log_prob(grid)
    p = torch.distributions.Normal(0.0, 1.5).log_prob(grid)
    return (q.exp() * (q - p)).sum(-1) * (grid[1] - grid[0])


register(
    Operation(
        name="training.gaussian_kl",
        summary="Divergence of Gaussian weights from their prior",
        function=lambda mean, scale: training.gaussian_kl(mean, scale, 1.5),
        arguments=(
            Argument("gaussian_kl(mean)", nan="propagates"),
            Argument("gaussian_kl(scale)", rejects=(lambda scale: -scale, lambda scale: scale[..., :2])),
        ),
        inputs=means_and_scales,
        differentiability="any order",
        oracle=divergence_of,
        tolerance=1e-6,
        ways=("analytic",),
        cost="O(n)",
        reference="Hinton, van Camp 1993",
    )
)

for name, law, loss in (
    ("CategoricalOutput", training.CategoricalOutput(), lambda z: functional.cross_entropy(z, torch.tensor(1))),
    (
        "BernoulliOutput",
        training.BernoulliOutput(),
        lambda z: functional.binary_cross_entropy_with_logits(z, torch.zeros_like(z), reduction="sum"),
    ),
    ("GaussianOutput", training.GaussianOutput(0.3), lambda z: z.square().sum() / 0.6),
):
    register(
        Operation(
            name=f"training.{name}.fisher",
            summary=f"Product with the Fisher information of outputs, {name.removesuffix('Output').lower()}",
            function=law.fisher,
            arguments=(
                Argument(f"{name}(outputs)", nan="propagates"),
                Argument(f"{name}.fisher(v)", nan="propagates", rejects=(lambda v: v[..., :2],)),
            ),
            inputs=lambda generator, dtype, batch: tuple(
                torch.randn(*batch, 4, generator=generator, dtype=dtype) for _ in range(2)
            ),
            differentiability="any order",
            oracle=lambda z, v, loss=loss: torch.autograd.functional.hessian(loss, z) @ v,
            ways=("analytic",),
            cost="O(C)",
            reference="Martens 2020",
        )
    )
    register_object(PublicObject(name=f"training.{name}", make=lambda law=law: law, use=lambda law: law.fisher(X, X)))
    exempt(f"training.{name}.factors", "an iterator: tests/training/test_outputs.py")
    exempt(f"training.{name}.sample", "random: tests/training/test_outputs.py")

X = torch.linspace(-1, 1, 12).reshape(3, 4)


def logsumexp(z):
    """A loss a pickle can hold."""
    return z.logsumexp(-1)


def sorting():
    """A loss with a learnable scale."""
    method = OddEven(Cauchy(nn.Parameter(torch.tensor(0.3))))
    return PermutationCrossEntropy(method, reduction="none")


def frozen(module):
    """Evaluation mode: nothing is drawn."""
    return module.eval()


for name, make, use in (
    ("NewtonLoss", lambda: training.NewtonLoss(sorting(), "fisher", 0.5), lambda loss: loss(X, -X)),
    (
        "TargetPropagation",
        lambda: training.TargetPropagation(sorting(), training.GradientStep(0.5), reduction="sum"),
        lambda loss: loss(X, -X),
    ),
    ("NewtonStep", lambda: training.NewtonStep("fisher", 0.5), lambda step: step(logsumexp, X)),
    ("GradientStep", lambda: training.GradientStep(0.5, 2), lambda step: step(logsumexp, X)),
    ("IsaacNewton", lambda: training.IsaacNewton(4, 2, 0.5), lambda layer: layer(X)),
    ("DomainAdversary", lambda: training.DomainAdversary(4, 3), lambda layer: layer(X, X + 1)),
    ("HardConcrete", lambda: frozen(training.HardConcrete((3,), 0.7)), lambda gates: gates()),
    ("L0Linear", lambda: frozen(training.L0Linear(4, 2, "neurons")), lambda layer: layer(X)),
    ("BayesianLinear", lambda: frozen(training.BayesianLinear(4, 2, 0.5)), lambda layer: layer(X)),
    (
        "Backtracking",
        lambda: training.Backtracking(shrink=0.3),
        lambda search: torch.tensor(search(lambda t: (1 - 4 * t) ** 2, 1.0, -8.0)),
    ),
    *(
        (f"{kind}Schedule", make, lambda schedule: torch.tensor([schedule(t) for t in (0.0, 0.3, 1.0)]))
        for kind, make in (
            ("Linear", lambda: training.LinearSchedule(2.0, 0.5)),
            ("Geometric", lambda: training.GeometricSchedule(2.0, 0.5)),
            ("Cosine", lambda: training.CosineSchedule(2.0, 0.5)),
            ("Ramp", lambda: training.RampSchedule(2.0, 3.0)),
        )
    ),
    (
        "Annealing",
        lambda: training.Annealing(Sort(NeuralSort(1.0)), NeuralSort, training.GeometricSchedule(1.0, 0.1)),
        lambda annealing: torch.tensor(list(annealing.set(0.5).values())),
    ),
):
    register_object(PublicObject(name=f"training.{name}", make=make, use=use))


exempt("training.GradientReversal*", "as the function, without state: tests/training/test_domain_adversary.py")
exempt("training.gradient_reversal", "its gradient is reversed on purpose: tests/training/test_domain_adversary.py")
exempt("training.OutputDistribution*", "abstract: its families are registered")
exempt("training.OnlineLearner*", "abstract: its methods are in tests/training/test_online.py")
for name in ("RTRL", "UORO", "NoBackTrack"):
    exempt(f"training.{name}*", "keeps an estimate from step to step: tests/training/test_online.py")
exempt("training.learn_online", "a loop: tests/training/test_online.py")
exempt("training.KFAC*", "an optimiser: tests/training/test_kfac.py")
exempt("training.NaturalGradient*", "an optimiser: tests/training/test_natural_gradient.py")
for name in ("jacobian_penalty", "noise_penalty"):
    exempt(f"training.{name}", "takes a network: tests/training/test_jacobian_penalty.py")
for name in ("prune_magnitude", "prune_random", "gradual_pruning", "make_permanent", "sparsity"):
    exempt(f"training.{name}", "changes a network: tests/training/test_pruning.py")
for name in ("Description*", "description_length", "round_weights"):
    exempt(f"training.{name}", "takes a network: tests/training/test_description_length.py")
exempt("training.SelfSimilarity*", "changes a network: tests/training/test_self_similarity.py")
for name in ("Found", "find_algorithms"):
    exempt(f"training.{name}", "takes a model: tests/training/test_annealing.py")
for name in ("GradientMonitor*", "GradientReport"):
    exempt(f"training.{name}", "watches a model: tests/training/test_gradient_monitor.py")
for name in (
    *("Annealing", "BayesianLinear", "DomainAdversary", "HardConcrete", "IsaacNewton", "L0Linear", "NewtonLoss"),
    "TargetPropagation",
):
    exempt(f"training.{name}.*", "members of an object with state: tests/training")
