"""The operations of ``algonets.implicit`` with closed forms as oracles, and its solvers and backwards as objects."""

import torch

from algonets import implicit as im
from tests.conformance.registry import PublicObject, exempt, register_object

for name in ("fixed_point", "root", "argmin", "least_squares", "implicit", "quadratic_program", "unroll"):
    exempt(f"implicit.{name}", "takes functions or is a whole solver: tests/implicit has its oracles and its contract")
exempt("implicit.project_*", "those of algonets.projections, for argmin(project=...)")
exempt("implicit.contraction_rate", "a diagnostic of a user's function: tests/implicit/test_fixed_point.py")
exempt("implicit.Solution", "a named tuple of results: tests/implicit/test_fixed_point.py")
exempt("implicit.*Error", "an exception: tests/implicit/test_fixed_point.py")
exempt("implicit.*Warning", "a warning: tests/implicit/test_fixed_point.py")
exempt("implicit.DEQ*", "a module around a user's step: tests/implicit/test_deq.py tests copies, state and gradients")


def cosine(x, **choice):
    return im.fixed_point(lambda z: 0.5 * torch.cos(z) + x, torch.zeros_like(x), **choice).value


X = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)


def quadratic(solver):
    return im.argmin(lambda x: (x - X).square().sum(-1), torch.zeros_like(X), solver=solver).value


def line(solver):
    return im.least_squares(lambda x: 2 * x - X, torch.zeros_like(X), solver=solver).value


OBJECTS = {
    "Anderson": (lambda: im.Anderson(memory=3), lambda s: cosine(X, solver=s), "memory=3"),
    "Broyden": (lambda: im.Broyden(memory=4), lambda s: cosine(X, solver=s), "memory=4"),
    "Picard": (lambda: im.Picard(0.9), lambda s: cosine(X, solver=s), "0.9"),
    "Newton": (lambda: im.Newton(backtracking=5), lambda s: cosine(X, solver=s), "backtracking=5"),
    "LBFGS": (lambda: im.LBFGS(memory=3), quadratic, "memory=3"),
    "GaussNewton": (lambda: im.GaussNewton(3), line, "3"),
    "LevenbergMarquardt": (lambda: im.LevenbergMarquardt(0.1), line, "0.1"),
    "GMRES": (lambda: im.GMRES(restart=7), lambda a: cosine(X, backward=im.Implicit(a)), "restart=7"),
    "NormalCG": (lambda: im.NormalCG(77), lambda a: cosine(X, backward=im.Implicit(a)), "77"),
    "Dense": (im.Dense, lambda a: cosine(X, backward=im.Implicit(a)), "Dense()"),
    "Implicit": (lambda: im.Implicit(im.Dense(), order=1), lambda b: cosine(X, backward=b), "order=1"),
    "Unroll": (im.Unroll, lambda b: cosine(X, backward=b), "Unroll()"),
    "Checkpoint": (lambda: im.Checkpoint(4), lambda b: cosine(X, backward=b), "every=4"),
    "Truncated": (lambda: im.Truncated(3), lambda b: cosine(X, backward=b), "k=3"),
    "OneStep": (lambda: im.OneStep(0.5), lambda b: cosine(X, backward=b), "bias=0.5"),
}
for name, (make, use, shown) in OBJECTS.items():
    register_object(PublicObject(name=f"implicit.{name}", make=make, use=use, shows=(shown,)))
register_object(
    PublicObject(
        name="implicit.ProjectedGradient",
        make=lambda: im.ProjectedGradient(0.3),
        use=lambda s: (
            im.argmin(
                lambda x: (x - X).square().sum(-1), torch.zeros_like(X), project=im.project_simplex, solver=s
            ).value
        ),
        shows=("0.3",),
    )
)
