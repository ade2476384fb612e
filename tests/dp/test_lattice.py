"""Lattices against the enumeration of their paths; composition against CTC and against filtered enumeration."""

import copy
import math
import pickle

import pytest
import torch

from algonets import backend, losses
from algonets.dp import CTC, Lattice
from algonets.semirings import Counting, KMax, Log, MaxPlus

EPS = Lattice.EPSILON


def random_lattice(seed, states=6, arcs=12, labels=3, epsilon=False, requires_grad=False):
    generator = torch.Generator().manual_seed(seed)
    ends = torch.randint(states, (arcs, 2), generator=generator).sort(1).values
    ends = ends[ends[:, 0] < ends[:, 1]]
    weight = torch.randn(len(ends), generator=generator, dtype=torch.float64).requires_grad_(requires_grad)
    low = EPS if epsilon else 0
    reads = torch.randint(low, labels, (len(ends),), generator=generator)
    final = torch.randn(2, generator=generator, dtype=torch.float64)
    return Lattice(*ends.T, weight, states, [0, 1], [states - 1, states - 2], final, reads)


def paths_of(lattice):
    """All (score, output labels, arcs) of one automaton without cycles, by depth-first search."""
    (graph,) = lattice._automata.members
    arcs_of = graph.arcs.tolist()
    found = []

    def walk(state, score, word, arcs):
        for k, end in enumerate(graph.finals.tolist()):
            if end == state:
                found.append((score + lattice._automata.final[k].item(), word, arcs))
        for number, (source, target, _, out) in enumerate(arcs_of):
            if source == state:
                label = () if out == EPS else (out,)
                walk(target, score + lattice.weight[number].item(), word + label, (*arcs, number))

    for start in graph.starts.tolist():
        walk(start, 0.0, (), ())
    return found


def log_sum(scores):
    return torch.logsumexp(torch.tensor([*scores, -math.inf], dtype=torch.float64), 0)


def batch():
    return [random_lattice(seed, arcs=16) for seed in (1, 2, 3, 5)]


def test_sums_best_paths_and_marginals_equal_the_enumeration(any_backend):
    members = batch()
    lattice = Lattice.stack(members)
    every = [paths_of(member) for member in members]
    assert all(paths for paths in every)
    torch.testing.assert_close(lattice.forward(), torch.stack([log_sum(p[0] for p in paths) for paths in every]))
    best = [max(paths) for paths in every]
    score, arcs = lattice.viterbi()
    torch.testing.assert_close(score, torch.tensor([p[0] for p in best], dtype=torch.float64))
    offsets = [0]
    for member in members:
        offsets.append(offsets[-1] + len(member.weight))
    found = [tuple(a - offset for a in path) for path, offset in zip(arcs, offsets, strict=False)]
    assert found == [p[2] for p in best]
    assert [tuple(word) for word in lattice.paths()] == [p[1] for p in best]
    means = lattice.marginals().split([len(member.weight) for member in members])
    for mean, paths in zip(means, every, strict=True):
        total = log_sum(p[0] for p in paths)
        for arc in range(len(mean)):
            wanted = (log_sum(p[0] for p in paths if arc in p[2]) - total).exp()
            torch.testing.assert_close(mean[arc], wanted)


def test_k_best_and_semirings():
    members = batch()
    lattice = Lattice.stack(members)
    scores, paths = lattice.k_best(4)
    for b, member in enumerate(members):
        every = sorted(paths_of(member), reverse=True)[:4]
        torch.testing.assert_close(scores[b, : len(every)], torch.tensor([p[0] for p in every], dtype=torch.float64))
        offset = sum(len(m.weight) for m in members[:b])
        assert [tuple(a - offset for a in path) for path in paths[b]] == [p[2] for p in every]
    torch.testing.assert_close(lattice.forward(Log()), lattice.forward())
    torch.testing.assert_close(lattice.forward(MaxPlus()), lattice.max())
    assert lattice.forward(Counting()).tolist() == [len(paths_of(member)) for member in members]
    assert lattice.forward(KMax(2)).shape == (4, 2)


def test_gradients(any_backend):
    lattice = Lattice.stack(batch())
    weight = lattice.weight.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: lattice.with_weight(w).forward(), weight)
    assert torch.autograd.gradgradcheck(lambda w: lattice.with_weight(w).forward(), weight)
    assert torch.autograd.gradcheck(lambda w: lattice.with_weight(w).marginals(), weight)
    given = lattice.with_weight(weight)
    torch.testing.assert_close(torch.autograd.grad(given.max().sum(), weight)[0], given.argmax())
    torch.testing.assert_close(torch.autograd.grad(given.forward().sum(), weight)[0], given.marginals().detach())


def test_losses_of_the_library_work(any_backend):
    lattice = Lattice.from_scores(torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)).double())
    weight = lattice.weight.clone().requires_grad_()
    given = lattice.with_weight(weight)
    right = torch.zeros_like(weight)
    right[torch.tensor([0, 4, 8, 9, 12, 15, 18, 21])] = 1  # one label a frame
    for loss in (losses.nll, losses.perceptron, losses.structured_hinge):
        value = loss(given, right, reduction="none")
        assert value.shape == (2,) and (value > 0).all()
        assert torch.autograd.grad(value.sum(), weight)[0].isfinite().all()
    assert losses.perceptron(given, given.argmax()).abs() < 1e-12


def test_ctc_topology_is_ctc(any_backend):
    scores = torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()
    targets, lengths = torch.tensor([[1, 1], [2, 1], [1, 2]]), torch.tensor([5, 4, 2])
    target = Lattice.stack([Lattice.from_lexicon([word.tolist()]) for word in targets])
    frames = Lattice.from_scores(scores, lengths)
    ours = frames.compose(Lattice.from_ctc_topology(3, dtype=torch.float64)).compose(target).forward()
    theirs = CTC(scores, targets, lengths).log_partition()
    torch.testing.assert_close(ours, theirs)
    weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    gradients = [torch.autograd.grad((weights * v).sum(), scores, retain_graph=True)[0] for v in (ours, theirs)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("seed", range(4))
def test_composition_pairs_paths_that_agree_once(seed):
    a = random_lattice(seed, epsilon=True)
    b = random_lattice(seed + 10, epsilon=True)
    pairs = [(x, y) for x in paths_of(a) for y in paths_of(b) if x[1] == y[1]]  # acceptors: they read what they write
    assert pairs
    both = a.intersect(b)
    assert len(paths_of(both)) == len(pairs)
    torch.testing.assert_close(both.forward()[0], log_sum(x[0] + y[0] for x, y in pairs))


def test_gradients_flow_through_composition():
    a, b = random_lattice(0), random_lattice(10)
    x, y = (lattice.weight.clone().requires_grad_() for lattice in (a, b))
    function = lambda x, y: a.with_weight(x).intersect(b.with_weight(y)).forward()  # noqa: E731
    assert torch.autograd.gradcheck(function, (x, y))
    assert torch.autograd.gradgradcheck(function, (x, y))


def test_epsilons_go_and_sums_stay():
    for seed in range(6):
        lattice = random_lattice(seed, epsilon=True)
        without = lattice.remove_epsilon()
        assert not (without.arcs[:, 3] == EPS).any()
        torch.testing.assert_close(without.forward(), lattice.forward())
        words = {}
        for score, word, _ in paths_of(lattice):
            words.setdefault(word, []).append(score)
        for word, scores in words.items():
            one = Lattice.from_lexicon([list(word)])
            torch.testing.assert_close(without.intersect(one).forward()[0], log_sum(scores))


def test_closure_repeats():
    lexicon = Lattice.from_lexicon([[0], [1, 1]], torch.tensor([0.5, 2.0], dtype=torch.float64))
    star = lexicon.closure()
    for word, wanted in (([0, 1, 1], 2.5), ([1, 1, 0, 0], 3.0), ([], 0.0), ([1], -math.inf)):
        found = star.intersect(Lattice.from_lexicon([word])).forward().item()
        assert found == pytest.approx(wanted)
    with pytest.raises(ValueError, match="no cycles"):
        star.forward()
    with pytest.raises(ValueError, match="no cycle of epsilons"):
        Lattice.from_lexicon([[]]).closure().remove_epsilon()


def test_a_lexicon_holds_its_words():
    lexicon = Lattice.from_lexicon([[1, 2], [1, 3], [1], [1, 2]], torch.tensor([0.0, 1.0, 2.0, 3.0]))
    found = {word: score for score, word, _ in paths_of(lexicon)}
    assert set(found) == {(1, 2), (1, 3), (1,)}
    torch.testing.assert_close(lexicon.forward(), torch.logsumexp(torch.tensor([[0.0, 1.0, 2.0, 3.0]]), 1))
    assert lexicon.paths() == [[1, 2]] and lexicon.max().item() == 3


def test_what_has_no_path_is_infeasible(any_backend):
    good = random_lattice(0, requires_grad=True)
    bad = good.intersect(Lattice.from_lexicon([[9, 9]]))
    both = Lattice.stack([good, bad])
    value = both.forward()
    assert value[1] == -math.inf and both.max()[1] == -math.inf and both.paths()[1] == []
    (gradient,) = torch.autograd.grad(value[0], good.weight)
    assert gradient.isfinite().all()
    forbidden = good.with_weight(torch.full_like(good.weight.detach(), -math.inf).requires_grad_())
    (gradient,) = torch.autograd.grad(forbidden.forward().sum(), forbidden.weight)
    assert (gradient == 0).all()


def test_pickle_repr_and_members():
    lattice = Lattice.stack(batch())
    for twin in (pickle.loads(pickle.dumps(lattice)), copy.deepcopy(lattice)):
        assert torch.equal(twin.forward(), lattice.forward())
    assert "batch=(4,)" in repr(lattice) and len(lattice) == 4
    torch.testing.assert_close(lattice[2].forward(), lattice.forward()[2:3])


def test_errors():
    weight = torch.zeros(2)
    for arguments, match in (
        (([0, 1], [1], weight, 3, [0], [2]), r"target.*must have 2 entries"),
        (([0, 1], [1, 3], weight, 3, [0], [2]), r"target.*must be in 0 .. 2"),
        (([0, 1], [1, 2], torch.full((2,), math.nan), 3, [0], [2]), "finite"),
        (([0, 1], [1, 2], weight[None], 3, [0], [2]), "shape"),
    ):
        with pytest.raises(ValueError, match=match):
            Lattice(*arguments)
    with pytest.raises(TypeError, match="integers"):
        Lattice([0.5], [1], torch.zeros(1), 2, [0], [1])
    with pytest.raises(ValueError, match="acceptor"):
        Lattice.from_ctc_topology(3).intersect(Lattice.from_lexicon([[1]]))
    with pytest.raises(ValueError, match="2 automata or one"):
        Lattice.stack(batch()[:2]).intersect(Lattice.stack(batch()[:3]))


def test_the_native_composition_is_the_reference():
    for seed in range(6):
        a, b = random_lattice(seed, epsilon=True), random_lattice(seed + 20, states=8, arcs=30, epsilon=True)
        for x, y in ((a, b), (b.closure(), a), (Lattice.from_ctc_topology(3), a), (a, Lattice.from_lexicon([[7]]))):
            with backend("torch"):
                wanted = x.compose(y)
            found = x.compose(y)
            assert torch.equal(found.arcs, wanted.arcs) and torch.equal(found.weight, wanted.weight)
            mine, theirs = found._automata.members[0], wanted._automata.members[0]
            assert mine.states == theirs.states and torch.equal(found._automata.final, wanted._automata.final)
            assert torch.equal(mine.starts, theirs.starts) and torch.equal(mine.finals, theirs.finals)


def test_a_state_may_be_final_twice(any_backend):
    ends = torch.tensor([1.0, 2.0, 2.0], dtype=torch.float64)
    lattice = Lattice([0, 0], [1, 2], torch.tensor([0.0, 1.0]).double(), 3, [0], [2, 1, 1], ends, [4, EPS])
    scores = torch.tensor([2.0, 2.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(lattice.forward()[0], scores.logsumexp(0))
    torch.testing.assert_close(lattice.remove_epsilon().forward()[0], scores.logsumexp(0))
    assert lattice.max().item() == 2 and lattice.argmax().sum() == 1
    both = lattice.intersect(Lattice.from_lexicon([[4]]))
    torch.testing.assert_close(both.forward()[0], scores[:2].logsumexp(0))
