"""Random small programs: the hard call is plain Python, and the soft call stays finite."""

import importlib.util
import linecache

import hypothesis.strategies as some
import torch
from hypothesis import HealthCheck, given, settings

import algonets as an
from algonets.distributions import Logistic

NUMBERS = ["x", "y", "z", "a[0]", "a[1]", "a[i]", "0.5", "-1.0", "2"]


@some.composite
def expressions(draw, depth=2):
    if depth == 0 or draw(some.booleans()):
        return draw(some.sampled_from(NUMBERS))
    left, right = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    kind = draw(some.sampled_from(["+", "-", "*", "min", "max", "if", "abs"]))
    if kind in ("min", "max"):
        return f"{kind}({left}, {right})"
    if kind == "if":
        return f"({left} if {draw(conditions(0))} else {right})"
    return f"abs({left})" if kind == "abs" else f"({left} {kind} {right})"


@some.composite
def conditions(draw, depth=1):
    if depth and draw(some.booleans()):
        word = draw(some.sampled_from(["and", "or"]))
        return f"({draw(conditions(0))} {word} not {draw(conditions(0))})"
    op = draw(some.sampled_from(["<", "<=", ">", ">="]))
    return f"{draw(expressions(1))} {op} {draw(expressions(1))}"


@some.composite
def statements(draw, depth, in_loop=False):
    lines = []
    for _ in range(draw(some.integers(1, 3))):
        kinds = ["assign", "array", "augment", "if", "return"] + (["break", "continue"] if in_loop else [])
        kind = draw(some.sampled_from(kinds + (["for", "while"] if depth > 0 else [])))
        if kind == "assign":
            lines.append(f"{draw(some.sampled_from('xyz'))} = {draw(expressions())}")
        elif kind == "augment":
            target = draw(some.sampled_from(["x", "z", "n", "a[i]", "a[1]"]))
            lines.append(f"{target} += {draw(some.sampled_from(NUMBERS))}")
        elif kind == "array":
            lines.append(f"a[{draw(some.sampled_from(['0', '1', 'i']))}] = {draw(expressions())}")
        elif kind in ("return", "break", "continue"):
            lines.append(f"if {draw(conditions())}:")
            lines.append("    return x, y, n, a" if kind == "return" else f"    {kind}")
        elif kind == "if" and depth:
            lines.append(f"if {draw(conditions())}:")
            lines += ["    " + line for line in draw(statements(depth - 1, in_loop))]
            if draw(some.booleans()):
                lines.append("else:")
                lines += ["    " + line for line in draw(statements(depth - 1, in_loop))]
        elif kind == "for":
            lines.append("for i in range(2):")
            lines += ["    " + line for line in draw(statements(depth - 1, True))]
        elif kind == "while":
            k = f"k{depth}"  # its own, so that an inner loop does not set an outer one back
            lines += [f"{k} = 0", f"while {k} < 3 and {draw(conditions(0))}:", f"    {k} += 1"]
            lines += ["    " + line for line in draw(statements(depth - 1, True))]
        else:
            lines.append("n += 1")
    return lines


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=statements(2), seed=some.integers(0, 100))
def test_random_programs(body, seed, tmp_path_factory):
    text = "def f(x, y, a):\n    z = 0.0\n    n = 0\n    i = 0\n"
    text += "".join(f"    {line}\n" for line in body) + "    return x, y, n, a\n"
    path = tmp_path_factory.mktemp("programs") / "program.py"
    path.write_text(text)
    linecache.checkcache(str(path))
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    relaxed = an.relax(module.f)
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(6, generator=generator, dtype=torch.float64) for _ in range(2))
    a = torch.randn(6, 2, generator=generator, dtype=torch.float64)
    found = relaxed(x, y, a)
    for k in range(6):
        expected = module.f(float(x[k]), float(y[k]), a[k].tolist())
        for ours, theirs in zip(found, expected, strict=True):
            wanted = torch.tensor(theirs, dtype=torch.float64)
            torch.testing.assert_close(ours[k].double(), wanted, rtol=1e-9, atol=1e-9, msg=lambda m: f"{m}\n{text}")
    soft = relaxed.soft(x.requires_grad_(), y, a, distribution=Logistic(1.0))
    bound = max(float(h.detach().double().abs().max()) for h in found)
    assert bound > 1e100 or all(bool(s.isfinite().all()) for s in soft), text
