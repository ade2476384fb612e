"""Programs of every construct, each with arguments to try; the oracle is the program itself in plain Python."""

import math

import torch

import algonets as an

PROGRAMS = {}


def program(*shapes, **options):
    """Register a relaxed program with the shapes of its arguments for one example (or values that all share)."""

    def register(function):
        relaxed = an.relax(**options)(function)
        PROGRAMS[function.__name__] = (relaxed, shapes)
        return relaxed

    return register


@program((), ())
def if_else(x, y):
    if x > y:  # noqa: SIM108
        z = x * 2
    else:
        z = y - 1
    return z


@program((), ())
def elif_chain(x, y):
    if x > 0.5:
        z = 1
    elif y > 0.2:
        z = 2
    elif x + y < -0.3:
        z = 3.5
    else:
        z = x
    return z


@program((), ())
def if_without_else(x, y):
    count = 0
    if x > y:
        count += 1
        x = y
    return x, count


@program((), ())
def conditional_expression(x, y):
    return (x if x < y else y) + (1 if x > 0 else -1)


@program((), ())
def nested_ifs(x, y):
    z = 0.0
    if x > 0:
        if y > 0:  # noqa: SIM108
            z = x * y
        else:
            z = x - y
        z = z + 1
    elif y > x:
        z = -y
    return z


@program((), ())
def logic(x, y):
    a = x > 0 and y > 0
    b = x > 1 or not y < 0.5
    c = not (a and b) and x < y
    return a, b, c, (1 if a or c else 0)


@program((), ())
def chains(x, y):
    inside = -0.5 < x < y * 2 < 1
    low = x <= y <= 0.1
    return inside, low, (2 if -1 < x + y < 1 else 3)


@program((), ())
def equalities(x, y):
    return x == y, x != y, x == x, (1 if x == y else 0)


@program(())
def while_loop(x):
    n = 0
    x = abs(x) * 8
    while x > 1:
        x = x / 2
        n += 1
    return x, n


@program((), ())
def nested_whiles(x, y):
    total = 0
    x = abs(x) * 3
    while x > 0.5:
        z = abs(y) * 2
        while z > x:
            z -= 0.7
            total += 1
        x -= 0.6
    return total, x


@program((5,))
def for_over_array(a):
    total = 0.0
    for u in a:
        if u > 0:
            total += u
    return total


@program((5,), ())
def for_break(a, t):
    found = -1
    for i in range(len(a)):
        if a[i] > t:
            found = i
            break
    return found


@program((5,), ())
def break_keeps_loop_variable(a, t):
    i = -1
    for i in range(len(a)):
        if a[i] > t:
            break
    return i


@program((5,), ())
def for_continue(a, t):
    total = 0.0
    n = 0
    for u in a:
        if u < t:
            continue
        total += u
        n += 1
    return total, n


@program((6,), ())
def break_and_continue(a, t):
    total = 0.0
    seen = 0
    for i in range(len(a)):
        if a[i] < t:
            total -= 0.1
            continue
        total += a[i]
        if total > 1:
            seen = i
            break
        seen += 1
    return total, seen


@program((5,), ())
def early_return(a, t):
    for i in range(len(a)):
        if a[i] > t:
            return i, a[i]
    return -1, t


@program((), ())
def returns_in_branches(x, y):
    if x > 0:
        if y > 0:
            return x + y
        x = x + 1
    if x > y:
        return x
    return y - x


@program((4,), ())
def while_true(a, t):
    i = 0
    total = 0.0
    while True:
        total += a[i]
        i += 1
        if i == len(a):
            break
        if total > t:
            break
    return total, i


@program((4, 3))
def two_dimensional(a):
    height, width = len(a), len(a[0])
    best = -9.0
    for i in range(height):
        for j in range(width):
            if a[i][j] > best:
                best = a[i][j]
    return best


@program((4, 4))
def return_in_nested_loops(a):
    for i in range(4):
        for j in range(4):
            if a[i][j] > 0.9:
                return i * 4 + j
    return -1


@program((5,))
def insertion_sort(a):
    for i in range(1, len(a)):
        j = i
        while j > 0 and a[j - 1] > a[j]:
            a[j - 1], a[j] = a[j], a[j - 1]
            j -= 1
    return a


@program((6,))
def selection_sort(a):
    n = len(a)
    for i in range(n):
        best = i
        for j in range(i + 1, n):
            if a[j] < a[best]:
                best = j
        a[i], a[best] = a[best], a[i]
    return a


@program((7,), ())
def binary_search(a, t):
    a = sorted(a)
    lo, hi = 0, 7
    while lo < hi:
        mid = (lo + hi) // 2
        if a[mid] < t:
            lo = mid + 1
        else:
            hi = mid
    return lo


@program((5,))
def builtins_of_python(a):
    return (
        min(a),
        max(a),
        min(a[0], a[1], 0.3),
        max(a[2], 0),
        abs(a[3]),
        sum(a),
        any([a[0] > 0, a[1] > 0]),
        all([a[0] > 0, a[1] > 0]),
        len(a),
        an.relax.argmin(a),
        an.relax.argmax(a),
    )


@program((6,))
def sorting(a):
    return sorted(a), sorted(a, reverse=True)


@program((4,), (4,))
def zip_and_enumerate(a, b):
    total = 0.0
    for k, (u, v) in enumerate(zip(a, b)):
        if u > v:
            total += k * u
    for w in reversed(b):
        total = total / 2 + w
    return total


@program((5,))
def reads_at_argmax(a):
    b = [10, 20, 30, 40, 50]
    k = an.relax.argmax(a)
    return a[k], b[k], b[k - 1]


@program((5,), ())
def soft_write(a, t):
    i = 0
    if t > 0:
        i = 2
    if t > 0.5:
        i += 1
    a[i] = 7.0
    a[i] += 1
    return a, i


@program((3, 3), ())
def soft_write_in_two_dimensions(a, t):
    i = 0
    if t > 0:
        i = 2
    a[i][1] = t
    return a[i][1] + a[0][1]


@program((4,), ())
def index_arithmetic(a, t):
    i = 3
    while i > 0 and a[i] > t:
        i = (i * 2 + 1) % 5 - 1
        if i == 2:
            i = 0
    return i, a[i], i < 2


@program((6,))
def slices(a):
    b = a[1:4]
    b[0] = 5.0
    a[3:5] = [1.0, 2.0]
    if a[0] > a[5]:
        a[2:] = [a[1], b[0], 3.0, 4.0]
    return a, b[1:], a[-2]


@program((5,))
def aliasing(a):
    b = a
    if a[0] > 0:
        b[1] = 3.0
    b[2] += 1
    return a, b


@program((4,))
def lists(a):
    b = [0.0] * 4
    c = [x * 2 for x in a]
    d = [[i + j for j in range(2)] for i in range(2)]
    for i in range(4):
        if a[i] > 0:
            b[i] = c[3 - i]
            d[i % 2][0] = i
    e = [1.0, a[0]] + [a[1]]  # noqa: RUF005
    e.append(2.0)
    return b, c, d, e, len(e)


@program((), ())
def integers(x, y):
    k = 3
    if x > 0:
        k += 4
    if y > 0:
        k = k * 2
    return k, k // 2, k % 3, -k, k * 0.5, k == 7, k + (x > y)


@program((), ())
def booleans(x, y):
    flag = False
    if x > 0:
        flag = True
    other = flag
    if y > 0:
        other = not flag
    n = 0
    if flag and other:
        n = 1
    return flag, other, n, (x > 0) + (y > 0), flag == other


@program((5,))
def counter_decides(a):
    count = 0
    for u in a:
        if u > 0:
            count += 1
    return "ignored" if False else (1.0 if count > 2 else 0.0), count


def helper(x, t):
    """A plain helper: it is inlined."""
    if x > t:
        return x - t
    return t * 2


def swap(a, i, j):
    """It changes its argument."""
    a[i], a[j] = a[j], a[i]


@an.relax
def relaxed_helper(x):
    """A relaxed helper."""
    return x if x > 0 else -x


@program((), ())
def calls(x, y):
    return helper(x, y) + relaxed_helper(x) + helper(0.1, 0.2) + helper(t=y, x=0.5)


@program((4,))
def helper_that_writes(a):
    for i in range(3):
        if a[i] > a[i + 1]:
            swap(a, i, i + 1)
    return a


def gcd_like(a, b):
    """Recursion on real numbers."""
    if b < 0.2:
        return a
    return gcd_like(b, a - b if a > b else b - a)


@program((), ())
def recursion(x, y):
    return gcd_like(abs(x), abs(y))


def factorial(n):
    """Recursion on exact integers."""
    return 1 if n <= 1 else n * factorial(n - 1)


def quicksort(a, lo, hi):
    """Recursion with exact bounds would need a soft pivot: here the pivot goes by counting."""
    if hi - lo < 1:
        return
    middle = (lo + hi) // 2
    quicksort(a, lo, middle)
    quicksort(a, middle + 1, hi)
    for _ in range(lo, hi):
        for j in range(lo, hi):
            if a[j] > a[j + 1]:
                swap(a, j, j + 1)


@program((5,))
def recursion_on_exact_integers(a):
    quicksort(a, 0, 4)
    return a, factorial(5)


@program((), ())
def mathematics(x, y):
    z = math.exp(x) + math.sqrt(abs(y)) + math.pi
    return z, 2**x, (x + 3) ** 2, (abs(x) + 1) // 0.5, (abs(y) + 1) % 0.7


@program(())
def scaled(x):
    n = 0
    with an.relax.scale(0.5):
        if x > 0:
            n = 1
    return n


@program((), ())
def chained_assignment(x, y):
    a = b = x
    c, (d, e) = y, (a, b)
    a, b = b + 1, a - 1
    return a, b, c, d + e


@program((), 3, "word")
def exact_arguments(x, n, kind):
    total = 0.0
    for _ in range(n):
        if kind == "word" and n is not None:
            total += x
    return total


@program((5,))
def infinity(a):
    best = math.inf
    worst = float("-inf")
    for u in a:
        if u < best:
            best = u
        if u > worst:
            worst = u
    return best, worst


@program((), ())
def assigned_in_one_branch(x, y):
    if x > y:
        z = x
    if x > y:
        y = z
    return y


@program((3,))
def loop_without_state(a):
    for u in a:
        if u > 5:
            return u
    return a[0]


CONSTANT = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


@program((3,))
def tensors_from_outside(a):
    total = 0.0
    for i in range(3):
        if a[i] > 0:
            total += a[i] * CONSTANT[i]
    return total


@program((), (2,))
def writes_after_an_exit(x, a):
    k = 0
    while k < 3 and x < x + x:
        k += 1
        a[0] = x
        if x + x > 0:
            return x, a
    return x, a


@program((4,), ())
def writes_after_a_continue(a, t):
    for i in range(3):
        if a[i] < t:
            continue
        a[i + 1] = a[i] + 1
        if a[i] > t + 1:
            break
        a[0] = 7.0
    return a
