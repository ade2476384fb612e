import pickle

import pytest
import torch

from algonets.data import Shapes


def overlap(found, truth):
    found, truth = found.flatten(1), truth.flatten(1)
    return ((found & truth).sum(1) / (found | truth).sum(1).clamp_min(1)).mean().item()


def test_pictures():
    data = Shapes(size=30, side=40)
    image, mask, coarse = data[3]
    assert (image.shape, mask.shape, coarse.shape) == ((3, 40, 40), (1, 40, 40), (1, 40, 40))
    assert image.dtype == mask.dtype == coarse.dtype == torch.float32
    assert image.min() >= 0 and image.max() <= 1 and data.masks.unique().tolist() == [0, 1]
    assert 0.1 < data.masks.mean() < 0.4
    assert torch.equal(data[-1][0], data.images[29]) and pickle.loads(pickle.dumps(data))[3][2].equal(coarse)
    assert len(data) == 30 and "30 pictures of 40 x 40" in repr(data)


def test_the_coarse_map_is_coarse():
    data = Shapes(train=False)
    assert 0.68 < overlap(data.coarse > 0, data.masks > 0) < 0.76


def test_colours_do_not_give_shapes_away():
    """A logistic regression on colours, fitted to all pixels of half the pictures, fails on the others."""
    data = Shapes(size=60)
    pixels, labels = data.images.permute(0, 2, 3, 1).reshape(60, -1, 3), data.masks.reshape(60, -1)
    weight = torch.zeros(4, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=100)

    def loss():
        scores = pixels[:30] @ weight[:3] + weight[3]
        value = torch.nn.functional.binary_cross_entropy_with_logits(scores, labels[:30])
        optimizer.zero_grad()
        value.backward()
        return value

    optimizer.step(loss)
    assert overlap((pixels[30:] @ weight[:3] + weight[3]) > 0, labels[30:] > 0) < 0.2


def test_seeds_and_parts():
    assert torch.equal(Shapes(size=2).images, Shapes(size=2).images)
    others = [Shapes(False, 2), Shapes(size=2, seed=1), Shapes(False, 2, seed=1)]
    assert all(not torch.equal(Shapes(size=2).masks, other.masks) for other in others)
    state = torch.get_rng_state()
    Shapes(size=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_bad_input():
    with pytest.raises(TypeError, match="True or False"):
        Shapes("test")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Shapes\(size\) must be at least 1"):
        Shapes(size=0)
    with pytest.raises(ValueError, match=r"Shapes\(side\) must be at least 16"):
        Shapes(size=1, side=8)
    with pytest.raises(IndexError):
        Shapes(size=1)[1]
