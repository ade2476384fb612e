"""What single architectures are known for: the perceptron's theorem, PCA, equality with torch, the search's limit."""

import itertools

import pytest
import torch
from torch import nn

from algonets.nets import (
    DCGAN,
    MLP,
    Autoencoder,
    ConvLSTM,
    FilterBank,
    GRUCell,
    LSTMCell,
    Perceptron,
    Recurrent,
    RNNCell,
    UpConvNet,
    VariationalAutoencoder,
    VqaNet,
    features,
)
from algonets.nets.features import gram, kernels, record
from algonets.nets.variational_autoencoder import kl_to_standard

SQUARE = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def test_the_perceptron_learns_14_of_16_functions():
    learnt = [bits for bits in itertools.product([0.0, 1.0], repeat=4) if Perceptron(2).fit(SQUARE, torch.tensor(bits))]
    assert len(learnt) == 14
    assert (0.0, 1.0, 1.0, 0.0) not in learnt and (1.0, 0.0, 0.0, 1.0) not in learnt


def test_the_perceptron_needs_no_more_mistakes_than_novikoff_says():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=generator)
    true = torch.tensor([1.0, -2.0, 0.5])
    margins = x @ true
    x, margins = x[margins.abs() > 0.5], margins[margins.abs() > 0.5]
    unit = Perceptron(3)
    assert unit.fit(x, (margins > 0).float(), epochs=1000)
    assert torch.equal(unit(x), (margins > 0).float())
    # each mistake adds at least the margin along (true, 0): the bound is on the final weights' length
    radius, margin = (x.square().sum(1) + 1).max(), margins.abs().min() / true.norm()
    assert unit.weight.square().sum() + unit.bias.square() <= (radius / margin) ** 2 * radius


@pytest.mark.parametrize(("ours", "torchs"), [(RNNCell, nn.RNNCell), (GRUCell, nn.GRUCell), (LSTMCell, nn.LSTMCell)])
def test_cells_equal_torch(ours, torchs):
    torch.manual_seed(0)
    cell, reference = ours(3, 5).double(), torchs(3, 5).double()
    cell.load_state_dict(reference.state_dict())
    state = expected = None
    for _ in range(6):
        x = torch.randn(4, 3, dtype=torch.float64)
        state, expected = cell(x, state), reference(x, expected)
        for a, b in zip(*((s if isinstance(s, tuple) else (s,)) for s in (state, expected)), strict=True):
            assert (a - b).abs().max() < 1e-12


@pytest.mark.parametrize(("ours", "torchs"), [(RNNCell, nn.RNN), (GRUCell, nn.GRU), (LSTMCell, nn.LSTM)])
def test_layers_equal_torch(ours, torchs):
    torch.manual_seed(0)
    layer, reference = Recurrent(ours(3, 5).double()), torchs(3, 5, batch_first=True).double()
    layer.cell.load_state_dict({name.removesuffix("_l0"): value for name, value in reference.state_dict().items()})
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    assert (layer(x) - reference(x)[0]).abs().max() < 1e-12
    assert layer(x[:, :0]).shape == (2, 0, 5)
    assert torch.equal(layer.trace(x)["hidden"], layer(x))


def test_peepholes_by_hand():
    cell = LSTMCell(1, 1, peephole=True).double()
    plain = LSTMCell(1, 1).double()
    plain.load_state_dict({k: v for k, v in cell.state_dict().items() if k != "weight_peephole"})
    x, state = torch.tensor([0.3], dtype=torch.float64), (torch.tensor([0.2]).double(), torch.tensor([-0.7]).double())
    assert torch.equal(cell(x, state)[0], plain(x, state)[0])  # zero at first
    cell.weight_peephole.data = torch.tensor([[0.5], [-1.0], [2.0]], dtype=torch.float64)
    w, u = cell.weight_ih.flatten(), cell.weight_hh.flatten()
    b = cell.bias_ih + cell.bias_hh
    z = [w[k] * 0.3 + u[k] * state[0] + b[k] for k in range(4)]
    memory = torch.sigmoid(z[1] + 0.7) * -0.7 + torch.sigmoid(z[0] - 0.35) * torch.tanh(z[2])
    hidden = torch.sigmoid(z[3] + 2 * memory) * torch.tanh(memory)
    assert torch.allclose(torch.cat(cell(x, state)), torch.cat([hidden, memory]), atol=1e-12)


def test_recurrent_gradients():
    torch.manual_seed(0)
    layer = Recurrent(LSTMCell(2, 2, peephole=True).double())
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x) and torch.autograd.gradgradcheck(layer, x)


def test_a_linear_autoencoder_reaches_pca_and_no_further():
    torch.manual_seed(0)
    x = (torch.randn(60, 4) @ torch.randn(4, 6) + 0.1 * torch.randn(60, 6)).double()
    x = x - x.mean(0)
    best = torch.linalg.svdvals(x)[2:].square().sum() / x.numel()
    net = Autoencoder((6, 2), "identity").double()
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=300, tolerance_grad=1e-10)

    def closure():
        optimizer.zero_grad()
        loss = net.loss(x)
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    assert best * (1 - 1e-9) <= net.loss(x) <= best * 1.001


def test_stages_share_weights_and_compose():
    net = Autoencoder((6, 4, 3, 2), "tanh", "sigmoid", noise=0.3)
    x = torch.rand(5, 6)
    code = x
    for k in range(3):
        code = net.stage(k).encode(code)
    assert torch.allclose(code, net.encode(x))
    assert net.stage(1).encoder[0] is net.encoder[2] and net.stage(1).decoder[0] is net.decoder[2]
    assert net.stage(0).decoder[0].out_features == 6 and net.stage(2).sizes == (3, 2)
    assert net.classifier(7)(x).shape == (5, 7)


def test_noise_and_sparsity_of_an_autoencoder():
    x = torch.rand(4, 6)
    net = Autoencoder((6, 3), sparsity=0.5)
    plain = Autoencoder((6, 3))
    plain.load_state_dict(net.state_dict())
    assert torch.allclose(net.loss(x) - plain.loss(x), 0.5 * net.encode(x).abs().mean())
    noisy = Autoencoder((6, 3), noise=0.5)
    first, second = (noisy.loss(x, torch.Generator().manual_seed(k)) for k in (0, 1))
    assert first != second and noisy.loss(x, torch.Generator().manual_seed(0)) == first


def test_the_kl_term_against_torch():
    mean, log_var = torch.randn(5, 3), torch.randn(5, 3)
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(mean, (log_var / 2).exp()), normal(0.0, 1.0)).sum(-1)
    assert torch.allclose(kl_to_standard(mean, log_var), expected, atol=1e-5)


def test_the_variational_bound_draws():
    net = VariationalAutoencoder(6, 4, 2)
    x = torch.rand(3, 6)
    g = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    assert net.loss(x, g()) == net.loss(x, g()) and not torch.equal(net(x), net(x))
    assert torch.equal(net.eval()(x), net(x)) and net.sample(4, g()).shape == (4, 6)


def test_conv_lstm_is_the_same_everywhere_and_goes_on_with_its_own_frames():
    torch.manual_seed(0)
    net = ConvLSTM(1, (3,), 3)
    film = torch.zeros(1, 4, 1, 32, 32)
    film[..., 13:16, 13:16] = 1.0
    moved = film.roll((5, 4), (-2, -1))
    a, b = net(film, 2), net(moved, 2)
    assert torch.allclose(a[..., 12:17, 12:17], b[..., 17:22, 16:21], atol=1e-5)
    longer = torch.cat([film, net(film).sigmoid()], 1)
    assert torch.allclose(net(film, 2)[:, 1], net(longer)[:, 0], atol=1e-5)


def test_adversarial_losses():
    net = DCGAN((1, 8, 8), 4, 4)
    images = torch.rand(6, 1, 8, 8) * 2 - 1
    judged, drawn = net.losses(images, torch.randn(6, 4))
    judged.backward()
    assert all(p.grad is None for p in net.generator.parameters())
    drawn.backward()
    assert all(p.grad is not None for p in net.generator.parameters())
    assert net.draw(3, torch.Generator().manual_seed(0)).abs().max() <= 1


def test_up_convolutions_blend_classes():
    net = UpConvNet(2, 2, 3, (1, 8, 8), 4)
    view = torch.zeros(1, 2)
    halves = net(torch.tensor([[0.5, 0.5]]), view)[0]
    assert halves.isfinite().all() and not torch.equal(halves, net(torch.tensor([[1.0, 0.0]]), view)[0])
    assert torch.equal(net(torch.ones(1, 2), view)[0], net(torch.ones(1, 2), view, torch.zeros(1, 3))[0])


@pytest.mark.parametrize("question", ["bag", "lstm"])
@pytest.mark.parametrize("look", [True, False])
def test_what_each_question_model_sees(question, look):
    torch.manual_seed(0)
    net = VqaNet(9, 4, (3, 8, 8), question, look, 8)
    words, images = torch.tensor([[3, 5, 7, 0]]), torch.rand(1, 3, 8, 8)
    answer = net(words, images)
    assert torch.allclose(net(words[:, :3], images), answer, atol=1e-6)  # padding says nothing
    assert torch.allclose(net(words[:, [1, 0, 2, 3]], images), answer, atol=1e-6) == (question == "bag")
    assert torch.equal(net(words, images.flip(-1)), answer) == (not look)
    assert net(torch.zeros(1, 4, dtype=torch.long), images).isfinite().all()


def test_gram_forgets_places_and_filters_ignore_brightness():
    maps = torch.rand(2, 3, 4, 5)
    places = torch.randperm(20)
    shuffled = maps.flatten(2)[..., places].reshape(maps.shape)
    assert torch.allclose(gram(maps), gram(shuffled)) and gram(maps).shape == (2, 3, 3)
    expected = sum(torch.outer(maps[0, :, i, j], maps[0, :, i, j]) for i in range(4) for j in range(5)) / 20
    assert torch.allclose(gram(maps)[0], expected)
    bank, picture = FilterBank(3, 4, (3, 5)), torch.rand(1, 3, 9, 8)
    for a, b in zip(bank(picture), bank(picture + 0.5), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_any_layer_can_be_seen():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.ReLU(), nn.Flatten()))
    x = torch.rand(2, 1, 5, 5, requires_grad=True)
    seen = features.features(net, x)
    assert list(seen) == ["0", "1.0", "1.1"] and torch.equal(seen["1.0"], seen["0"].relu())
    seen["0"].sum().backward()
    assert x.grad is not None
    with pytest.raises(ValueError, match=r"record\(layers\).*1\.1"), record(net, ["2"]):
        pass
    assert not net[0]._forward_hooks and torch.equal(kernels(net), net[0].weight)
    with pytest.raises(ValueError, match="convolution"):
        kernels(MLP((2, 2)))
