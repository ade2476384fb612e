"""The names of ``algonets.relax``: it makes operations out of Python functions, and has none of its own."""

import torch

from tests.conformance.registry import PublicObject, exempt, register_object
from tests.relax import programs

register_object(
    PublicObject(
        name="relax.Relaxed",
        make=lambda: programs.while_halving,
        use=lambda f: f.soft(torch.tensor([5.0, 3.0]), torch.tensor([1.0, 0.5])),
        shows=("while_halving(x, t)",),
    )
)
exempt("relax.Relaxed.*", "it runs the user's program; tests/relax tries programs of every construct as layers")
exempt("relax.Report", "what a call reports, tested in tests/relax/test_layers.py")
exempt("relax.Decision*", "a line of the report")
exempt("relax.scale", "a context manager inside programs, tested in tests/relax/test_merges.py")
exempt("relax.equal", "a comparison inside programs; in plain Python a comparison of two argmax")
exempt("relax.argmin", "a selection inside programs; in plain Python a position")
exempt("relax.argmax", "a selection inside programs; in plain Python a position")
exempt("relax.*Error", "an exception")
exempt("relax.*Warning", "a warning")
