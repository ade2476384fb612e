"""Layers with learned queries or learned patterns: equations, masks, the ways, learning."""

import pytest
import torch

from algonets.memory import DenseMemory, HopfieldLookup, HopfieldPooling, ModernHopfield


def sets(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("updates", [1, 3])
def test_pooling_equals_its_equation(updates):
    pooling = HopfieldPooling(4, 2, ModernHopfield(4, 0.7, updates=updates)).double()
    elements = sets(3, 5, 4)
    found = pooling(elements)
    for b in range(3):
        for k in range(2):
            state = pooling.queries[k]
            for _ in range(updates):
                state = torch.softmax(0.7 * elements[b] @ state, 0) @ elements[b]
            torch.testing.assert_close(found[b, k], state)
    shuffled = elements[:, torch.randperm(5, generator=torch.Generator().manual_seed(1))]
    torch.testing.assert_close(pooling(shuffled), found)


@pytest.mark.parametrize("memory", [ModernHopfield, DenseMemory])
@pytest.mark.parametrize("way", ["pool", "unroll", "analytic"])
def test_masked_elements_do_not_count(memory, way):
    torch.manual_seed(0)
    pooling = HopfieldPooling(4, 3, memory(4, 4.0, way=way, updates=2)).double()
    elements = sets(3, 6, 4).abs()
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[:, 4:] = False
    torch.testing.assert_close(pooling(elements, mask), pooling(elements[:, :4]))
    mask[1] = False
    elements.requires_grad_()
    found = pooling(elements, mask)
    assert bool((found[1] == 0).all()) and bool(found.isfinite().all())
    if way != "pool":
        gradient = torch.autograd.grad(found.sum(), elements)[0]
        assert bool(gradient.isfinite().all()) and bool((gradient[:, 4:] == 0).all())


def test_a_learned_steepness_with_a_mask_has_a_finite_gradient():
    beta = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    pooling = HopfieldPooling(4, 1, ModernHopfield(4, beta)).double()
    mask = torch.tensor([True, False, True])
    pooling(sets(3, 4), mask).sum().backward()
    assert pooling.memory.beta.grad.isfinite()


def test_lookup_reads_values_by_keys():
    lookup = HopfieldLookup(4, 6, outputs=3).double()
    queries = sets(2, 5, 4)
    weights = torch.softmax(0.5 * queries @ lookup.keys.mT, -1)
    torch.testing.assert_close(lookup(queries), weights @ lookup.values)
    torch.testing.assert_close(HopfieldLookup(4, 6).double()(queries).shape, queries.shape)
    hard = HopfieldLookup(4, 6, 3, ModernHopfield(4, way="pool")).double()
    best = (queries @ hard.keys.mT).argmax(-1)
    assert torch.equal(hard(queries), hard.values[best])
    settled = HopfieldLookup(4, 6, 3, ModernHopfield(4, 0.3, way="analytic")).double()
    rest = settled.memory.read(queries, settled.keys)
    torch.testing.assert_close(settled(queries), torch.softmax(0.3 * rest @ settled.keys.mT, -1) @ settled.values)


def test_gradients():
    pooling, lookup = HopfieldPooling(3, 2).double(), HopfieldLookup(3, 4, 2).double()
    elements = sets(2, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(pooling, elements) and torch.autograd.gradgradcheck(pooling, elements)
    assert torch.autograd.gradcheck(lookup, elements) and torch.autograd.gradgradcheck(lookup, elements)


def test_they_learn_to_find_the_marked_element():
    """Each set has one element marked in its last coordinate; its first coordinate is the answer."""
    generator = torch.Generator().manual_seed(0)
    elements = torch.randn(600, 6, 4, generator=generator)
    marked = torch.randint(6, (600,), generator=generator)
    elements[..., -1] = 3.0 * (torch.arange(6) == marked[:, None])
    answers = elements[torch.arange(600), marked, 0]
    torch.manual_seed(0)
    network = torch.nn.Sequential(HopfieldPooling(4), torch.nn.Flatten(), torch.nn.Linear(4, 1))
    optimizer = torch.optim.Adam(network.parameters(), 0.03)
    for _ in range(200):
        loss = (network(elements[:500]).squeeze(-1) - answers[:500]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (network(elements[500:]).squeeze(-1) - answers[500:]).square().mean() < 0.1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: HopfieldPooling(4, memory=ModernHopfield(3)), ValueError, "length 4"),
        (lambda: HopfieldPooling(4, memory=torch.nn.Linear(4, 4)), TypeError, "AssociativeMemory"),
        (lambda: HopfieldPooling(4)(torch.ones(4)), ValueError, "S, 4"),
        (lambda: HopfieldPooling(4)(torch.ones(2, 4), torch.ones(3, dtype=torch.bool)), ValueError, "mask"),
        (lambda: HopfieldPooling(4)(torch.ones(2, 4), torch.ones(2)), TypeError, "boolean"),
        (lambda: HopfieldLookup(4, 0), ValueError, "at least 1"),
        (lambda: HopfieldLookup(4, 3)(torch.ones(5)), ValueError, "batch, 4"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
