"""Numbers to bits."""

import pytest
import torch

from algonets.logic import Binarize, Thermometer


def test_uniform_and_quantile():
    data = torch.tensor([[0.0], [1.0], [2.0], [3.0], [100.0]])
    assert Thermometer(3).fit(data).thresholds.flatten().tolist() == [25.0, 50.0, 75.0]
    found = Thermometer(3, spacing="quantile").fit(data)
    assert found.thresholds.flatten().tolist() == [1.0, 2.0, 3.0]
    assert found(data).sum(-1).tolist() == [0.0, 0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("shared", [True, False])
def test_images_get_more_channels(shared):
    images = torch.randint(256, (6, 2, 3, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    coder = Thermometer(4, event_dims=3, shared=shared).fit(images)
    bits = coder(images)
    assert bits.shape == (6, 8, 3, 3) and bits.dtype == torch.float32
    for t in range(4):
        wanted = (images > coder.thresholds[t]).float()
        assert torch.equal(bits[:, 2 * t : 2 * t + 2], wanted)
    assert coder(images[0]).shape == (8, 3, 3) and coder(images[:0]).shape == (0, 8, 3, 3)


def test_learnable_thresholds_get_gradients():
    coder = Thermometer(2, learnable=True).fit(torch.rand(20, 3))
    y = coder(torch.rand(5, 3))
    assert torch.equal(y.detach(), y.detach().round())
    y.sum().backward()
    assert (coder.thresholds.grad < 0).all()  # a higher threshold, fewer ones


def test_binarize_takes_all_numbers():
    assert Binarize()(torch.tensor([True, False])).tolist() == [1.0, 0.0]
    assert Binarize(7)(torch.tensor([7, 8], dtype=torch.uint8)).tolist() == [0.0, 1.0]


def test_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Thermometer(0)
    with pytest.raises(ValueError, match="examples of 1 dimensions"):
        Thermometer(2).fit(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="finite"):
        Thermometer(2).fit(torch.tensor([[float("nan")]]))
    with pytest.raises(ValueError, match="as in fit"):
        Thermometer(2, shared=False).fit(torch.rand(5, 3))(torch.rand(2, 4))
    with pytest.raises(TypeError, match="real numbers"):
        Thermometer(2)([1.0])
