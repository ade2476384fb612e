"""Algorithms on arrays, reads and writes, builtins, integers."""

import algonets as an
from tests.relax.suite.registry import program


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
