"""K-FAC: exact where the factorisation is, factors by their definition, damping, convolutions, peers."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from algonets.training import KFAC, CategoricalOutput, GaussianOutput
from algonets.training._fisher import pack
from tests.training.networks import dense_fisher, perceptron, random

X, Y = random(12, 4), torch.arange(12) % 3


def classify(model, x=X, y=Y):
    def closure():
        outputs = model(x)
        return functional.cross_entropy(outputs, y), outputs

    return closure


def factors(optimizer, layer):
    state = optimizer.state[layer.weight]
    return state["inputs"], state["outputs"]


def order(layer):
    """Columns of ``A (x) G`` in the order of (weight, bias)."""
    out, inp = layer.weight.shape[0], layer.weight[0].numel()
    weights = [j * out + i for i in range(out) for j in range(inp)]
    return torch.tensor(weights + [inp * out + i for i in range(out)])


def test_a_linear_model_is_exact():
    """One layer with Gaussian outputs: F is exactly A (x) G, and the step is the natural gradient."""
    model = perceptron(4, 3)
    optimizer = KFAC(model, GaussianOutput(0.5), damping=1e-14, rescale=False)
    y = random(12, 3, seed=1)

    def closure():
        outputs = model(X)
        return (outputs - y).square().sum(-1).mean(), outputs

    before = pack(list(model.parameters())).detach()
    gradient = pack(torch.autograd.grad(closure()[0], list(model.parameters())))
    optimizer.step(closure)
    a, g = factors(optimizer, model[0])
    dense = dense_fisher(model, X, GaussianOutput(0.5))
    places = order(model[0])
    torch.testing.assert_close(torch.kron(a, g)[places][:, places], dense)
    step = pack(list(model.parameters())).detach() - before
    torch.testing.assert_close(step, -torch.linalg.solve(dense, gradient), rtol=1e-3, atol=1e-5)


def test_factors_by_their_definition():
    model = perceptron(4, 5, 3)
    optimizer = KFAC(model, CategoricalOutput(), rescale=False)
    hidden = torch.tanh(X @ model[0].weight.mT + model[0].bias).detach().requires_grad_()
    logits = hidden @ model[2].weight.mT + model[2].bias
    p = logits.softmax(-1).detach()
    g_last = torch.zeros(3, 3, dtype=X.dtype)
    g_first = torch.zeros(5, 5, dtype=X.dtype)
    for n in range(12):  # expectation over the network's own targets
        for k in range(3):
            d = p[n].clone()
            d[k] -= 1
            g_last += p[n, k] * torch.outer(d, d) / 12
            back = (d @ model[2].weight.detach()) * (1 - hidden[n].detach() ** 2)
            g_first += p[n, k] * torch.outer(back, back) / 12
    optimizer.step(classify(model))
    rows = torch.cat([hidden.detach(), torch.ones(12, 1, dtype=X.dtype)], 1)
    for layer, a, g in (
        (model[0], torch.cat([X, torch.ones(12, 1, dtype=X.dtype)], 1), g_first),
        (model[2], rows, g_last),
    ):
        found = factors(optimizer, layer)
        torch.testing.assert_close(found[0], a.mT @ a / 12)
        torch.testing.assert_close(found[1], g)


def test_sampled_factors_converge():
    exact = KFAC(model := perceptron(4, 3), CategoricalOutput(), lr=1e-12, rescale=False)
    exact.step(classify(model))
    wanted = factors(exact, model[0])[1]
    errors = []
    for copies in (2, 1000):
        model = perceptron(4, 3)
        generator = torch.Generator().manual_seed(0)
        drawn = KFAC(model, CategoricalOutput(), fisher="sampled", rescale=False, generator=generator)
        drawn.step(classify(model, X.repeat(copies, 1), Y.repeat(copies)))
        errors.append(((factors(drawn, model[0])[1] - wanted).norm() / wanted.norm()).item())
    assert errors[1] < 0.05 and errors[1] < errors[0]


def test_damping_is_factored():
    """The step with pi, by explicit inverses."""
    model = perceptron(4, 3)
    weight, bias = (p.detach().clone() for p in model.parameters())
    optimizer = KFAC(model, CategoricalOutput(), lr=0.5, damping=0.09, rescale=False)
    grads = torch.autograd.grad(classify(model)()[0], list(model.parameters()))
    optimizer.step(classify(model))
    a, g = factors(optimizer, model[0])
    pi = ((a.trace() / 5) / (g.trace() / 3)).sqrt()
    whole = torch.cat([grads[0], grads[1][:, None]], 1)
    step = torch.linalg.inv(g + 0.3 / pi * torch.eye(3)) @ whole @ torch.linalg.inv(a + 0.3 * pi * torch.eye(5))
    torch.testing.assert_close(model[0].weight.detach(), weight - 0.5 * step[:, :-1])
    torch.testing.assert_close(model[0].bias.detach(), bias - 0.5 * step[:, -1])


def convolutional():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(12, 3)
    ).double()


def test_a_convolution_over_one_place_is_a_linear_layer():
    torch.manual_seed(0)
    conv, linear = nn.Conv2d(2, 3, 2).double(), nn.Linear(8, 3).double()
    linear.weight.data = conv.weight.data.reshape(3, 8).clone()
    linear.bias.data = conv.bias.data.clone()
    images = random(12, 2, 2, 2)
    one, other = nn.Sequential(conv, nn.Flatten()), nn.Sequential(nn.Flatten(), linear)
    for model in (one, other):
        optimizer = KFAC(model, CategoricalOutput())
        for _ in range(3):
            optimizer.step(classify(model, images))
    torch.testing.assert_close(conv.weight.reshape(3, 8), linear.weight)


def test_convolutional_factors():
    """Sums over places for A, means for G (Grosse, Martens 2016), by loops."""
    model, images = convolutional(), random(6, 2, 4, 4)
    optimizer = KFAC(model, CategoricalOutput(), rescale=False)
    patches = functional.unfold(images, 3, padding=1, stride=2)
    a = torch.zeros(19, 19, dtype=images.dtype)
    for n in range(6):
        for t in range(patches.shape[-1]):
            row = torch.cat([patches[n, :, t], torch.ones(1)])
            a += torch.outer(row, row) / 6
    optimizer.step(classify(model, images, Y[:6]))
    torch.testing.assert_close(factors(optimizer, model[0])[0], a)


def test_it_trains_convolutions_with_inplace_activations():
    model, images = convolutional(), random(12, 2, 4, 4)
    optimizer = KFAC(model, CategoricalOutput(), damping=0.1, adaptive=True)
    losses = [optimizer.step(classify(model, images)).item() for _ in range(15)]
    assert losses[-1] < 0.05 * losses[0]
    assert not any(layer._forward_hooks for layer in model)


def test_rescaling_takes_the_minimum_of_the_quadratic_model():
    """For a linear model with squared errors any rescaled step goes to the minimum along its direction."""
    model, y = perceptron(4, 3), random(12, 3, seed=1)

    def closure():
        outputs = model(X)
        return 0.5 * (outputs - y).square().sum(-1).mean(), outputs

    optimizer = KFAC(model, GaussianOutput(), damping=1e-9)
    optimizer.step(closure)
    design = torch.cat([X, X.new_ones(12, 1)], 1)
    torch.testing.assert_close(model(X).detach(), design @ torch.linalg.lstsq(design, y).solution, rtol=1e-3, atol=1e-3)


def test_it_goes_on_from_a_state_dict():
    model = perceptron(4, 5, 3)
    optimizer = KFAC(model, CategoricalOutput(), adaptive=True)
    for _ in range(3):
        optimizer.step(classify(model))
    twin = copy.deepcopy(model)
    other = KFAC(twin, CategoricalOutput(), adaptive=True)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for _ in range(2):
        assert optimizer.step(classify(model)) == other.step(classify(twin))


def test_factors_are_renewed_now_and_then():
    model = perceptron(4, 3)
    optimizer = KFAC(model, CategoricalOutput(), every=2, rescale=False)
    optimizer.step(classify(model))
    first = factors(optimizer, model[0])[1].clone()
    optimizer.step(classify(model))
    assert torch.equal(factors(optimizer, model[0])[1], first)
    optimizer.step(classify(model))
    assert not torch.equal(factors(optimizer, model[0])[1], first)


@pytest.mark.parametrize("name", ["mlp", "conv"])
def test_equal_to_curvlinops(name):
    """A peer's factors; install it with ``--no-deps``, as it pulls torchvision."""
    curvlinops = pytest.importorskip("curvlinops")
    model, x = (perceptron(4, 5, 3), X) if name == "mlp" else (convolutional(), random(12, 2, 4, 4))
    operator = curvlinops.KFACLinearOperator(
        model,
        nn.CrossEntropyLoss(),
        dict(model.named_parameters()) if name == "dict" else list(model.parameters()),
        [(x, Y)],
        fisher_type="type-2",
        separate_weight_and_bias=False,
        kfac_approx="expand",
    )
    mine = KFAC(model, CategoricalOutput(), lr=1e-300, rescale=False)
    mine.step(classify(model, x))
    vector = random(sum(p.numel() for p in model.parameters()), seed=3)
    theirs = torch.as_tensor(operator @ vector)
    parts = dict(zip(model.parameters(), vector.split([p.numel() for p in model.parameters()]), strict=True))
    ours = []
    for layer in (model[0], model[-1]):
        a, g = factors(mine, layer)
        whole = torch.cat([parts[layer.weight].reshape(len(g), -1), parts[layer.bias][:, None]], 1)
        image = g @ whole @ a
        ours += [image[:, :-1].reshape(-1), image[:, -1]]
    torch.testing.assert_close(torch.cat(ours), theirs.to(vector.dtype), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "error", "rule"),
    [
        (lambda: KFAC("model", CategoricalOutput()), TypeError, "must be a torch.nn.Module"),
        (lambda: KFAC(nn.ReLU(), CategoricalOutput()), ValueError, "must have a trainable"),
        (lambda: KFAC(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)), CategoricalOutput()), ValueError, "Freeze"),
        (lambda: KFAC(nn.Conv2d(2, 2, 1, groups=2), CategoricalOutput()), ValueError, "without groups"),
        (lambda: KFAC(perceptron(2, 2), CategoricalOutput(), decay=1.0), ValueError, "in \\[0, 1\\)"),
        (lambda: KFAC(perceptron(2, 2), CategoricalOutput(), fisher="empirical"), ValueError, "'exact' or 'sampled'"),
        (lambda: KFAC(perceptron(2, 2), "softmax"), TypeError, "OutputDistribution"),
    ],
)
def test_wrong_arguments(make, error, rule):
    with pytest.raises(error, match=rule):
        make()


def test_idle_layers_are_named():
    model = nn.ModuleList([nn.Linear(4, 3), nn.Linear(4, 3)]).double()

    def closure():
        outputs = model[0](X)
        return functional.cross_entropy(outputs, Y), outputs

    with pytest.raises(ValueError, match="must use every layer"):
        KFAC(model, CategoricalOutput()).step(closure)
