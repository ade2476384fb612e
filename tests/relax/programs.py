"""Programs that the tests relax, written for one example."""

import algonets as an


@an.relax
def bubble_sort(x):
    n = len(x) - 1
    swaps = 0
    swapped = True
    while swapped:
        swapped = False
        for i in range(n):
            if x[i] > x[i + 1]:
                x[i], x[i + 1] = x[i + 1], x[i]
                swapped = True
                swaps += 1
        n -= 1
    return x, swaps


@an.relax
def levenshtein(x, y):
    n, m = len(x), len(y)
    d = [[0.0] * (m + 1) for _ in range(n + 1)]
    for i in range(n + 1):
        d[i][0] = i
    for j in range(m + 1):
        d[0][j] = j
    for i in range(n):
        for j in range(m):
            cost = 0 if an.relax.equal(x[i], y[j]) else 1
            d[i + 1][j + 1] = min(d[i][j + 1] + 1, d[i + 1][j] + 1, d[i][j] + cost)
    return d[n][m]


@an.relax
def bellman_ford(w, sweeps):
    height, width = w.shape
    d = [[100.0] * width for _ in range(height)]
    d[0][0] = w[0, 0]
    for _ in range(sweeps):
        for i in range(height):
            for j in range(width):
                for di, dj in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                    a, b = i + di, j + dj
                    if 0 <= a < height and 0 <= b < width:
                        new = d[a][b] + w[i, j]
                        if new < d[i][j]:
                            d[i][j] = new
    return d[height - 1][width - 1]


@an.relax
def while_halving(x, t):
    n = 0
    while x > t:
        if x > 2 * t + 2:  # noqa: SIM108 - the same program as the golden one
            x = x / 2
        else:
            x = x - 1
        n += 1
    return x, n


@an.relax
def count_equal_and_max(a, v):
    c = 0
    m = -9
    for u in a:
        if u == v:
            c += 1
        if u > m:
            m = u
    return c, m
