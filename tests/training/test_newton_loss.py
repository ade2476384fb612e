"""Newton losses: the paper's formulas, every solver against the plain one, negative curvature, bad examples."""

import pytest
import torch
from torch.nn import functional

from algonets import losses, sort
from algonets.distributions import Cauchy
from algonets.training import GradientStep, NewtonLoss, NewtonStep, TargetPropagation
from tests import golden

CASES = golden.select("losses_train", "newton_loss")


def cross_entropy(z, target):
    return functional.cross_entropy(z, target, reduction="none")


def tanh_square(z, target):
    return (torch.tanh(z) - target).square().sum(-1) + 0.05 * z.sum(-1).square()


LOSSES = {"cross_entropy": cross_entropy, "tanh_square": tanh_square}
KINDS = {
    "hessian_elementwise": {"mode": "hessian", "per": "example"},
    "hessian_batch_mean": {"mode": "hessian", "per": "batch"},
    "fisher": {"mode": "fisher"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_golden(case, kind):
    y = case.inputs["y"].clone().requires_grad_()
    loss = NewtonLoss(
        LOSSES[case.meta["loss"]], damping=case.meta["lam"], negative="keep", reduction="sum", **KINDS[kind]
    )
    value = loss(y, case.inputs["target"])
    case.check_outputs({f"newton_loss.{kind}": value.detach(), f"z.{kind}": loss.targets(y, case.inputs["target"])})
    golden.assert_close(torch.autograd.grad(value, y)[0], case.outputs[f"step.{kind}"], 1e-8, relative_to_largest=True)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def convex(z):
    return z.logsumexp(-1) + 0.3 * z.square().sum(-1)


@pytest.mark.parametrize("per", ["batch", "example"])
def test_conjugate_gradients_equal_dense(per):
    z = random(6, 5)
    dense, cg = (
        NewtonStep(damping=0.1, per=per, solver=solver, tolerance=1e-12)(convex, z) for solver in ("dense", "cg")
    )
    torch.testing.assert_close(dense, cg, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [2, 9])
def test_fisher_by_woodbury_and_dense(n):
    """Fewer and more examples than outputs: both forms equal the plain formula."""
    z = random(n, 5)
    g = torch.func.vmap(torch.func.grad(convex))(z)
    wanted = z - g @ torch.linalg.inv(g.mT @ g / n + 0.2 * torch.eye(5, dtype=z.dtype))
    torch.testing.assert_close(NewtonStep("fisher", 0.2)(convex, z), wanted)
    own = NewtonStep("fisher", 0.2, per="example")(convex, z)
    for i in range(n):
        inverse = torch.linalg.inv(torch.outer(g[i], g[i]) + 0.2 * torch.eye(5, dtype=z.dtype))
        torch.testing.assert_close(own[i], z[i] - inverse @ g[i])


def saddle(z):
    return z[..., 0].square() - 2 * z[..., 1].square()


@pytest.mark.parametrize("examples", [2, 8], ids=["Woodbury", "dense"])
def test_fisher_of_gradients_that_explode(examples):
    """Their squares drown the damping, or leave float32: the step is still finite, of the exact one's size."""
    for scale in (1e6, 1e25):
        z = torch.zeros(examples, 5, requires_grad=True)
        directions = scale * torch.randn(examples, 1, generator=torch.Generator().manual_seed(0)) * torch.ones(5)
        NewtonLoss(lambda z, d=directions: (z * d).sum(-1), "fisher", 1e-3, reduction="sum")(z).backward()
        wide = directions.double()
        expected = wide / (5 * wide[:, :1].square().mean() + 1e-3)
        assert (z.grad.double() - expected).norm() < 2 * expected.norm()


def test_a_singular_hessian_spoils_no_other():
    """``negative="keep"`` with the damping on an eigenvalue: that example has no step, the other has one."""
    curvature = torch.tensor([[-1.0, 2.0], [1.0, 2.0]])
    z = torch.ones(2, 2, requires_grad=True)
    loss = NewtonLoss(lambda z: 0.5 * (curvature * z.square()).sum(-1), damping=1.0, per="example", negative="keep")
    targets = loss.targets(z)
    assert targets[0].isnan().all()
    torch.testing.assert_close(targets[1], torch.tensor([0.5, 1 / 3]))


def test_negative_curvature_goes_downhill():
    z = torch.tensor([[1.0, 1.0]], dtype=torch.float64)  # gradient (2, -4), Hessian diag(2, -4)
    steps = {k: z - NewtonStep(damping=1.0, negative=k)(saddle, z) for k in ("absolute", "clamp", "keep")}
    torch.testing.assert_close(steps["absolute"], torch.tensor([[2 / 3, -4 / 5]], dtype=z.dtype))
    torch.testing.assert_close(steps["clamp"], torch.tensor([[2 / 3, -4.0]], dtype=z.dtype))
    torch.testing.assert_close(steps["keep"], torch.tensor([[2 / 3, 4 / 3]], dtype=z.dtype))
    gradient = torch.tensor([[2.0, -4.0]], dtype=z.dtype)
    for per in ("batch", "example"):
        step = z - NewtonStep(damping=1.0, per=per, solver="cg")(saddle, z)
        assert float((step * gradient).sum()) > 0


def test_concave_along_the_gradient():
    z = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    step = z - NewtonStep(damping=1.0, per="example", solver="cg")(saddle, z)  # curvature -4 + 1 along the gradient
    torch.testing.assert_close(step, torch.tensor([[0.0, -4 / 3]], dtype=z.dtype))


def test_one_newton_step_solves_least_squares():
    a, b = random(4, 4), random(3, 4, seed=1)
    step = NewtonStep(damping=1e-12, per="example")
    z = step(lambda z: (z @ a - b).square().sum(-1), random(3, 4, seed=2))
    torch.testing.assert_close(z @ a, b, rtol=1e-6, atol=1e-6)


def test_large_damping_gives_the_gradient():
    z = random(3, 4).requires_grad_()
    loss = NewtonLoss(convex, damping=1e9, reduction="sum")
    (found,) = torch.autograd.grad(1e9 * loss(z), z)
    torch.testing.assert_close(found, torch.autograd.grad(convex(z).sum(), z)[0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("mode", ["hessian", "fisher"])
def test_reductions_scale_the_gradient_not_the_curvature(mode):
    z = random(4, 3).requires_grad_()
    found = {}
    for reduction in ("none", "sum", "mean"):
        value = NewtonLoss(convex, mode, 0.5, reduction=reduction)(z)
        assert value.shape == ((4,) if reduction == "none" else ())
        found[reduction] = torch.autograd.grad(value.sum(), z)[0]
    torch.testing.assert_close(found["none"], found["sum"])
    torch.testing.assert_close(found["mean"] * 4, found["sum"])


def test_batches_of_any_shape_and_events():
    z = random(2, 3, 4, 5)
    flat = NewtonStep(damping=0.1, per="example")(convex, z.reshape(6, 4, 5)[:, 0])
    whole = NewtonStep(damping=0.1, per="example")(convex, z)
    torch.testing.assert_close(whole.reshape(6, 4, 5)[:, 0], flat)  # values (2, 3, 4): the last dimension is the event
    matrix = NewtonLoss(lambda z: convex(z).sum(-1), damping=0.1, reduction="none")
    assert matrix(z).shape == (2, 3)
    single = NewtonLoss(convex, damping=0.1)(z[0, 0, 0])
    assert single.shape == () and single.isfinite()


@pytest.mark.parametrize("mode", ["hessian", "fisher"])
@pytest.mark.parametrize("per", ["batch", "example"])
def test_a_bad_example_spoils_no_other(mode, per):
    z = random(4, 3)
    bad = z.clone()
    bad[1, 0] = torch.nan
    step = NewtonStep(mode, 0.1, per)
    found = step(convex, bad)
    assert found[1].isnan().all()
    keep = [0, 2, 3]
    torch.testing.assert_close(found[keep], step(convex, z[keep]))


def test_empty_batch_half_and_no_grad():
    for reduction, shape in (("none", (0,)), ("sum", ()), ("mean", ())):
        z = torch.zeros(0, 3, requires_grad=True)
        value = NewtonLoss(convex, reduction=reduction)(z)
        assert value.shape == shape and value.sum() == 0
        value.sum().backward()
        assert z.grad.shape == (0, 3)
    z = random(2, 3).bfloat16().requires_grad_()
    NewtonLoss(convex)(z).backward()
    assert z.grad.dtype == torch.bfloat16 and z.grad.isfinite().all()
    with torch.no_grad():
        assert NewtonLoss(convex)(random(2, 3)).isfinite()


def test_piecewise_linear_losses_have_no_curvature():
    z = random(3, 4).requires_grad_()
    loss = NewtonLoss(lambda z: z.abs().sum(-1), damping=0.5, reduction="sum")
    torch.testing.assert_close(torch.autograd.grad(loss(z), z)[0], z.detach().sign() / 0.5)


@pytest.mark.parametrize("method", [sort.NeuralSort(0.5), sort.SoftSort(0.3), sort.OddEven(Cauchy(0.3))])
@pytest.mark.parametrize("mode", ["hessian", "fisher"])
def test_sorting_supervision_learns(method, mode):
    """Every sorting method of the library under both modes: scores come into the right order."""
    scores = (0.1 * random(8, 4)).float().requires_grad_()
    order = random(8, 4, seed=1)
    loss = NewtonLoss(losses.PermutationCrossEntropy(method, reduction="none"), mode, 0.1, reduction="sum")
    optimizer = torch.optim.SGD([scores], 0.3)
    for _ in range(60):
        optimizer.zero_grad()
        loss(scores, order).backward()
        optimizer.step()
    assert torch.equal(scores.argsort(-1), order.argsort(-1))


def test_targets_of_other_steps():
    z = random(3, 4).requires_grad_()
    plain = TargetPropagation(convex, GradientStep(1.0), reduction="sum")
    torch.testing.assert_close(torch.autograd.grad(plain(z), z)[0], torch.autograd.grad(convex(z).sum(), z)[0])
    zero = TargetPropagation(convex, lambda objective, outputs: torch.zeros_like(outputs), reduction="none")
    torch.testing.assert_close(zero(z), 0.5 * z.square().sum(-1))
    far = GradientStep(0.3, 400)(convex, z)
    torch.testing.assert_close(far, far.mean(-1, keepdim=True).expand_as(far))  # its minimum is symmetric


class OnceOnly(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return z.square().sum(-1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        return 2 * ctx.saved_tensors[0] * grad.unsqueeze(-1)


def test_losses_that_are_differentiable_once():
    z = random(2, 3)
    with pytest.raises(ValueError, match=r"must be twice differentiable.*mode='fisher'"):
        NewtonLoss(OnceOnly.apply)(z)
    assert NewtonLoss(OnceOnly.apply, "fisher")(z).isfinite()


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: NewtonLoss(convex, "newton"), r"mode=...\) must be one of hessian, fisher"),
        (lambda: NewtonLoss(convex, damping=0.0), r"damping=...\) must be positive"),
        (lambda: NewtonLoss(convex, per="row"), "must be one of batch, example"),
        (lambda: NewtonLoss(convex, reduction="max"), "must be one of none, sum, mean"),
        (lambda: NewtonStep(max_iterations=0), "must be at least 1"),
        (lambda: GradientStep(rate=-1.0), "must be positive"),
        (lambda: NewtonLoss(lambda z: z.mean())(random(2, 3)), "one value an example.*reduction='none'"),
        (lambda: NewtonLoss(lambda z: z.T)(random(2, 3)), "one value an example"),
        (lambda: TargetPropagation(convex, lambda f, z: z[0])(random(2, 3)), "must return the shape"),
    ],
)
def test_wrong_arguments(make, rule):
    with pytest.raises(ValueError, match=rule):
        make()


def test_wrong_types():
    for bad in (lambda: NewtonLoss("loss"), lambda: NewtonLoss(convex)([1.0]), lambda: NewtonLoss(len)(random(2, 3))):
        with pytest.raises(TypeError):
            bad()
    with pytest.raises(TypeError, match="floating"):
        NewtonLoss(convex)(torch.ones(2, 3, dtype=torch.int64))
