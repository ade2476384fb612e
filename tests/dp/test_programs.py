"""Every dynamic program against the enumeration of all its structures, on both backends."""

import copy
import math
import pickle

import pytest
import torch

import algonets as an
from algonets import losses
from algonets._core.backend import native
from algonets.semirings import Entropy, KMax, Log, MaxPlus
from tests.dp.programs import PROGRAMS
from tests.oracles.structures import Structures

NAMES = list(PROGRAMS)
TREES = {name for name in NAMES if name.startswith("SpanningTree")}
RECURSIVE = [name for name in NAMES if name not in TREES]


def draw(name, seed=0):
    entry = PROGRAMS[name]
    tensors = [t.requires_grad_() for t in entry.tensors(torch.Generator().manual_seed(seed))]
    lengths = [torch.tensor(column) for column in zip(*entry.lengths, strict=True)]
    return entry, tensors, lengths


def build(name, seed=0):
    entry, tensors, lengths = draw(name, seed)
    program = entry.build(*tensors, *lengths)
    factors = program._factors if name == "HMM" else entry.factors(*tensors)  # its emissions are looked up
    oracles = [
        Structures([f[b] for f in factors], entry.structures(*entry.lengths[b])) for b in range(len(entry.lengths))
    ]
    return program, oracles


@pytest.fixture(params=["baseline", "avx2", "avx512"])
def isa(request):
    """Each instruction set that this machine has, for the native kernels."""
    if not an.native_status()[0]:
        pytest.skip("no native kernels here")
    before = native().isa()
    try:
        native().select_isa(request.param)
    except ValueError:
        pytest.skip("this machine has no such instructions")
    yield request.param
    native().select_isa(before)


def tupled(parts):
    return parts if isinstance(parts, tuple) else (parts,)


def close(ours, theirs, tolerance=1e-10):
    torch.testing.assert_close(ours.detach(), theirs.to(ours.dtype), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_everything_equals_the_enumeration(any_backend, name):
    program, oracles = build(name)
    close(program.log_partition(), torch.stack([o.log_partition() for o in oracles]))
    close(program.log_partition(0.5), torch.stack([o.log_partition(0.5) for o in oracles]))
    close(program.max(), torch.stack([o.max() for o in oracles]))
    close(program.entropy(), torch.stack([o.entropy() for o in oracles]), 1e-9)
    close(program.count(), torch.stack([o.count() for o in oracles]))
    assert program.feasible().all()
    for k, (best, mean) in enumerate(zip(tupled(program.argmax()), tupled(program.marginals()), strict=True)):
        close(best, torch.stack([o.argmax()[k] for o in oracles]))
        close(mean, torch.stack([o.marginals()[k] for o in oracles]))
    best = program.argmax()
    close(program.score(best), program.max())
    close(program.log_prob(best), program.max() - program.log_partition())


@pytest.mark.parametrize("name", RECURSIVE)
def test_any_semiring_and_the_k_best(name):
    program, oracles = build(name)
    close(program.reduce(Log()), program.log_partition())
    close(program.reduce(MaxPlus()), program.max())
    close(program.reduce(Entropy()), program.entropy(), 1e-9)
    wanted = torch.stack([o.kbest(3) for o in oracles])
    close(program.reduce(KMax(3)), wanted)
    scores, parts = program.topk(3)
    close(scores, wanted)
    for rank in range(3):
        one = tuple(p[:, rank] for p in tupled(parts))
        found = program.score(one if len(one) > 1 else one[0])
        close(torch.where(scores[:, rank] > -math.inf, found, -math.inf), scores[:, rank])


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_the_maximum_and_of_the_log_partition_are_parts(any_backend, name):
    entry, tensors, lengths = draw(name)
    program = entry.build(*tensors, *lengths)
    parts = tupled(program.argmax())
    gradients = torch.autograd.grad(program.max().sum(), tensors, allow_unused=True, retain_graph=True)
    if name != "HMM":
        sign = -1 if name in ("EditDistance", "SoftDTW") else 1
        for gradient, part in zip(gradients, parts, strict=True):
            close(sign * gradient, part)
        means = torch.autograd.grad(program.log_partition().sum(), tensors)
        for gradient, mean in zip(means, tupled(program.marginals()), strict=True):
            close(sign * gradient, mean)


@pytest.mark.parametrize("name", NAMES)
def test_samples_have_the_right_frequencies(name):
    program, _ = build(name)
    errors = []
    for n in (40, 400):
        drawn = tupled(program.sample(n, torch.Generator().manual_seed(1)))
        means = [(d.mean(0) - m).abs().max().item() for d, m in zip(drawn, tupled(program.marginals()), strict=True)]
        errors.append(max(means))
    assert errors[1] < 0.15 and errors[0] < 0.5
    one = tuple(d[0] for d in drawn)
    assert (program.score(one if len(one) > 1 else one[0]) > -math.inf).all()


@pytest.mark.parametrize("name", NAMES)
def test_losses_of_the_library_work(any_backend, name):
    entry, tensors, lengths = draw(name)
    program = entry.build(*tensors, *lengths)
    right = program.sample(1, torch.Generator().manual_seed(0))
    right = tuple(p[0] for p in right) if isinstance(right, tuple) else right[0]
    values = [loss(program, right, reduction="none") for loss in (losses.nll, losses.perceptron)]
    values.append(losses.structured_hinge(program, right, reduction="none"))
    values += [loss(program, right, reduction="none") for loss in (losses.risk, losses.direct_loss)]
    assert all((value > -1e-12).all() for value in values)
    assert (values[2] >= values[1] - 1e-12).all()
    best = program.argmax()
    close(losses.perceptron(program, best), torch.zeros(()))
    for value in values:
        gradients = torch.autograd.grad(value.sum(), tensors, retain_graph=True, allow_unused=True)
        assert all(g is None or g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_cross_entropy_and_kl(name):
    program, oracles = build(name)
    other, theirs = build(name, seed=5)
    wanted = [-(p.probabilities() * q.probabilities().log()).sum() for p, q in zip(oracles, theirs, strict=True)]
    close(program.cross_entropy(other), torch.stack(wanted), 1e-9)
    close(program.kl(other), torch.stack(wanted) - program.entropy(), 1e-9)
    close(program.kl(program), torch.zeros(3), 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_large_scores_and_low_temperatures(any_backend, name):
    entry, tensors, lengths = draw(name)
    large = entry.build(*[t.detach() * 1e4 for t in tensors], *lengths)
    tied = name in ("EditDistance", "NeedlemanWunsch")  # a deletion before an insertion, or after it
    close(large.log_partition(), large.max(), 1e-3 if tied else 1e-6)
    for mean, best in zip(tupled(large.marginals()), tupled(large.argmax()), strict=True):
        close(mean, best, 1 if tied else 1e-6)
    cold = entry.build(*tensors, *lengths)
    close(cold.log_partition(1e-3), cold.max(), 1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives(any_backend, name):
    entry, tensors, lengths = draw(name)
    small = [t.detach().clone().requires_grad_() for t in tensors]
    assert torch.autograd.gradgradcheck(lambda *x: entry.build(*x, *lengths).log_partition(), small, fast_mode=True)
    weights = torch.Generator().manual_seed(3)

    def weighted(*x):
        parts = tupled(entry.build(*x, *lengths).marginals())
        weights.manual_seed(3)
        return sum((p * torch.randn(p.shape, generator=weights, dtype=p.dtype)).sum() for p in parts)

    assert torch.autograd.gradcheck(weighted, small, fast_mode=True)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_forbidden_has_no_part_and_no_nan(any_backend, name):
    entry, tensors, lengths = draw(name)
    sign = math.inf if name in ("EditDistance", "SoftDTW") else -math.inf
    forbidden = [t.detach().clone() for t in tensors]
    forbidden[0].view(3, -1)[:, -1] = sign
    x = [t.requires_grad_() for t in forbidden]
    program = entry.build(*x, *lengths)
    total = program.log_partition()
    gradients = torch.autograd.grad(total[total > -math.inf].sum(), x, allow_unused=True)
    assert not any(g is not None and g.isnan().any() for g in gradients)
    # Nothing allowed at all: -inf, no gradient, a flag. Where nothing needs the first factor, something stays.
    nothing = [torch.full_like(t, sign).requires_grad_() for t in tensors]
    program = entry.build(*nothing, *lengths)
    total = program.log_partition()
    empty_alignment = name == "SmithWaterman"
    assert empty_alignment or (total == -math.inf).all()
    assert (program.feasible() == (total > -math.inf)).all() and (program.max() == total).all()
    gradients = torch.autograd.grad(total.sum(), nothing, allow_unused=True)
    assert all(g is None or (g == 0).all() for g in gradients)
    assert all((part == 0).all() for part in (*tupled(program.marginals()), *tupled(program.argmax())))
    close(program.entropy(), torch.zeros(3))


@pytest.mark.parametrize("name", NAMES)
def test_padding_may_hold_anything(name):
    entry, tensors, lengths = draw(name)
    reference = entry.build(*tensors, *lengths)
    if name in ("SoftDTW", "CTC"):
        spoiled = tensors[0].detach().clone()
        spoiled[2, 1:] = math.nan
        close(entry.build(spoiled, *lengths).log_partition(), reference.log_partition())
    spoiled = tensors[0].detach().clone()
    spoiled[2].view(-1)[-1] = 1e3
    if name not in ("HMM", "PCFG"):  # whose first factor has no padding in its last place
        close(entry.build(spoiled, *tensors[1:], *lengths).log_partition(), reference.log_partition())


@pytest.mark.parametrize("name", NAMES)
def test_float32_pickle_and_repr(any_backend, name):
    entry, tensors, lengths = draw(name)
    exact = entry.build(*tensors, *lengths)
    single = entry.build(*[t.float() for t in tensors], *lengths)
    assert single.log_partition().dtype == torch.float32
    close(single.log_partition().double(), exact.log_partition().detach(), 1e-5)
    detached = entry.build(*[t.detach() for t in tensors], *lengths)
    for twin in (pickle.loads(pickle.dumps(detached)), copy.deepcopy(detached)):
        assert torch.equal(twin.log_partition(), detached.log_partition())
    assert repr(exact).startswith(name.split(",")[0]) and "batch=(3,)" in repr(exact)


@pytest.mark.parametrize("name", RECURSIVE)
def test_native_kernels_equal_the_recursion(isa, name):
    entry, tensors, lengths = draw(name)
    found = {}
    for backend in ("native", "torch"):
        with an.backend(backend):
            program = entry.build(*tensors, *lengths)
            found[backend] = (
                program.log_partition(),
                program.max(),
                *tupled(program.marginals()),
                *tupled(program.argmax()),
            )
    for ours, plain in zip(found["native"], found["torch"], strict=True):
        close(ours, plain.detach(), 1e-12)


def test_ties_take_the_first():
    program = an.dp.SoftDTW(torch.zeros(3, 3), 0.0)
    for backend in ("native", "torch") if an.native_status()[0] else ("torch",):
        with an.backend(backend):
            assert torch.equal(program.alignment(), torch.eye(3))
            flat = an.dp.CKY(torch.zeros(3, 3, 2)).argmax()
            assert flat.sum() == 5 and flat[0, 2, 0] == 1 and flat[0, 0, 0] == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_trees_in_scaled_space(isa, dtype):
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 8, (19,), generator=generator)
    spans = torch.randn(19, 7, 7, 5, generator=generator, dtype=dtype)
    spans[0, 1, 3] = spans[1, 0, lengths[1] - 1, 2:] = -math.inf
    spans[2] = -math.inf
    spans[lengths == 3, 3:] = 1e4  # padding
    grammar = tuple(
        torch.randn(*shape, generator=generator, dtype=dtype) for shape in ((19, 7, 3), (19, 2, 5, 5), (19, 2))
    )
    grammar[0][0, 1] = grammar[1][3, :, 1] = -math.inf
    for make, tensors in ((an.dp.CKY, (spans,)), (an.dp.PCFG, grammar)):
        for factor in (1.0, 300.0):  # the second leaves the range of the scaled form
            found = {}
            for backend in ("native", "torch"):
                with an.backend(backend):
                    program = make(*[factor * t for t in tensors], lengths)
                    found[backend] = (program.log_partition(), *tupled(program.marginals()))
            for ours, theirs in zip(found["native"], found["torch"], strict=True):
                close(ours, theirs, 1e-11 if dtype == torch.float64 else 2e-5 * factor)
                close(ours.isfinite().double(), theirs.isfinite().double())
