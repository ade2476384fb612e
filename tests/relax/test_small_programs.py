"""What small programs that use a construct in an unusual way must do: compute what Python does, or say why not."""

import math
import warnings
from typing import NamedTuple

import pytest
import torch

import algonets as an
from algonets.distributions import Logistic

SHARP = Logistic(1e-4)


def assert_hard_and_sharp(function, expected, *args):
    relaxed = an.relax(function)
    torch.testing.assert_close(relaxed(*args), expected)
    torch.testing.assert_close(relaxed.soft(*args, distribution=SHARP), expected.to(args[0].dtype), atol=1e-3, rtol=0)


def test_augmented_assignment_to_an_entry_of_a_row():
    def exact(m):
        m[0][1] += 10.0
        m[1][1:] *= 2.0
        return m

    def soft(m):
        m[m[0].argmin()][0] -= 1.0
        return m

    m = torch.tensor([[[1.0, 2.0, 0.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]])
    assert_hard_and_sharp(exact, torch.tensor([[[1.0, 12, 0], [4, 10, 12], [7, 8, 9]]]), m)
    assert_hard_and_sharp(soft, torch.tensor([[[1.0, 2, 0], [4, 5, 6], [6, 8, 9]]]), m)


def test_writing_to_a_named_row_is_refused():
    def entry(m):
        row = m[0]
        row[1] = 5.0
        return m

    def whole(m):
        row = m[0]
        row += 1.0
        return m

    def copied(m):
        row = m[0].clone()
        row[0] = 5.0
        return m[0] + row

    for program in (entry, whole):
        for call in (an.relax(program), an.relax(program).soft):
            with pytest.raises(TypeError, match="clone"):
                call(torch.ones(1, 2, 2))
    assert_hard_and_sharp(copied, torch.tensor([[6.0, 2.0]]), torch.ones(1, 2, 2))


def test_masks_as_indices():
    def write(x):
        x[x > 0.5] = -1.0
        return x

    def in_a_branch(x, t):
        if t > 0:
            x[x > 0.5] = t
        return x

    def read(x):
        return x[x > 0]

    x = torch.tensor([[0.2, 0.9, 0.4], [0.7, 0.8, 0.1]])
    assert_hard_and_sharp(write, torch.tensor([[0.2, -1, 0.4], [-1, -1, 0.1]]), x)
    t = torch.tensor([2.0, -1.0])
    assert_hard_and_sharp(in_a_branch, torch.tensor([[0.2, 2, 0.4], [0.7, 0.8, 0.1]]), x, t)
    halfway = an.relax(write).soft(torch.full((1, 3), 0.5))
    torch.testing.assert_close(halfway, torch.full((1, 3), -0.25))
    for call in (an.relax(read), an.relax(read).soft):
        with pytest.raises(TypeError, match=r"torch\.where"):
            call(x)


def test_vectors_of_integers_as_indices():
    order = torch.tensor([2, 0])

    def exact(m):
        return m[[1, 0]][:, 0] + m[order[0] - 1, order]

    def soft(x):
        ranks = [x.argmax(), x.argmin()]
        return x[ranks]

    m = torch.arange(6.0).reshape(1, 2, 3)
    assert_hard_and_sharp(exact, torch.tensor([[3.0 + 5, 0.0 + 3]]), m)
    assert_hard_and_sharp(soft, torch.tensor([[3.0, 1.0]]), torch.tensor([[2.0, 3.0, 1.0]]))


class Pair(NamedTuple):
    low: torch.Tensor
    high: torch.Tensor


def test_tuples_with_names():
    def program(pair):
        if pair.low > pair.high:
            return Pair(pair.high, pair.low)
        return pair

    pair = Pair(torch.tensor([1.0, 5.0]), torch.tensor([3.0, 2.0]))
    for call in (an.relax(program), an.relax(program).soft):
        found = call(pair)
        assert isinstance(found, Pair)
        torch.testing.assert_close(found.low, torch.tensor([1.0, 2.0]))


def test_backward_slices():
    def program(x):
        return x[::-1] - x

    assert_hard_and_sharp(program, torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([[1.0, 3.0, 2.0]]))


def test_results_with_names():
    def program(x):
        found = torch.max(x, 0)
        return found.values + x[found.indices]

    assert_hard_and_sharp(program, torch.tensor([6.0, 10.0]), torch.tensor([[1.0, 3.0], [5.0, 4.0]]))


def test_whole_numbers_of_real_ones_are_hard_only():
    def program(x):
        return math.floor(x), math.ceil(x), round(x), math.floor(2.5)

    down, up, nearest, exact = an.relax(program)(torch.tensor([1.7, -0.2]))
    assert down.tolist() == [1, -1] and up.tolist() == [2, 0] and nearest.tolist() == [2.0, 0.0]
    assert exact.tolist() == [2, 2] and down.dtype == torch.int64
    with pytest.raises(TypeError, match="floor"):
        an.relax(program).soft(torch.tensor([1.7]))


def test_powers_of_integers_are_integers():
    def program(x):
        n = 3
        if x > 0:
            n = 2
        return n**2

    assert_hard_and_sharp(program, torch.tensor([4, 9]), torch.tensor([1.0, -1.0]))


WEIGHTS = torch.tensor([1.0, 2.0])


def test_defaults_are_shared_by_the_batch():
    def program(x, weights=WEIGHTS):
        return x * weights if x > 0 else weights

    assert_hard_and_sharp(program, torch.tensor([[3.0, 6], [1, 2], [1, 2]]), torch.tensor([3.0, -1, -2]))


class Gate(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.threshold = torch.nn.Parameter(torch.tensor(0.5))

    @an.relax
    def halved(self, x):
        count = 0.0
        while x > self.threshold:
            x = x / 2
            count += 1
        return count

    def forward(self, x):
        return self.halved.soft(x, loops="static", max_iterations=4)


@pytest.mark.filterwarnings("ignore::algonets.relax.ResidualMassWarning")
def test_vmap_over_parameters_of_a_module():
    gate, x = Gate(), torch.tensor([1.0, 3.0])
    thresholds = torch.tensor([0.5, 1.0, 2.0])
    counts = torch.vmap(lambda t: torch.func.functional_call(gate, {"threshold": t}, (x,)))(thresholds)
    for k, t in enumerate(thresholds):
        torch.testing.assert_close(counts[k], torch.func.functional_call(gate, {"threshold": t}, (x,)))


@an.relax
def count_down(x):
    while x > 0:
        x = x - 1e-3
    return x


def test_a_warning_points_into_the_users_file():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        count_down.soft(torch.ones(1), max_iterations=3)
    (warning,) = caught
    assert warning.filename == __file__
    assert warning.lineno in range(*[count_down.original.__code__.co_firstlineno + k for k in (1, 5)])


def test_wrong_arguments_name_the_function():
    with pytest.raises(TypeError, match="count_down"):
        count_down.soft(torch.ones(1), temperature=2)
    with pytest.raises(TypeError, match="as_tensor"):
        count_down.soft(torch.ones(1).numpy())
    with pytest.raises(ValueError, match="batch_dims"):
        count_down.soft(torch.ones(1), batch_dims={"y": None})
