"""Trees, segmentations, alignments, soft-DTW and edit distances against golden vectors, on both backends."""

import math

import pytest
import torch

from algonets.dp import (
    CKY,
    PCFG,
    NeedlemanWunsch,
    ProjectiveDependency,
    SemiMarkov,
    SmithWaterman,
    SoftDTW,
    SpanningTreeDependency,
    edit_distance,
)
from tests.golden import select


def check(case, program, marginals, argmax, inputs, name="marginals"):
    case.check_outputs({"max_score": program.max()} | ({"argmax": argmax} if "argmax" in case.outputs else {}))
    ours = {"log_partition": program.log_partition(), name: marginals, "entropy": program.entropy()}
    case.check_outputs(ours)
    case.check_grads(ours, inputs)


def leaves(case):
    return {name: value.clone().requires_grad_() for name, value in case.inputs.items()}


@pytest.mark.parametrize("case", select("structures", "cky_tree_crf"))
def test_cky(any_backend, case):
    x = leaves(case)
    program = CKY(x["phi"])
    check(case, program, program.marginals(), program.argmax(), x)


@pytest.mark.parametrize("case", select("structures", "cfg_inside"))
def test_pcfg(any_backend, case):
    x = leaves(case)
    ours = {"log_partition": PCFG(x["terms"], x["rules"], x["roots"]).log_partition()}
    case.check_outputs(ours)
    case.check_grads(ours, x)


@pytest.mark.parametrize("case", select("structures", "dependency"))
def test_dependency(any_backend, case):
    x = leaves(case)
    kind = ProjectiveDependency if case.meta["projective"] else SpanningTreeDependency
    program = kind(x["phi"], single_root=case.meta["single_root"])
    check(case, program, program.marginals(), program.argmax(), x)
    assert (program.count() == case.meta["structures"]).all()
    assert torch.equal(program.parts(program.heads()), program.argmax())


@pytest.mark.parametrize("case", select("structures", "semi_markov"))
def test_semi_markov(any_backend, case):
    x = leaves(case)
    phi = x["phi"]  # [start, length, new, old]: labels sit on boundaries, so that a first step chooses the first
    batch, steps, sizes, states, _ = phi.shape
    segment = phi.new_zeros(batch, steps + 1, sizes - 1, states)
    segment[:, 0, 1:] = -math.inf
    first = phi.new_zeros(batch, 1, sizes - 1, states, states)
    program = SemiMarkov(segment, torch.cat([first, phi[:, :, 1:].transpose(-1, -2)], 1))

    def theirs(parts):
        moved = parts[1][:, 1:].transpose(-1, -2)
        return torch.cat([torch.zeros_like(moved[:, :, :1]), moved], 2)

    check(case, program, theirs(program.marginals()), theirs(program.argmax()), x)


@pytest.mark.parametrize("case", select("structures", "alignment_global"))
def test_global_alignment(any_backend, case):
    x = leaves(case)
    program = NeedlemanWunsch(*x.values())
    check(case, program, program.marginals()[0], None, x, "match_marginals")


@pytest.mark.parametrize("case", select("structures", "alignment_local_max"))
def test_local_alignment(any_backend, case):
    case.check_outputs({"max_score": SmithWaterman(case.inputs["match"], case.inputs["gap"]).max()})


@pytest.mark.parametrize("case", select("structures", "edit_distances"))
def test_edit_distances(any_backend, case):
    x, y = case.inputs["x"].long(), case.inputs["y"].long()
    sizes = {"lengths": (x >= 0).sum(1), "target_lengths": (y >= 0).sum(1)}
    weights = {"ins1_del1_sub1": (1, 1, 1), "ins1_del1_sub2": (1, 1, 2)}
    weights |= {"ins2_del1_sub1": (2, 1, 1), "ins1_del3_sub2": (1, 3, 2)}
    for name, costs in weights.items():
        assert torch.equal(edit_distance(x, y, *costs, **sizes), case.outputs[f"levenshtein_{name}"].double())
    indel = edit_distance(x, y, substitute=5, **sizes)
    assert torch.equal(indel, case.outputs["indel"].double())
    assert torch.equal((sizes["lengths"] + sizes["target_lengths"] - indel) / 2, case.outputs["lcs_length"].double())


@pytest.mark.parametrize("case", select("soft_dtw", "soft_dtw"))
def test_soft_dtw(any_backend, case):
    x = leaves(case)
    ours = {"value": SoftDTW(x["D"], case.meta["gamma"]).value()}
    case.check_outputs(ours)
    case.check_grads(ours, x)


@pytest.mark.parametrize("case", select("soft_dtw", "soft_dtw_sq_euclidean"))
def test_soft_dtw_of_points(any_backend, case):
    x = leaves(case)
    distances = ((x["x"].unsqueeze(2) - x["y"].unsqueeze(1)) ** 2).sum(3)
    ours = {"value": SoftDTW(distances, case.meta["gamma"]).value()}
    case.check_outputs(ours)
    case.check_grads(ours, x)
