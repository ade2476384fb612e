"""CTC against torch's own loss: values, gradients, infeasible and empty targets."""

import math

import pytest
import torch

from algonets.dp import CTC, prefix_beam_search


def example(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 9, 5, generator=generator, dtype=torch.float64).requires_grad_()
    targets = torch.randint(1, 5, (4, 3), generator=generator)
    targets[0] = 2  # repeats need blanks between them
    return x, targets, torch.tensor([9, 5, 4, 1]), torch.tensor([3, 2, 0, 1])


def test_equals_torch(any_backend):
    x, targets, lengths, target_lengths = example()
    log_probs = x.log_softmax(-1)
    ours = -CTC(log_probs, targets, lengths, target_lengths).log_partition()
    theirs = torch.nn.functional.ctc_loss(log_probs.transpose(0, 1), targets, lengths, target_lengths, reduction="none")
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(*(torch.autograd.grad(v.sum(), x, retain_graph=True)[0] for v in (ours, theirs)))


def test_infeasible_is_flagged_and_has_no_gradient(any_backend):
    x, targets, lengths, target_lengths = example()
    lengths = torch.tensor([4, 5, 4, 1])  # "222" needs five frames
    program = CTC(x.log_softmax(-1), targets, lengths, target_lengths)
    assert program.feasible().tolist() == [False, True, True, True]
    total = program.log_partition()
    assert total[0] == -math.inf and total[1:].isfinite().all()
    (gradient,) = torch.autograd.grad(total[total > -math.inf].sum(), x)
    assert gradient.isfinite().all() and (gradient[0] == 0).all()
    assert (program.argmax()[0] == 0).all()


def test_best_labellings_collapse_to_the_target(any_backend):
    x, targets, lengths, target_lengths = example()
    program = CTC(x.log_softmax(-1), targets, lengths, target_lengths)
    for parts in (program.argmax(), program.topk(3)[1][:, 1]):
        for b, (n, m) in enumerate(zip(lengths, target_lengths, strict=True)):
            if (parts[b] == 0).all():
                continue
            merged = torch.unique_consecutive(parts[b, :n].argmax(-1))
            assert merged[merged != 0].tolist() == targets[b, :m].tolist()


def test_another_blank_is_a_relabelling(any_backend):
    x, targets, lengths, target_lengths = example()
    first = CTC(x, targets, lengths, target_lengths).log_partition()
    moved = CTC(x.roll(-1, -1), targets - 1, lengths, target_lengths, blank=4).log_partition()
    torch.testing.assert_close(first, moved)


def test_errors():
    x = torch.zeros(3, 4)
    for targets, match in ((torch.tensor([0]), "not the blank"), (torch.tensor([4]), "must be in 0 .. 3")):
        with pytest.raises(ValueError, match=match):
            CTC(x, targets)
    with pytest.raises(ValueError, match="below S"):
        CTC(x, torch.tensor([1]), blank=4)
    with pytest.raises(TypeError, match="integer"):
        CTC(x, torch.tensor([1.0]))


def test_prefix_beam_search_is_exact_where_it_keeps_all():
    log_probs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64).log_softmax(-1)
    found = prefix_beam_search(log_probs, width=1000)
    assert sum(math.exp(score) for _, score in found) == pytest.approx(1)
    for labels, score in found:
        assert CTC(log_probs, torch.tensor(labels, dtype=torch.int64)).log_partition().item() == pytest.approx(score)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    weighted = prefix_beam_search(log_probs, 1000, language_model=lambda prefix, label: -5.0 * (label == 2))
    table = {tuple(labels): score for labels, score in found}
    for labels, score in weighted:
        assert score == pytest.approx(table[tuple(labels)] - 5.0 * labels.count(2))
    assert len(prefix_beam_search(log_probs, width=3)) == 3
    with pytest.raises(ValueError, match="width"):
        prefix_beam_search(log_probs, width=0)
    with pytest.raises(TypeError, match=r"prefix_beam_search\(language_model\) must be callable"):
        prefix_beam_search(log_probs, language_model=3)
