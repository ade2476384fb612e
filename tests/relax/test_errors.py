"""What cannot be relaxed says so: file, line, construct, and what to write instead."""

import importlib.util
import linecache
import textwrap

import pytest
import torch

import algonets as an

BODIES = {
    "try:\n        y = x\n    except ValueError:\n        y = 0": ("try", "Test for the case with if"),
    "raise ValueError(x)": ("raise", "Check the arguments"),
    "assert x > 0": ("assert", "Check the arguments"),
    "global G\n    G = x": ("global", "Return the value"),
    "import math": ("import", "top of the module"),
    "def inner(z):\n        return z": ("a function in a function", "top of the module"),
    "class Inner:\n        pass": ("a class", "top of the module"),
    "del x": ("del", "Leave the variable"),
    "y = lambda z: z": ("a lambda", "Define a function"),
    "y = {1: x}": ("a dictionary", "variables or arrays"),
    "y = {x}": ("a set", "array of truth values"),
    "y = {k: x for k in range(3)}": ("a dictionary comprehension", "Use an array"),
    "y = {k for k in range(3)}": ("a set comprehension", "array of truth values"),
    "y = (k for k in range(3))": ("a generator expression", "list comprehension"),
    "y = [k for k in range(3) if k > x]": ("a comprehension with a condition", "loop with an if"),
    "yield x": ("yield", "array"),
    "yield from x": ("yield from", "array"),
    "if (y := x) > 0:\n        pass": (":=", "line of its own"),
    "for i in range(3):\n        pass\n    else:\n        y = 1": ("else after a loop", "before break"),
    "while x > 0:\n        x -= 1\n    else:\n        y = 1": ("else after a loop", "before break"),
    "with open('f') as f:\n        pass": ("a with statement", "relax.scale"),
    "match x:\n        case 0:\n            y = 1": ("match", "if and elif"),
    "y = x in (1, 2)": ("'in'", "=="),
    "y = f'{x}'": ("an f-string", "outside"),
    "x.value = 3": ("an assignment to an attribute", "variable"),
    "x.value += 3": ("an assignment to an attribute", "variable"),
    "a, *b = x": ("a starred target", "slices"),
    "y = max(*x)": ("a starred argument", "one by one"),
    "y = dict(**x)": ("** in a call", "one by one"),
    "y = x << 2": ("a bit shift", "power of two"),
    "y = 3j": ("the constant 3j", "real numbers"),
    "y = super().f": ("super()", "argument"),
    "y = f(x)(x)": ("a call of a computed function", "by its name"),
    "a, b = x, x, x": ("3 values for 2 targets", "Match"),
}


def module_with(tmp_path, text):
    path = tmp_path / "user_code.py"
    path.write_text(text)
    linecache.checkcache(str(path))
    spec = importlib.util.spec_from_file_location("user_code", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return path, module


@pytest.mark.parametrize("body", BODIES)
def test_constructs_that_cannot_be_relaxed(body, tmp_path):
    construct, remedy = BODIES[body]
    text = f"def f(x):\n    y = 0\n    {body}\n    return y\n"
    path, module = module_with(tmp_path, text)
    with pytest.raises(an.relax.RelaxSyntaxError) as caught:
        an.relax(module.f)
    error = caught.value
    assert error.filename == str(path)
    assert error.lineno >= 3 and error.lineno <= 3 + body.count("\n")
    assert construct in str(error) and remedy in str(error)
    assert error.text and error.text.strip() in text


def test_a_helper_is_checked_when_it_is_met(tmp_path):
    text = """
        import algonets as an

        def helper(x):
            assert x > 0
            return x

        @an.relax
        def f(x):
            return helper(x)
    """
    path, module = module_with(tmp_path, textwrap.dedent(text))
    with pytest.raises(an.relax.RelaxSyntaxError, match="cannot relax assert") as caught:
        module.f(torch.ones(2))
    assert (caught.value.filename, caught.value.lineno) == (str(path), 5)


def test_what_is_no_function():
    with pytest.raises(TypeError, match="written with def"):
        an.relax(3)
    with pytest.raises(TypeError, match="written with def"):
        an.relax(torch.exp)
    with pytest.raises(an.relax.RelaxSyntaxError, match="lambda"):
        an.relax(lambda x: x)


def test_functions_without_source():
    space = {}
    exec("def f(x):\n    return x", space)
    with pytest.raises(an.relax.RelaxSyntaxError, match="cannot read the source of f"):
        an.relax(space["f"])


@an.relax
def soft_range(x):
    n = 0
    if x > 0:
        n = 3
    total = 0
    for i in range(n):
        total += i
    return total


@an.relax
def real_index(a, x):
    return a[x]


@an.relax
def no_mean(x):
    word = "small"
    if x > 0:
        word = "large"
    return word


@an.relax
def forgotten_return(x):
    if x > 0:
        return x


@an.relax
def unassigned(x):
    for _ in range(0):
        y = x
    return y


@an.relax
def lists_of_two_lengths(x):
    a = [1.0]
    if x > 0:
        a = [1.0, 2.0]
    return a


@an.relax
def grows(x):
    a = [x]
    if x > 0:
        a.append(x)
    return a


@an.relax
def in_place(a):
    a.sort_()
    return a


@pytest.mark.parametrize(
    ("function", "args", "error", "match"),
    [
        (soft_range, 1, TypeError, "needs exact integers.*while loop"),
        (no_mean, 1, TypeError, "'large' and 'small', which have no mean"),
        (forgotten_return, 1, TypeError, "end without a return"),
        (unassigned, 1, UnboundLocalError, "'y'|referenced before assignment|not associated"),
        (lists_of_two_lengths, 1, TypeError, "lengths 2 and 1"),
        (grows, 1, TypeError, "lists keep their length"),
    ],
)
def test_programs_that_have_no_relaxation(function, args, error, match):
    x = torch.tensor([0.5, -0.5])
    with pytest.raises(error, match=match):
        function.soft(x)


def test_real_numbers_are_no_indices():
    with pytest.raises(TypeError, match="must be an integer"):
        real_index.soft(torch.randn(2, 3), torch.randn(2))
    a, k = torch.randn(4, 3), torch.tensor([0, 2, -1, 1])
    torch.testing.assert_close(real_index.soft(a, k), a[torch.arange(4), k])
    with pytest.raises(IndexError, match="out of range for an array of length 3 in some examples"):
        real_index(a, k + 2)


def test_methods_in_place():
    with pytest.raises(TypeError, match="without the change in place"):
        in_place.soft(torch.randn(2, 3))


def test_options_must_not_be_parameters():
    def f(x, mode):
        return x

    with pytest.raises(ValueError, match="names of options"):
        an.relax(f)
