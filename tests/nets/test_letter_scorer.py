"""LetterScorer: shapes, modes, state, and bad input."""

import copy
import pickle

import pytest
import torch

from algonets.nets import LetterScorer


def scorer(shape=(1, 16, 8), classes=26, **options) -> LetterScorer:
    torch.manual_seed(0)
    return LetterScorer(shape, classes, **{"width": 4, **options})


@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 3), (2, 1, 2), (0,), (2, 0)])
def test_batch_shapes(batch):
    assert scorer().eval()(torch.rand(*batch, 1, 16, 8)).shape == (*batch, 26)


@pytest.mark.parametrize("shape", [(1, 4, 4), (1, 7, 5), (1, 17, 9), (3, 16, 16), (2, 4, 31)])
def test_odd_sizes(shape):
    assert scorer(shape, 3)(torch.rand(2, *shape)).shape == (2, 3)


def test_each_image_by_itself():
    net, images = scorer().eval(), torch.rand(5, 1, 16, 8)
    torch.testing.assert_close(net(images), torch.stack([net(image) for image in images]))


def test_same_numbers_in_any_batch_shape():
    net, images = scorer().eval(), torch.rand(6, 1, 16, 8)
    torch.testing.assert_close(net(images.reshape(2, 3, 1, 16, 8)), net(images).reshape(2, 3, 26))
    strided = torch.rand(6, 1, 32, 16)[..., ::2, ::2]
    torch.testing.assert_close(net(strided), net(strided.contiguous()))


def test_training_drops_and_evaluation_does_not():
    net, images = scorer(), torch.rand(4, 1, 16, 8)
    assert not torch.equal(net(images), net(images))
    net.eval()
    assert torch.equal(net(images), net(images))
    sure = scorer(dropout=0.0)
    assert torch.equal(sure(images), sure(images))


def test_gradients_reach_everything():
    net, images = scorer(), torch.rand(4, 1, 16, 8, requires_grad=True)
    net(images).square().sum().backward()
    assert images.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in net.parameters())


def test_empty_batch_in_training():
    net = scorer()
    before = copy.deepcopy(net.state_dict())
    assert net(torch.rand(0, 1, 16, 8)).shape == (0, 26)
    after = net.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if "num_batches" not in name)


def test_learns_two_letters():
    torch.manual_seed(0)
    net = LetterScorer((1, 8, 8), 2, width=4, dropout=0.0)
    images, labels = torch.zeros(8, 1, 8, 8), torch.tensor([0, 1] * 4)
    images[labels == 0, :, :, 3], images[labels == 1, :, 3, :] = 1.0, 1.0
    images += 0.1 * torch.rand(images.shape)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimizer.step()
    assert torch.equal(net.eval()(images).argmax(-1), labels)


def test_state_dict_pickle_copy():
    net, images = scorer(), torch.rand(2, 1, 16, 8)
    net(torch.rand(8, 1, 16, 8))  # moves the running statistics
    net.eval()
    other = LetterScorer((1, 16, 8), 26, width=4)
    other.load_state_dict(net.state_dict())
    for twin in (other.eval(), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert torch.equal(twin(images), net(images))
    assert any("running_mean" in name for name in net.state_dict())


def test_follows_its_dtype():
    assert scorer().double().eval()(torch.rand(2, 1, 16, 8).double()).dtype == torch.float64


def test_width_and_repr():
    net = LetterScorer((1, 16, 8), 5, width=6)
    assert [m.out_channels for m in net.features if isinstance(m, torch.nn.Conv2d)] == [6, 6, 12, 12]
    assert repr(net) == "LetterScorer(image_shape=(1, 16, 8), num_classes=5, width=6, dropout=0.4)"


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: LetterScorer((1, 3, 8), 26), ValueError, ["image_shape", "at least 4", "(1, 3, 8)"]),
        (lambda: LetterScorer((1, 16, 2), 26), ValueError, ["image_shape", "at least 4", "(1, 16, 2)"]),
        (lambda: LetterScorer((1, 16, 8), 0), ValueError, ["num_classes", "at least 1", "got 0"]),
        (lambda: LetterScorer((1, 16, 8), 2.0), TypeError, ["num_classes", "integer", "float"]),
        (lambda: LetterScorer((1, 16, 8), 26, width=0), ValueError, ["width", "at least 1", "got 0"]),
        (lambda: LetterScorer((1, 16, 8), 26, dropout=1.0), ValueError, ["dropout", "[0, 1)", "got 1.0"]),
        (lambda: LetterScorer((1, 16, 8), 26, dropout=-0.1), ValueError, ["dropout", "[0, 1)", "got -0.1"]),
        (lambda: scorer()(torch.zeros(2, 1, 8, 16)), ValueError, ["images", "(*batch, 1, 16, 8)", "(2, 1, 8, 16)"]),
        (lambda: scorer()(torch.zeros(16, 8)), ValueError, ["images", "(*batch, 1, 16, 8)", "(16, 8)"]),
        (lambda: LetterScorer((16, 8), 26), ValueError, ["image_shape", "(16, 8)"]),
        (lambda: LetterScorer((0, 16, 8), 26), ValueError, ["image_shape", "(0, 16, 8)"]),
    ],
)
def test_error_says_what_is_wrong(build, error, words):
    with pytest.raises(error) as caught:
        build()
    message = str(caught.value)
    assert "LetterScorer(" in message and all(word in message for word in words), message
