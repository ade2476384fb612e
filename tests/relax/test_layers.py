"""A relaxed function as a layer: batches, dtypes, transforms, compilation, pickling, methods, reports."""

import pickle
import traceback
import warnings
from pathlib import Path

import pytest
import torch

import algonets as an
from algonets.distributions import Gaussian, Logistic
from tests.relax import programs
from tests.relax.suite import PROGRAMS

F64 = torch.float64


@an.relax
def scaled_sum(a, w, k=2):
    total = 0.0
    for u in a:
        if u > w:
            total += u * k
    return total


@an.relax(batch_dims=0, distribution=Gaussian(0.3))
def single(a, t):
    return a[0] if a[1] > t else t


def test_batch_dims_are_those_of_vmap():
    a, w = torch.randn(6, 4, dtype=F64), torch.randn(6, dtype=F64)
    for call in (scaled_sum, scaled_sum.soft):
        whole = call(a, w)
        assert whole.shape == (6,)
        for k in range(6):
            torch.testing.assert_close(call(a[k], w[k], batch_dims=0), whole[k])
        shared = call(a, w[0], batch_dims={"w": None})
        torch.testing.assert_close(shared, call(a, w[:1].expand(6)))
        torch.testing.assert_close(call(a, w[0], batch_dims=(1, None)), shared)
        deep = call(a.reshape(2, 3, 4), w.reshape(2, 3), batch_dims=2)
        torch.testing.assert_close(deep, whole.reshape(2, 3))
        assert call(a, w, 3).shape == (6,) and call(a, w=w, k=1).shape == (6,)
    assert single.soft(torch.randn(2), torch.tensor(0.1)).shape == ()
    assert single(torch.randn(3, 2), torch.randn(3), batch_dims=1).shape == (3,)


def test_wrong_batches_say_so():
    with pytest.raises(ValueError, match=r"scaled_sum\(w\) must have the batch shape \(6,\) of a"):
        scaled_sum(torch.randn(6, 4), torch.randn(5))
    with pytest.raises(ValueError, match="batch_dims=0 for a single example"):
        scaled_sum(torch.randn(6, 4), torch.tensor(0.5))
    with pytest.raises(ValueError, match="entry for each argument"):
        scaled_sum(torch.randn(6, 4), torch.randn(6), batch_dims=(1,))


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"distribution": 3}, TypeError, "law of algonets.distributions"),
        ({"conjunction": "and"}, TypeError, "t-conorm"),
        ({"mode": "medium"}, ValueError, "soft, hard, straight_through"),
        ({"merge": "max"}, ValueError, "mean, paths, sample"),
        ({"loops": "none"}, ValueError, "dynamic, static"),
        ({"epsilon": 2.0}, ValueError, r"in \[0, 1\)"),
        ({"max_iterations": -1}, ValueError, "at least 0"),
        ({"samples": 0}, ValueError, "at least 1"),
        ({"max_depth": 1.5}, TypeError, "integer"),
        ({"batch_dims": -1}, ValueError, "at least 0"),
        ({"generator": 0}, TypeError, "Generator"),
    ],
)
def test_wrong_options_say_so(options, error, match):
    with pytest.raises(error, match=match):
        scaled_sum.soft(torch.randn(2, 3), torch.randn(2), **options)
    with pytest.raises(error, match=match):
        an.relax(**options)(scaled_sum.original)
    with pytest.raises(TypeError, match="no option 'temperature'"):
        an.relax(temperature=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtypes(dtype):
    x = torch.rand(3, 4).to(dtype)
    array, swaps = programs.bubble_sort.soft(x)
    assert array.dtype == swaps.dtype == dtype
    array, swaps = programs.bubble_sort(x)
    assert array.dtype == dtype and swaps.dtype == torch.int64
    assert torch.equal(array, x.sort(1).values)


def test_meta_device_needs_static_loops():
    x = torch.rand(3, 4, device="meta")
    array, swaps = programs.bubble_sort.soft(x, loops="static", max_iterations=3)
    assert array.shape == (3, 4) and swaps.shape == (3,) and array.device.type == "meta"


SMOOTH = ["if_else", "conditional_expression", "nested_ifs", "chains", "for_break", "early_return", "two_dimensional",
          "selection_sort", "builtins_of_python", "calls", "reads_at_argmax", "integers"]  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("law", [Logistic(0.5), Gaussian(0.7)], ids=repr)
def test_second_derivatives(name, law):
    relaxed, shapes = PROGRAMS[name]
    torch.manual_seed(0)
    args = [torch.randn(2, *shape, dtype=F64, requires_grad=True) for shape in shapes]

    def function(*a):
        result = relaxed.soft(*a, distribution=law)
        return tuple(r for r in (result if isinstance(result, tuple) else (result,)) if r.requires_grad)

    assert torch.autograd.gradcheck(function, args)
    assert torch.autograd.gradgradcheck(function, args)


def test_vmap_over_parameters():
    x = torch.randn(3, 4, dtype=F64)
    scales = torch.tensor([0.1, 0.5, 2.0], dtype=F64)

    def run(s):
        return programs.bubble_sort.soft(x, distribution=Logistic(s), loops="static", max_iterations=4)

    arrays, swaps = torch.vmap(run)(scales)
    for k in range(3):
        array, count = programs.bubble_sort.soft(x, distribution=Logistic(scales[k]), loops="static", max_iterations=4)
        torch.testing.assert_close(arrays[k], array)
        torch.testing.assert_close(swaps[k], count)
    slopes = torch.func.vmap(torch.func.grad(lambda s: run(s)[1].sum()))(scales)
    assert slopes.shape == (3,) and slopes.isfinite().all()


def test_dynamic_loops_under_vmap_say_what_to_do():
    with pytest.raises(ValueError, match="loops='static'"):
        torch.vmap(lambda s: programs.while_halving.soft(torch.ones(2), torch.zeros(2), distribution=Logistic(s)))(
            torch.tensor([0.1, 0.2])
        )


def test_static_loops_equal_dynamic_ones():
    x = torch.randn(3, 5, dtype=F64)
    dynamic = programs.bubble_sort.soft(x, epsilon=0.0, max_iterations=6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        static = programs.bubble_sort.soft(x, loops="static", max_iterations=6)
    for a, b in zip(dynamic, static, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bubble_sort", "levenshtein"])
def test_compile_in_one_graph(name):
    torch._dynamo.reset()
    args = [torch.rand(2, 3)] if name == "bubble_sort" else [torch.rand(2, 2, 3), torch.rand(2, 2, 3)]
    relaxed = getattr(programs, name)

    def run(*a):
        return relaxed.soft(*a, distribution=Logistic(0.2), loops="static", max_iterations=2)

    compiled = torch.compile(run, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*args), run(*args))


def test_pickle_by_name():
    assert pickle.loads(pickle.dumps(programs.bubble_sort)) is programs.bubble_sort
    assert pickle.loads(pickle.dumps(an.relax)) is an.relax


class Model:
    def __init__(self, threshold):
        self.threshold = threshold
        self.weights = torch.tensor([1.0, 2.0, 3.0])

    @an.relax
    def score(self, a):
        total = 0.0
        for i in range(3):
            if a[i] > self.threshold:
                total += self.weighted(a, i)
        return total

    def weighted(self, a, i):
        return a[i] * self.weights[i]

    @staticmethod
    @an.relax
    def relu(x):
        return x if x > 0 else 0.0


def test_methods():
    model = Model(0.25)
    a = torch.randn(5, 3)
    expected = (torch.where(a > 0.25, a, 0) * model.weights).sum(1)
    torch.testing.assert_close(model.score(a), expected)
    soft = (torch.sigmoid((a - 0.25) / 0.5) * a * model.weights).sum(1)
    torch.testing.assert_close(model.score.soft(a, distribution=Logistic(0.5)), soft)
    torch.testing.assert_close(Model.relu(a[:, 0]), a[:, 0].relu())
    assert "score" in model.score.source
    again = pickle.loads(pickle.dumps(model.score))
    torch.testing.assert_close(again(a), expected)


def test_report():
    x = torch.rand(4, 5)
    (array, swaps), report = programs.bubble_sort.soft(x, distribution=Logistic(0.1), report=True)
    assert torch.equal(array, programs.bubble_sort.soft(x, distribution=Logistic(0.1))[0])
    hard = programs.bubble_sort(x)
    torch.testing.assert_close(report.gap[0].float(), (array - hard[0]).abs().amax(1))
    torch.testing.assert_close(report.gap[1].float(), (swaps - hard[1]).abs())
    (decision,) = report.decisions
    lines = Path(programs.__file__).read_text().splitlines()
    assert lines[decision.line - 1].strip().startswith("if x[i] > x[i + 1]")
    assert 0 < decision.mean < 1 and 0 < decision.undecided <= 1
    assert "undecided" in str(report) and report.residual_mass == 0


def test_residual_mass_is_a_warning():
    x = torch.tensor([100.0])
    with pytest.warns(an.relax.ResidualMassWarning, match=r"line \d+: the loop has run 3 times"):
        _, report = programs.while_halving.soft(x, x * 0, max_iterations=3, report=True)
    assert report.residual_mass == pytest.approx(1.0)


def test_recursion_is_bounded():
    relaxed, _ = PROGRAMS["recursion"]
    x = torch.tensor([0.7])
    with pytest.warns(an.relax.ResidualMassWarning, match="max_depth=3"):
        shallow, report = relaxed.soft(x, x / 2, max_depth=3, distribution=Logistic(0.5), report=True)
    assert shallow.isfinite().all() and report.residual_mass > 0


@an.relax
def fails_inside(a):
    b = a[0] + 1
    if b > 0:
        b = b + a[7]
    return b


def test_tracebacks_point_into_the_source():
    with pytest.raises(IndexError, match="index 7 is out of range for an array of length 3") as caught:
        fails_inside(torch.ones(2, 3))
    frames = traceback.extract_tb(caught.value.__traceback__)
    mine = [f for f in frames if f.name == "fails_inside"]
    assert mine and mine[-1].filename == __file__ and mine[-1].line == "b = b + a[7]"


def test_source_and_original():
    assert programs.bubble_sort.original([3.0, 1.0, 2.0]) == ([1.0, 2.0, 3.0], 2)
    assert "_rt.branch" in programs.bubble_sort.source and "while" in programs.bubble_sort.source
    assert programs.bubble_sort([3.0, 1.0, 2.0]) == ([1.0, 2.0, 3.0], 2)
    assert repr(programs.bubble_sort) == "Relaxed(bubble_sort(x))"


def test_package_and_decorator_have_the_same_names():
    import importlib

    package = importlib.import_module("algonets.relax")
    for name in package.__all__:
        if name != "relax":
            assert getattr(an.relax, name) is getattr(package, name)
    assert package.relax is an.relax and set(an.relax.__all__) == set(package.__all__) - {"relax"}
    assert package(scaled_sum.original)(torch.ones(2, 3), torch.zeros(2)).tolist() == [6.0, 6.0]
