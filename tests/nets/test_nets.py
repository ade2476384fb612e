"""Every architecture: any batch and size it promises, one example by itself, repr, copies, checkpoints, errors."""

import copy
import pickle

import pytest
import torch

from algonets import nets
from algonets.nets import *  # noqa: F403 - repr is evaluated with these names
from algonets.nets import (
    DCGAN,
    DQN,
    MLP,
    VGG,
    Autoencoder,
    ConvAutoencoder,
    ConvLSTM,
    DigitRanker,
    FilterBank,
    GRUCell,
    LeNet,
    LetterScorer,
    LSTMCell,
    Net,
    PathResNet,
    Perceptron,
    PolicyValueNet,
    Recurrent,
    ResNet,
    RNNCell,
    SegNet,
    SmallCnn,
    UNet,
    UpConvNet,
    VariationalAutoencoder,
    VqaNet,
    load_net,
    save_net,
)

# How to build a small one with arguments that are not the defaults, and the shape of one example's inputs.
SMALL = [
    (lambda: MLP((3, 5, 2), "tanh"), [(3,)]),
    (lambda: Perceptron(3), [(3,)]),
    (lambda: LeNet((2, 13, 17), 3), [(2, 13, 17)]),
    (lambda: VGG(2, 3, (1, 2), 4), [(2, 9, 6)]),
    (lambda: ResNet(2, 3, 1, 4), [(2, 9, 6)]),
    (lambda: ResNet(2, 3, 1, 4, residual=False), [(2, 9, 6)]),
    (lambda: Autoencoder((7, 5, 2), "elu", "sigmoid", 0.1, 0.2), [(7,)]),
    (lambda: ConvAutoencoder((2, 8, 12), 3, 4), [(2, 8, 12)]),
    (lambda: VariationalAutoencoder(6, 5, 3), [(6,)]),
    (lambda: UNet(2, 3, 2, 4), [(2, 7, 10)]),
    (lambda: UNet(2, 3, 2, 4, skip=False), [(2, 7, 10)]),
    (lambda: SegNet(2, 3, 2, 4), [(2, 7, 10)]),
    (lambda: RNNCell(3, 4), [(3,)]),
    (lambda: GRUCell(3, 4), [(3,)]),
    (lambda: LSTMCell(3, 4, peephole=True), [(3,)]),
    (lambda: Recurrent(LSTMCell(3, 4, peephole=True)), [(5, 3)]),
    (lambda: ConvLSTM(2, (3, 4), 3), [(4, 2, 5, 6)]),
    (lambda: DCGAN((2, 8, 12), 3, 4), [(3,)]),
    (lambda: UpConvNet(3, 4, 2, (2, 8, 16), 4), [(3,), (4,), (2,)]),
    (lambda: UpConvNet(3, 4, 0, (2, 8, 16), 4), [(3,), (4,)]),
    (lambda: PolicyValueNet(2, (3, 4), 5, 4, 1), [(2, 3, 4)]),
    (lambda: DQN((2, 5, 7), 3, 8), [(2, 5, 7)]),
    (lambda: DQN((4,), 3, 8), [(4,)]),
    (lambda: PathResNet(2, 4), [(3, 9, 8)]),
    (lambda: PathResNet(2, 4, whole=True), [(3, 32, 33)]),
    (lambda: SmallCnn((2, 8, 9), 3, 4, 0.1), [(2, 8, 9)]),
    (lambda: DigitRanker((2, 8, 9), 4), [(2, 8, 9)]),
    (lambda: LetterScorer((2, 8, 9), 3, 4, 0.1), [(2, 8, 9)]),
]
SINGLE = [lambda: FilterBank(2, 3, (3, 5), seed=4), lambda: VqaNet(9, 4, (2, 9, 8), "bag", look=False, width=6)]


def names(case):
    return repr(case[0]()).split("(")[0] if isinstance(case, tuple) else None


def call(net, inputs):
    found = net(*inputs)
    return found if isinstance(found, tuple) else (found,)


def draw(shapes, *batch):
    torch.manual_seed(1)
    return [torch.rand(*batch, *shape) for shape in shapes]


@pytest.mark.parametrize("case", SMALL, ids=names)
def test_any_batch(case):
    build, shapes = case
    net = build().eval()
    inputs = draw(shapes, 2, 3)
    with torch.no_grad():
        for some in call(net, inputs), call(net, [x.mT.contiguous().mT if x.ndim > 3 else x for x in inputs]):
            for part, single in zip(some, call(net, [x[1, 2] for x in inputs]), strict=True):
                assert part.shape[:2] == (2, 3) and part.shape[2:] == single.shape
                assert torch.allclose(part[1, 2], single, atol=1e-5)
        for part, single in zip(call(net, draw(shapes, 0)), call(net, draw(shapes, 1)), strict=True):
            assert part.shape == (0, *single.shape[1:])


@pytest.mark.parametrize("case", [*SMALL, *((build, None) for build in SINGLE)], ids=names)
def test_repr_rebuilds_and_copies_are_equal(case, tmp_path):
    build, shapes = case
    net = build()
    again = eval(repr(net), vars(nets))
    assert repr(again) == repr(net) and type(again) is type(net)
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in net.state_dict().items()}
    pytest.importorskip("safetensors")
    save_net(net, tmp_path / "net.safetensors")
    for twin in (load_net(tmp_path / "net.safetensors"), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert repr(twin) == repr(net)
        assert all(torch.equal(a, b) for a, b in zip(twin.state_dict().values(), net.state_dict().values()))
        if shapes:
            inputs = draw(shapes, 2)
            with torch.no_grad():
                pairs = zip(call(twin.eval(), inputs), call(net.eval(), inputs), strict=True)
                assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("case", [case for case in SMALL if names(case) != "Perceptron"], ids=names)
def test_gradients_reach_every_weight_in_float64(case):
    build, shapes = case
    torch.manual_seed(0)
    net = build().double()
    net.requires_grad_(True)
    inputs = [x.double().requires_grad_() for x in draw(shapes, 5)]
    found = call(net, inputs)
    assert all(part.dtype == torch.float64 for part in found)
    extra = net.judge(found[0].detach()).square().sum() if isinstance(net, DCGAN) else 0.0
    if isinstance(net, RNNCell | GRUCell | LSTMCell):  # a second step, or the weights of the state see zeros
        found = call(net, [inputs[0], net(inputs[0])])
        found = found[0] if isinstance(found[0], tuple) else found
    (sum(part.square().sum() + part.sum() for part in found) + extra).backward()
    for name, weight in net.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all(), name
    assert all(x.grad is not None and x.grad.isfinite().all() for x in inputs)


@pytest.mark.parametrize("kind", [VGG, ResNet, UNet, SegNet])
@pytest.mark.parametrize("size", [(8, 8), (9, 15), (31, 8), (17, 23)])
def test_convolutions_take_any_size(kind, size):
    net = kind(1, 2, width=2).eval()
    found = net(torch.rand(2, 1, *size))
    assert found.shape == ((2, 2) if kind in (VGG, ResNet) else (2, 2, *size))


def test_lenet_is_lenet():
    assert LeNet().parameter_count() == 61_706


def test_plain_and_residual_have_the_same_weights():
    plain, residual = ResNet(3, 10, 2, 8, residual=False), ResNet(3, 10, 2, 8)
    assert plain.parameter_count() == residual.parameter_count()
    plain.load_state_dict(residual.state_dict())
    x = torch.rand(4, 3, 16, 16)
    assert not torch.allclose(plain(x), residual(x))
    assert sum(isinstance(m, torch.nn.Conv2d | torch.nn.Linear) for m in residual.modules()) == 6 * 2 + 2


def test_a_residual_block_begins_near_the_identity():
    net = ResNet(1, 2, 1, 4).eval()
    for block in net.body:
        torch.nn.init.zeros_(block.change[-1].weight)
    x = torch.rand(3, 4, 8, 8)
    assert torch.equal(net.body[0](x), x)
    assert torch.equal(net.body[1](x)[:, :4], x[:, :, ::2, ::2]) and not net.body[1](x)[:, 4:].any()


def test_segnet_puts_maxima_back_where_they_were():
    net = SegNet(1, 1, 1, 1)
    net.shrink[0].weight.data.fill_(0.5)
    net.shrink[0].bias.data.fill_(1.0)
    images = torch.rand(1, 1, 5, 6)
    seen = {}
    hook = net.up[0].register_forward_pre_hook(lambda module, args: seen.update(x=args[0]))
    fine = net.down[0](images)
    net(images)
    hook.remove()
    _, where = torch.nn.functional.max_pool2d(fine, 2, return_indices=True)
    assert set(seen["x"].flatten().nonzero().flatten().tolist()) <= set(where.flatten().tolist())


def vqa(words):
    return VqaNet(5, 2)(words, torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: MLP((3,)), ValueError, ["MLP(sizes)", "(3,)"]),
        (lambda: MLP((3, 0)), ValueError, ["MLP(sizes)", "at least 1", "(3, 0)"]),
        (lambda: MLP(3), TypeError, ["MLP(sizes)", "tuple of integers", "int"]),
        (lambda: MLP((3, 1.5)), TypeError, ["MLP(sizes)", "tuple of integers", "float"]),
        (lambda: LeNet("mnist"), TypeError, ["LeNet(image_shape)", "tuple of integers", "str"]),
        (lambda: LeNet()(torch.zeros(1, 1, 28, 28).byte()), TypeError, ["LeNet(images)", "floating-point"]),
        (lambda: ResNet()(torch.zeros(1, 3, 9, 9).byte()), TypeError, ["ResNet(images)", "floating-point"]),
        (lambda: MLP((3, 2))(torch.zeros(3).long()), TypeError, ["MLP(inputs)", "floating-point"]),
        (lambda: Autoencoder((4, 2), "softplus"), ValueError, ["Autoencoder(activation)", "relu", "'softplus'"]),
        (lambda: Autoencoder((4, 2), noise="much"), ValueError, ["Autoencoder(noise)", "[0, 1)"]),
        (lambda: SmallCnn((1, 8, 8), 2, dropout=None), ValueError, ["SmallCnn(dropout)", "[0, 1)"]),
        (lambda: PolicyValueNet(2, (1.5, 3), 9), TypeError, ["PolicyValueNet(board)", "integers"]),
        (lambda: FilterBank(seed=1.5), TypeError, ["FilterBank(seed)", "integer"]),
        (lambda: ConvLSTM(kernel_size="5"), TypeError, ["ConvLSTM(kernel_size)", "integer"]),
        (lambda: ConvAutoencoder()(torch.zeros(1, 1, 32, 28)), ValueError, ["ConvAutoencoder(images)", "1, 28, 28"]),
        (lambda: DCGAN().judge(torch.zeros(1, 1, 32, 28)), ValueError, ["DCGAN.judge(images)", "1, 28, 28"]),
        (lambda: GRUCell(2, 3)(torch.zeros(5, 2), torch.zeros(5, 4)), ValueError, ["GRUCell(state)", "(*batch, 3)"]),
        (lambda: LSTMCell(2, 3)(torch.zeros(2), torch.zeros(2, 3)), TypeError, ["LSTMCell(state)", "pair (h, c)"]),
        (lambda: UpConvNet(3)(torch.eye(3), torch.zeros(4, 2)), ValueError, ["UpConvNet(view", "the batch (3,)"]),
        (lambda: vqa(torch.tensor([[5]])), ValueError, ["VqaNet(words)", "from 0 to 4"]),
        (lambda: vqa(torch.rand(1, 3)), TypeError, ["VqaNet(words)", "integers"]),
        (lambda: MLP((3, 2), "softplus"), ValueError, ["MLP(activation)", "relu", "'softplus'"]),
        (lambda: MLP((3, 2))(torch.zeros(2, 4)), ValueError, ["MLP(inputs)", "(*batch, 3)", "(2, 4)"]),
        (lambda: Perceptron(0), ValueError, ["Perceptron(inputs)", "got 0"]),
        (lambda: Perceptron(2).fit(torch.zeros(3, 2), torch.tensor([0.0, 2.0, 1.0])), ValueError, ["0 or 1"]),
        (lambda: LeNet((1, 11, 28)), ValueError, ["LeNet(image_shape)", "at least 12"]),
        (lambda: LeNet()(torch.zeros(1, 1, 32, 32)), ValueError, ["LeNet(images)", "(*batch, 1, 28, 28)"]),
        (lambda: VGG(stages=()), ValueError, ["VGG(stages)"]),
        (lambda: VGG()(torch.zeros(1, 3, 3, 9)), ValueError, ["VGG(images)", "at least 4"]),
        (lambda: ResNet(blocks=0), ValueError, ["ResNet(blocks)", "got 0"]),
        (lambda: ResNet()(torch.zeros(1, 1, 9, 9)), ValueError, ["ResNet(images)", "(*batch, 3, H, W)"]),
        (lambda: Autoencoder((4, 2), noise=1.0), ValueError, ["Autoencoder(noise)", "[0, 1)"]),
        (lambda: Autoencoder((4, 2), sparsity=-1), ValueError, ["Autoencoder(sparsity)", "got -1"]),
        (lambda: Autoencoder((4, 2)).stage(1), ValueError, ["stage(layer)", "from 0 to 0"]),
        (lambda: ConvAutoencoder((1, 10, 8)), ValueError, ["ConvAutoencoder(image_shape)", "multiples of 4"]),
        (lambda: VariationalAutoencoder(2).loss(torch.full((1, 2), 2.0)), ValueError, ["in [0, 1]"]),
        (lambda: UNet(levels=0), ValueError, ["UNet(levels)"]),
        (lambda: UNet(levels=3)(torch.zeros(1, 3, 7, 9)), ValueError, ["UNet(images)", "at least 8"]),
        (lambda: SegNet(width=1.5), TypeError, ["SegNet(width)", "float"]),
        (lambda: RNNCell(3, 0), ValueError, ["RNNCell(hidden)"]),
        (lambda: Recurrent(torch.nn.RNNCell(2, 2)), TypeError, ["Recurrent(cell)", "RNNCell"]),
        (lambda: Recurrent(RNNCell(2, 2))(torch.zeros(3, 3)), ValueError, ["(*batch, T, 2)"]),
        (lambda: Recurrent(RNNCell(2, 2)).trace(torch.zeros(0, 2)), ValueError, ["at least one step"]),
        (lambda: ConvLSTM(kernel_size=4), ValueError, ["ConvLSTM(kernel_size)", "odd", "4"]),
        (lambda: ConvLSTM()(torch.zeros(2, 0, 1, 5, 5)), ValueError, ["T at least 1"]),
        (lambda: DCGAN((1, 9, 8)), ValueError, ["DCGAN(image_shape)", "multiples of 4"]),
        (lambda: UpConvNet(3, image_shape=(1, 12, 16)), ValueError, ["UpConvNet(image_shape)", "multiples of 8"]),
        (lambda: UpConvNet(3)(torch.eye(2), torch.zeros(2, 2)), ValueError, ["UpConvNet(classes)", "(*batch, 3)"]),
        (lambda: VqaNet(1, 2), ValueError, ["VqaNet(vocabulary)", "at least 2"]),
        (lambda: VqaNet(5, 2, question="tree"), ValueError, ["VqaNet(question)", "'tree'"]),
        (lambda: PolicyValueNet(2, (3,), 9), ValueError, ["PolicyValueNet(board)", "(3,)"]),
        (lambda: DQN((2, 3), 2), ValueError, ["DQN(observation)", "(2, 3)"]),
        (lambda: DQN((4,), 2)(torch.zeros(3)), ValueError, ["DQN(observations)", "(*batch, 4)"]),
        (lambda: FilterBank(sizes=(4,)), ValueError, ["FilterBank(sizes)", "odd"]),
        (lambda: FilterBank()(torch.zeros(1, 3, 8, 20)), ValueError, ["FilterBank(images)", "at least 9"]),
        (lambda: save_net(torch.nn.Linear(2, 2), "x"), TypeError, ["save_net(net)", "Linear"]),
    ],
)
def test_errors_say_what_is_wrong(build, error, words):
    with pytest.raises(error) as caught:
        build()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_files_that_are_no_checkpoints(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"not one")
    with pytest.raises(ValueError, match="must be a safetensors file"):
        load_net(path)
    for header in (
        {},
        {"class": "load_net", "settings": "{}"},
        {"class": "Net", "settings": "x"},
        {"class": "MLP"},
        {"class": "MLP", "settings": '{"sizes": [2, 3]}'},
        {"class": "MLP", "settings": '{"size": [2, 3]}'},
    ):
        safetensors.save_file({"w": torch.zeros(2)}, path, header)
        with pytest.raises(ValueError, match=r"load_net\(path\) must be written by save_net"):
            load_net(path)
    with pytest.raises(FileNotFoundError):
        load_net(tmp_path / "none.safetensors")


def test_every_architecture_is_in_the_tests():
    shown = {names(case) for case in SMALL} | {repr(build()).split("(")[0] for build in SINGLE}
    kinds = {n for n in nets.__all__ if isinstance(getattr(nets, n), type) and issubclass(getattr(nets, n), Net)}
    assert shown == kinds - {"Net"}
