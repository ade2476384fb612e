"""The CRF layer: equal to its chain, trains, and takes masks as pytorch-crf does."""

import copy
import pickle

import pytest
import torch

from algonets.dp import CRF, LinearChain


def test_equals_its_chain(any_backend):
    torch.manual_seed(0)
    crf, unary = CRF(4), torch.randn(3, 5, 4)
    labels, lengths = torch.randint(4, (3, 5)), torch.tensor([5, 3, 1])
    mask = torch.arange(5) < lengths[:, None]
    chain = LinearChain(unary, crf.transition, crf.start, crf.end, lengths)
    expected = -chain.log_prob(labels)
    assert torch.equal(crf(unary, labels, lengths, reduction="none"), expected)
    assert torch.equal(crf(unary, labels, mask=mask), expected.mean())
    assert torch.equal(crf(unary, labels, lengths, reduction="sum"), expected.sum())
    assert torch.equal(crf(unary, labels, lengths, reduction="token_mean"), expected.sum() / 9)
    assert torch.equal(crf.decode(unary, mask=mask), chain.argmax())
    assert torch.equal(crf.topk(unary, 3, lengths)[1], chain.topk(3)[1])
    assert torch.equal(crf.marginals(unary, lengths)[0], chain.marginals()[0])


def test_learns_a_grammar():
    """Labels alternate; the scores say nothing: only the transitions can learn it."""
    torch.manual_seed(0)
    crf = CRF(2)
    optimizer = torch.optim.Adam(crf.parameters(), 0.1)
    labels = torch.tensor([[0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0]])
    for _ in range(100):
        optimizer.zero_grad()
        crf(torch.zeros(2, 6, 2), labels).backward()
        optimizer.step()
    hint = torch.zeros(2, 6, 2)
    hint[0, 3, 1] = hint[1, 3, 0] = 1.0
    assert torch.equal(crf.decode(hint), labels)


def test_state_dict_pickle_copy_repr():
    crf = CRF(3)
    other = CRF(3)
    other.load_state_dict(crf.state_dict())
    unary = torch.randn(2, 4, 3)
    for twin in (other, pickle.loads(pickle.dumps(crf)), copy.deepcopy(crf)):
        assert torch.equal(twin.decode(unary), crf.decode(unary)) and torch.equal(twin.transition, crf.transition)
    assert repr(crf) == "CRF(num_states=3)"
    assert sorted(crf.state_dict()) == ["end", "start", "transition"]


def test_batch_shapes():
    crf = CRF(3)
    assert crf.decode(torch.randn(5, 3)).shape == (5,)
    assert crf.decode(torch.randn(2, 2, 5, 3)).shape == (2, 2, 5)
    assert crf.decode(torch.randn(0, 5, 3)).shape == (0, 5)
    assert crf(torch.randn(0, 5, 3), torch.zeros(0, 5).long()) == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_follows_the_dtype_of_the_network(dtype):
    loss = CRF(3)(torch.randn(2, 4, 3, dtype=dtype), torch.zeros(2, 4).long())
    assert loss.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
