"""What importing the package does not do, and the package without its compiled kernels."""

import json
import os
import subprocess
import sys
import textwrap

import torch

import algonets as an
from algonets.dp import LinearChain

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def python(code: str) -> subprocess.CompletedProcess:
    """Run a script in a fresh interpreter, with a generous limit."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=ENVIRONMENT)


def test_import_is_quiet():
    """No network, no CUDA, no random state, no optional package, under a second of processor time beyond torch."""
    done = python("""
        import json, pickle, random, socket, sys, time
        import numpy, torch

        def refuse(*args, **kwargs):
            raise AssertionError("the import opened a socket")

        socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
        state = lambda: pickle.dumps((random.getstate(), numpy.random.get_state(), torch.get_rng_state().tolist()))
        settings = lambda: (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled())
        before, set_before, loaded, start = state(), settings(), set(sys.modules), time.process_time()
        import algonets
        seconds = time.process_time() - start
        new = set(sys.modules) - loaded
        print(json.dumps({
            "seconds": seconds,
            "random": state() == before,
            "settings": settings() == set_before,
            "cuda": torch.cuda.is_initialized(),
            "heavy": sorted(new & {
                "lightning", "matplotlib", "scipy", "PIL", "rich", "jsonargparse", "pytest", "triton", "torch._dynamo"
            }),
            "rooms": sorted(n for n in new if n in ("algonets.data", "algonets.cli", "algonets.experiments")),
        }))
    """)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found.pop("seconds") < 1
    assert found == {"random": True, "settings": True, "cuda": False, "heavy": [], "rooms": []}


def test_public_names_exist():
    assert all(hasattr(an, name) for name in an.__all__) and an.__version__
    assert sorted(an.__all__) == list(an.__all__)


def factors() -> list[torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=g, dtype=torch.float64) for shape in ((3, 6, 4), (4, 4))]


def test_without_the_compiled_kernels():
    """Everything works on plain torch, with the same values and gradients, and says so."""
    done = python("""
        import contextlib, io, json, sys
        sys.modules["algonets._native"] = None  # as if it had not been built
        import torch
        import algonets as an
        from algonets.dp import LinearChain
        g = torch.Generator().manual_seed(0)
        unary, transition = (torch.randn(*s, generator=g, dtype=torch.float64) for s in ((3, 6, 4), (4, 4)))
        unary.requires_grad_()
        chain = LinearChain(unary, transition)
        z = chain.log_partition()
        (grad,) = torch.autograd.grad(z.sum(), unary)
        refused = ""
        try:
            an.backend("native")
        except RuntimeError as error:
            refused = str(error)
        from algonets.cli import main
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            codes = main(["doctor"]), main(["bench"])
        print(json.dumps({
            "status": an.native_status(), "refused": refused, "codes": codes, "out": out.getvalue(),
            "err": err.getvalue(), "z": z.tolist(), "grad": grad.tolist(), "best": chain.argmax().tolist(),
            "drawn": chain.sample(2, torch.Generator().manual_seed(3)).tolist(),
        }))
    """)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    unary, transition = factors()
    unary.requires_grad_()
    chain = LinearChain(unary, transition)
    z = chain.log_partition()
    torch.testing.assert_close(torch.tensor(found["z"], dtype=torch.float64), z)
    torch.testing.assert_close(torch.tensor(found["grad"], dtype=torch.float64), torch.autograd.grad(z.sum(), unary)[0])
    assert found["best"] == chain.argmax().tolist()
    assert found["drawn"] == chain.sample(2, torch.Generator().manual_seed(3)).tolist()
    loaded, why = found["status"]
    assert loaded is False and "algonets._native" in why
    assert why in found["refused"] and "C++ compiler" in found["refused"]
    assert found["codes"] == [0, 1]
    assert "plain torch" in found["out"] and "nothing to compare" in found["out"]
    assert why in found["err"] and "C++ compiler" in found["err"]
