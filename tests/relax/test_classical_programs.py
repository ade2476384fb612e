"""Textbook programs on batches: hard calls equal plain Python on every example, sharp ones equal hard ones.

What they have in common: the examples of a batch go through different numbers of passes, so that those that have
ended already stand beside those that go on.
"""

import math

import pytest
import torch

import algonets as an
from algonets.distributions import Logistic

SHARP = Logistic(1e-7)


def gcd(a, b):
    while b != 0:
        a, b = b, a % b
    return a


def gcd_by_recursion(a, b):
    if b == 0:
        return a
    return gcd_by_recursion(b, a % b)


def collatz(n):
    steps = 0
    while n != 1:
        if n % 2 == 0:
            n //= 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps


def power_modulo(base, exponent, modulus):
    result = 1
    while exponent > 0:
        if exponent % 2 == 1:
            result = result * base % modulus
        exponent //= 2
        base = base * base % modulus
    return result


def sum_of_digits(n):
    total = 0
    while n:
        n, digit = divmod(n, 10)
        total += digit
    return total


def is_prime(n):
    if n < 2:
        return False
    d = 2
    while d * d <= n:
        if n % d == 0:
            return False
        d += 1
    return True


def binary_search(a, key):
    low, high = 0, len(a) - 1
    while low <= high:
        middle = (low + high) // 2
        if a[middle] == key:
            return middle
        if a[middle] < key:
            low = middle + 1
        else:
            high = middle - 1
    return -1


def knapsack(values, weights):
    best = [0.0] * 8
    for i in range(len(values)):
        for c in range(7, -1, -1):
            if weights[i] <= c:
                best[c] = max(best[c], best[c - weights[i]] + values[i])
    return best[7]


def insertion_sort(a):
    for i in range(1, len(a)):
        key = a[i]
        j = i - 1
        while j >= 0 and a[j] > key:
            a[j + 1] = a[j]
            j -= 1
        a[j + 1] = key
    return a


def longest_increasing_subsequence(a):
    n = len(a)
    length = [1] * n
    for i in range(n):
        for j in range(i):
            if a[j] < a[i]:
                length[i] = max(length[i], length[j] + 1)
    return max(length)


def matrix_chain(p):
    n = len(p) - 1
    cost = torch.zeros(n, n, dtype=torch.float64)
    for span in range(1, n):
        for i in range(n - span):
            best = float("inf")
            for k in range(i, i + span):
                here = cost[i, k] + cost[k + 1, i + span] + p[i] * p[k + 1] * p[i + span + 1]
                if here < best:
                    best = here
            cost[i, i + span] = best
    return cost[0, n - 1]


def square_root(x):
    guess = x if x > 1 else 1.0
    while abs(guess * guess - x) > 1e-6 * x:
        guess = 0.5 * (guess + x / guess)
    return guess


def means_of_clusters(points, centers):
    sums, counts = [0.0] * len(centers), [0] * len(centers)
    for p in points:
        best = 0
        for c in range(1, len(centers)):
            if abs(p - centers[c]) < abs(p - centers[best]):
                best = c
        sums[best] += p
        counts[best] += 1
    return [sums[c] / counts[c] if counts[c] > 0.5 else centers[c] for c in range(len(centers))]


def merge_sorted(a, b):
    i = j = 0
    out = [0.0] * (len(a) + len(b))
    for k in range(len(a) + len(b)):
        if j == len(b) or (i < len(a) and a[i] <= b[j]):
            out[k] = a[i]
            i += 1
        else:
            out[k] = b[j]
            j += 1
    return out


def levenshtein(x, y):
    before = list(range(len(y) + 1))
    for i in range(1, len(x) + 1):
        now = [i] + [0] * len(y)
        for j in range(1, len(y) + 1):
            now[j] = min(before[j] + 1, now[j - 1] + 1, before[j - 1] + (x[i - 1] != y[j - 1]))
        before = now
    return before[len(y)]


def floyd_warshall(w):
    d = w.clone()
    for k in range(len(w)):
        for i in range(len(w)):
            for j in range(len(w)):
                if d[i, k] + d[k, j] < d[i, j]:
                    d[i, j] = d[i, k] + d[k, j]
    return d


def prefix_sums(a):
    out = [0.0] * (len(a) + 1)
    for i, x in enumerate(a):
        out[i + 1] = out[i] + x
    return out


def majority(a):
    candidate, count = a[0], 0
    for x in a:
        if count == 0:
            candidate = x
        count += 1 if x == candidate else -1
    return candidate


def pair_of_sum(a, total):
    for i in range(len(a)):
        for j in range(i + 1, len(a)):
            if a[i] + a[j] == total:
                return i, j
    return -1, -1


def partition(a):
    pivot, i = a[len(a) - 1], 0
    for j in range(len(a) - 1):
        if a[j] <= pivot:
            a[i], a[j] = a[j], a[i]
            i += 1
    a[i], a[len(a) - 1] = a[len(a) - 1], a[i]
    return a, i


_draw = torch.Generator().manual_seed(0)
_SORTED = torch.rand(6, 5, generator=_draw, dtype=torch.float64).sort(1).values


def integers(low, high, *shape):
    return torch.randint(low, high, shape, generator=_draw)


def reals(*shape):
    return 4 * torch.rand(shape, generator=_draw, dtype=torch.float64)


PROGRAMS = [
    (gcd, (torch.tensor([12, 0, 7, 0, 36, 35, 1]), torch.tensor([18, 5, 0, 0, 36, 14, 90]))),
    (gcd_by_recursion, (torch.tensor([12, 0, 7, 0]), torch.tensor([18, 5, 0, 0]))),
    (collatz, (torch.tensor([1, 6, 9, 16]),)),
    (power_modulo, (integers(0, 50, 5), integers(0, 20, 5), integers(2, 30, 5))),
    (sum_of_digits, (integers(0, 5000, 5),)),
    (is_prime, (torch.tensor([0, 1, 2, 9, 13, 49, 53]),)),
    (binary_search, (_SORTED, torch.cat([_SORTED.diagonal()[:4], torch.tensor([-1.0, 0.5])]))),
    (knapsack, (reals(5, 4), integers(1, 5, 5, 4))),
    (insertion_sort, (reals(5, 5),)),
    (longest_increasing_subsequence, (reals(5, 5),)),
    (matrix_chain, (reals(4, 5),)),
    (square_root, (reals(5) + 0.1,)),
    (means_of_clusters, (reals(5, 5), reals(5, 3))),
    (merge_sorted, (_SORTED[:, :3], reals(6, 4).sort(1).values)),
    (levenshtein, (integers(0, 3, 5, 4), integers(0, 3, 5, 5))),
    (floyd_warshall, (reals(4, 4, 4),)),
    (prefix_sums, (reals(3, 4),)),
    (majority, (integers(0, 3, 5, 7),)),
    (pair_of_sum, (integers(0, 6, 5, 5), integers(3, 9, 5))),
    (partition, (reals(5, 5),)),
]


def numbers(value):
    if isinstance(value, tuple | list):
        return [number for item in value for number in numbers(item)]
    return value.flatten().tolist() if isinstance(value, torch.Tensor) else [float(value)]


def in_plain_python(function, args):
    """The results of the examples one by one; numbers and lists of Python, a tensor where there are two dimensions."""
    for i in range(len(args[0])):
        example = [a[i] for a in args]
        yield numbers(function(*(x.clone() if x.ndim > 1 else x.tolist() for x in example)))


@pytest.mark.parametrize(("function", "args"), PROGRAMS, ids=lambda x: getattr(x, "__name__", ""))
def test_batches_equal_plain_python(function, args):
    relaxed = an.relax(function)
    for result in (
        relaxed(*args),
        relaxed.soft(*args, distribution=SHARP),
        relaxed.soft(*args, distribution=SHARP, mode="straight_through"),
    ):
        parts = result if isinstance(result, tuple | list) else [result]
        found = [numbers([part[i].double() for part in parts]) for i in range(len(args[0]))]
        for ours, python in zip(found, in_plain_python(function, args), strict=True):
            assert ours == pytest.approx(python, rel=1e-4)


def test_gcd_equals_math_gcd():
    a, b = integers(0, 40, 200), integers(0, 40, 200)
    expected = torch.tensor([math.gcd(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True)])
    assert torch.equal(an.relax(gcd)(a, b), expected)
    assert torch.equal(an.relax(gcd).soft(a, b, loops="static", max_iterations=10), expected.to(torch.float32))


def share(a, b):
    if b != 0:
        return a // b, a % b
    return -1, -1


def shares(a, b):
    if (b != 0).all():
        a = a // b + a % b
    return a


def test_dead_branches_divide_by_zero():
    a, b = torch.tensor([7, 7, -7]), torch.tensor([2, 0, 2])
    for call in (an.relax(share), an.relax(share).soft):
        quotient, remainder = call(a, b)
        assert quotient.tolist() == [3, -1, -4] and remainder.tolist() == [1, -1, 1]
    found = an.relax(shares)(torch.tensor([[7, 7], [7, 7]]), torch.tensor([[2, 0], [2, 3]]))
    assert found.tolist() == [[7, 7], [4, 3]]


def test_a_mixture_divides_by_what_is_possible():
    @an.relax
    def program(x, n):
        divisor = 0
        if x > 0:
            divisor = 2
        tenths = [0.0, 0.1, 0.2]
        return (n // divisor if divisor > 0 else n) + tenths[divisor]

    x, n = torch.tensor([1.0, -1.0]), torch.tensor([9, 9])
    torch.testing.assert_close(program(x, n), torch.tensor([4.2, 9.0]))
    torch.testing.assert_close(program.soft(5 * x, n, distribution=Logistic(1e-2)), torch.tensor([4.2, 9.0]))
    p = torch.sigmoid(x)
    expected = p * (9 // 2) + (1 - p) * 9 + 0.2 * p
    torch.testing.assert_close(program.soft(x, n, distribution=Logistic(1.0)), expected)


def test_living_branches_raise():
    def quotient(a, b):
        return a // b

    def constant(a, x):
        if x > 0:
            a = a % 0
        return a

    a = torch.tensor([4, 5])
    for call in (an.relax(quotient), an.relax(quotient).soft):
        with pytest.raises(ZeroDivisionError, match="in some examples"):
            call(a, torch.tensor([1, 0]))
    with pytest.raises(ZeroDivisionError):
        an.relax(constant)(a, torch.tensor([1.0, -1.0]))
    assert an.relax(constant)(a, torch.tensor([-1.0, -1.0])).tolist() == [4, 5]
