"""Key-value memories and the end-to-end memory network."""

import sys

import pytest
import torch

from algonets.memory import KeyValueMemory, MemoryNetwork, position_encoding


def test_key_value_reads():
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(3, 4, generator=generator).double()
    keys, values = (
        torch.randn(3, 5, 4, generator=generator).double(),
        torch.randn(3, 5, 2, generator=generator).double(),
    )
    soft = KeyValueMemory(0.7)(queries, keys, values)
    expected = torch.nn.functional.scaled_dot_product_attention(queries[:, None], keys, values, scale=1 / 0.7)
    torch.testing.assert_close(soft, expected.squeeze(1))
    best = (keys @ queries[..., None]).squeeze(-1).argmax(-1)
    pooled = KeyValueMemory(read="pool")(queries, keys, values)
    assert torch.equal(pooled, values[torch.arange(3), best])
    through = KeyValueMemory(0.7, read="straight_through")
    leaf = queries.clone().requires_grad_()
    torch.testing.assert_close(through(leaf, keys, values), pooled)
    gradient = torch.autograd.grad(through(leaf, keys, values).sum(), leaf)[0]
    torch.testing.assert_close(gradient, torch.autograd.grad(KeyValueMemory(0.7)(leaf, keys, values).sum(), leaf)[0])
    torch.testing.assert_close(KeyValueMemory(1e-3)(queries, keys, values), pooled)


def test_masked_slots_are_not_read():
    keys, values = torch.eye(3), torch.tensor([[1.0], [2.0], [3.0]])
    mask = torch.tensor([True, False, True])
    for read in ("soft", "pool", "straight_through"):
        memory = KeyValueMemory(0.01, read=read)
        query = torch.tensor([0.1, 1.0, 0.2], requires_grad=True)
        torch.testing.assert_close(memory(query, keys, values, mask), torch.tensor([3.0]), rtol=1e-3, atol=1e-3)
        empty = memory(query, keys, values, torch.zeros(3, dtype=torch.bool))
        assert empty == 0
        if empty.requires_grad:
            assert torch.autograd.grad(empty.sum(), query)[0].isfinite().all()


def test_position_encoding_equals_a_loop():
    table = position_encoding(5, 3)
    for j in range(1, 6):
        for k in range(1, 4):
            assert table[j - 1, k - 1] == pytest.approx((1 - j / 5) - (k / 3) * (1 - 2 * j / 5))


def network(**options):
    torch.manual_seed(0)
    return MemoryNetwork(vocabulary=12, width=6, hops=2, memories=5, words=4, **options)


def stories():
    generator = torch.Generator().manual_seed(1)
    story = torch.randint(1, 12, (3, 5, 4), generator=generator)
    story[0, :2] = 0
    story[1, 0, 2:] = 0
    return story, torch.randint(1, 12, (3, 4), generator=generator)


@pytest.mark.parametrize("tying", ["adjacent", "layer"])
def test_answers_equal_the_equations(tying):
    net = network(tying=tying)
    story, question = stories()
    for b in range(3):
        state = sum(net.encoding[j] * net.embeddings[0].weight[question[b, j]] for j in range(4))
        for hop in range(2):
            first, second = (hop, hop + 1) if tying == "adjacent" else (0, 1)
            keys, outs, there = [], [], []
            for i in range(5):
                words = story[b, i]
                ago = 4 - i
                keys.append(
                    sum(net.encoding[j] * net.embeddings[first].weight[words[j]] for j in range(4))
                    + net.times[first][ago]
                )
                outs.append(
                    sum(net.encoding[j] * net.embeddings[second].weight[words[j]] for j in range(4))
                    + net.times[second][ago]
                )
                there.append(bool(words.any()))
            scores = torch.stack([k @ state for k in keys])[torch.tensor(there)]
            read = torch.softmax(scores, 0) @ torch.stack(outs)[torch.tensor(there)]
            state = (state if net.between is None else net.between(state)) + read
        last = net.embeddings[-1].weight if tying == "adjacent" else net.answer.weight
        torch.testing.assert_close(net(story, question)[b], last @ state, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("positions", [True, False])
def test_counting_words_equals_looking_them_up(positions, monkeypatch):
    net = network(positions=positions)
    story, question = stories()
    counted = net(story, question)
    gradients = torch.autograd.grad(counted.square().sum(), list(net.parameters()))
    monkeypatch.setattr(sys.modules[MemoryNetwork.__module__], "_DENSE", 0)
    looked_up = net(story, question)
    torch.testing.assert_close(counted, looked_up)
    others = torch.autograd.grad(looked_up.square().sum(), list(net.parameters()))
    for gradient, other in zip(gradients, others, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-4, atol=1e-5)
    assert all(bool((gradient[0] == 0).all()) for gradient in gradients[:2])  # padding stays out


def test_what_was_read():
    net = network()
    story, question = stories()
    weights = net.read_story(story, question)[1]
    assert weights.shape == (3, 2, 5) and bool((weights[0, :, :2] == 0).all())
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2))
    net.read = "pool"
    assert bool(((net.read_story(story, question)[1] == 0) | (net.read_story(story, question)[1] == 1)).all())
    net.linear = True
    assert net(story, question).isfinite().all()


def test_an_empty_story_and_a_batch_of_none():
    net = network()
    story, question = stories()
    assert net(torch.zeros_like(story), question).isfinite().all()
    assert net(story[:0], question[:0]).shape == (0, 12)
    assert net(story[0], question[0]).shape == (12,)


def test_it_learns_to_recall_a_fact():
    """Two facts 'key value'; the question names a key; the answer is its value."""
    generator = torch.Generator().manual_seed(0)
    keys = torch.stack([torch.randperm(4, generator=generator)[:2] for _ in range(512)]) + 1
    values = torch.randint(5, 9, (512, 2), generator=generator)
    story = torch.stack([keys, values], -1)
    which = torch.randint(2, (512,), generator=generator)
    question = torch.zeros(512, 2, dtype=torch.int64)
    question[:, 0] = keys[torch.arange(512), which]
    answer = values[torch.arange(512), which]
    torch.manual_seed(0)
    net = MemoryNetwork(vocabulary=9, width=16, hops=1, memories=2, words=2)
    optimizer = torch.optim.Adam(net.parameters(), 0.03)
    for _ in range(200):
        loss = torch.nn.functional.cross_entropy(net(story[:400], question[:400]), answer[:400])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = net(story[400:], question[400:]).argmax(-1) == answer[400:]
    assert right.float().mean() > 0.95


def test_errors():
    story, question = stories()
    for call, error, message in (
        (lambda: MemoryNetwork(1), ValueError, "at least 2"),
        (lambda: network(tying="none"), ValueError, "adjacent or layer"),
        (lambda: network(read="hard"), ValueError, "soft, pool"),
        (lambda: network()(story.float(), question), TypeError, "int64"),
        (lambda: network()(story[..., :3], question), ValueError, "stories"),
        (lambda: network()(story, question[:2]), ValueError, "questions"),
        (lambda: KeyValueMemory(read="x"), ValueError, "must be one of"),
        (lambda: KeyValueMemory()(torch.ones(3), torch.ones(2, 4), torch.ones(2, 1)), ValueError, "keys"),
    ):
        with pytest.raises(error, match=message):
            call()
