"""The Triton programs of silhouettes against the reference: on a GPU where there is one, else by Triton's interpreter.

The interpreter must be chosen before the programs are imported: they run in a process of their own.
"""

import importlib.util
import itertools
import os
import subprocess
import sys

import pytest
import torch

import algonets as an
from algonets import distributions, tconorms
from algonets.distributions import Cauchy, Logistic
from algonets.render import Rasterizer, icosphere
from algonets.render import _silhouette_triton as gpu
from tests.render.test_silhouette import FOLDS, draw

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cuda" if torch.cuda.is_available() and not INTERPRETED else "cpu"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="needs triton: pip install -c constraints.txt 'algonets[gpu]'"
)
runs = pytest.mark.skipif(
    not INTERPRETED and DEVICE == "cpu", reason="runs on a GPU, or in the process that test_in_the_interpreter starts"
)
LAWS = [law for law in distributions.ALL if gpu.has(law(), tconorms.Probabilistic())]


@pytest.mark.skipif(INTERPRETED or DEVICE == "cuda", reason="this is that process, or there is a GPU")
@pytest.mark.slow
def test_in_the_interpreter():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "failed" not in done.stdout


@pytest.mark.skipif(INTERPRETED, reason="compiles the programs, which the interpreter does not have")
@pytest.mark.parametrize("dtype", ["fp32", "fp64"])
def test_compiles_for_a_gpu(dtype, tmp_path, monkeypatch):
    """The programs become machine code of one precision, without spilled registers."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton import compile as build
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    programs = gpu._kernels()
    for name, law, fold, squared in (("forward_kernel", 1, 3, True), ("backward_kernel", 2, 0, False)):
        program = getattr(programs, name)
        fixed = {"LAW": law, "FOLD": fold, "SQUARED": squared, **gpu._TILE}
        kinds = dict.fromkeys(("total", "meshes", "height", "width"), "i32") | dict.fromkeys(
            ("ends", "mesh_of"), "*i64"
        )
        kinds |= dict.fromkeys(fixed, "constexpr")
        signature = {arg: kinds.get(arg, f"*{dtype}") for arg in program.arg_names}
        built = build(ASTSource(program, signature, fixed), target=GPUTarget("cuda", 90, 32))
        assert "ld.local" not in built.asm["ptx"] and "st.local" not in built.asm["ptx"]
        assert "arith.truncf" not in built.asm["ttir"]


def test_what_it_has():
    assert len(LAWS) == 13 and not gpu.has(Logistic(), tconorms.Max())
    assert not gpu.available(torch.zeros(1, 1, 3, 2), Logistic(), tconorms.Probabilistic(), 1.0)


def both(faces, scale, law, fold, squared, size=(5, 4), ends=None, tolerance=1e-9):
    """Values and gradients of the programs and of the reference."""
    renderer = Rasterizer(size, law(1.0), fold, squared=squared)
    ends = ends or [0, faces.shape[1]]
    found = []
    for where in (DEVICE, "cpu"):
        given = faces.detach().to(where).requires_grad_()
        scales = scale.detach().to(where).requires_grad_()
        if where == DEVICE and not found:
            image = gpu.silhouette(given, scales, ends, size, renderer.distribution, fold, squared, renderer._cut)
        else:
            with an.backend("torch"):
                image = renderer._silhouette(given, scales, ends) if len(ends) == 2 else None
                if image is None:
                    parts = [
                        Rasterizer(size, law(scales[m]), fold, squared=squared).silhouette(given[0, a:b])
                        for m, (a, b) in enumerate(itertools.pairwise(ends))
                    ]
                    image = torch.stack(parts)[None]
                else:
                    image = torch.stack(
                        [
                            Rasterizer(size, law(scales[b]), fold, squared=squared).silhouette(given[b])
                            for b in range(len(given))
                        ]
                    ).unsqueeze(1)
        weights = torch.linspace(-1, 1, image.numel(), dtype=image.dtype, device=where).view_as(image)
        grads = torch.autograd.grad((image * weights).sum(), (given, scales))
        found.append([t.detach().cpu() for t in (image, *grads)])
    torch.testing.assert_close(found[0], found[1], rtol=tolerance, atol=tolerance)


@runs
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_laws(law):
    for squared in (False, True):
        both(draw(1, 2, 3, 2), torch.tensor([0.2], dtype=torch.float64), law, tconorms.Probabilistic(), squared)


@runs
@pytest.mark.parametrize("fold", [*FOLDS[:-1], tconorms.Hamacher(0.0), tconorms.Frank(0.3)], ids=repr)
def test_folds(fold):
    both(draw(1, 3, 3, 2, seed=1), torch.tensor([0.15], dtype=torch.float64), Logistic, fold, False)
    both(draw(1, 3, 3, 2, seed=1), torch.tensor([0.05], dtype=torch.float64), Cauchy, fold, True)


@runs
def test_single_precision_and_odd_faces():
    point, away = [[0.2, 0.2]] * 3, [[50.0, 50.0], [51.0, 50.0], [50.0, 51.0]]
    hidden = [[float("nan"), 0.0]] * 3
    faces = torch.cat([draw(1, 3, 3, 2, dtype=torch.float32), torch.tensor([[point, away]])], 1)
    both(faces, torch.tensor([0.1]), Logistic, tconorms.Probabilistic(), False, tolerance=1e-4)
    options = ([0, 1], (4, 4), Logistic(), tconorms.Probabilistic(), False, -14.0)
    image = gpu.silhouette(torch.tensor([[hidden]], device=DEVICE), 0.1, *options)
    assert (image == 0).all()


@runs
def test_packed_meshes_and_more_than_one_tile():
    faces, scale = draw(1, 5, 3, 2, seed=4), torch.tensor([0.05, 0.1, 0.02], dtype=torch.float64)
    both(faces, scale, Logistic, tconorms.Probabilistic(), False, size=(11, 19), ends=[0, 2, 2, 5])


@runs
def test_second_derivative():
    faces = draw(1, 2, 3, 2, seed=8).to(DEVICE).requires_grad_()
    options = ([0, 2], (2, 2), Logistic(), tconorms.Probabilistic(), False, -14.0)
    assert torch.autograd.gradgradcheck(lambda f: gpu.silhouette(f, 0.3, *options), (faces,))


@pytest.mark.skipif(DEVICE == "cpu", reason="needs a GPU")
def test_on_a_gpu():
    """A sphere of 1,280 faces: the programs, chunked torch on the GPU, and the CPU agree."""
    sphere = icosphere(3)
    tri = (sphere.vertices * 0.7)[sphere.faces][..., :2]
    found = []
    for where, backend in (("cuda", "auto"), ("cuda", "torch"), ("cpu", "auto")):
        given = tri.double().to(where).requires_grad_()
        with an.backend(backend):
            image = Rasterizer(48, Logistic(0.02)).silhouette(given)
            found.append([image.detach().cpu(), torch.autograd.grad(image.square().sum(), given)[0].cpu()])
    torch.testing.assert_close(found[0], found[1], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(found[0], found[2], rtol=1e-7, atol=1e-9)
