"""Programs of every construct, each with arguments to try; the oracle is the program itself in plain Python."""

import algonets as an

PROGRAMS = {}


def program(*shapes, **options):
    """Register a relaxed program with the shapes of its arguments for one example (or values that all share)."""

    def register(function):
        relaxed = an.relax(**options)(function)
        PROGRAMS[function.__name__] = (relaxed, shapes)
        return relaxed

    return register
