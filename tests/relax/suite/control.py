"""Branches and loops."""

from tests.relax.suite.registry import program


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
