"""The sixteen gates, alone and in layers, against golden vectors and truth tables."""

import itertools

import pytest
import torch

from algonets.logic import COEFFICIENTS, GATES, TABLES, GroupSum, LogicLayer, Sequential, gate_values, harden
from tests import golden

PYTHON = {
    **{"false": lambda a, b: False, "a and b": lambda a, b: a and b, "a and not b": lambda a, b: a and not b},
    **{"a": lambda a, b: a, "not a and b": lambda a, b: not a and b, "b": lambda a, b: b},
    **{"a xor b": lambda a, b: a != b, "a or b": lambda a, b: a or b, "a nor b": lambda a, b: not (a or b)},
    **{"a xnor b": lambda a, b: a == b, "not b": lambda a, b: not b, "a or not b": lambda a, b: a or not b},
    **{"not a": lambda a, b: not a, "not a or b": lambda a, b: not a or b, "a nand b": lambda a, b: not (a and b)},
    **{"true": lambda a, b: True},
}


def test_names_say_what_the_gates_do():
    assert tuple(PYTHON) == GATES
    for a, b in itertools.product((0, 1), repeat=2):
        values = gate_values(torch.tensor(float(a)), torch.tensor(float(b)))
        assert values.tolist() == [float(function(bool(a), bool(b))) for function in PYTHON.values()]
        assert TABLES[:, 2 * a + b].tolist() == values.tolist()


def test_bad_arguments():
    with pytest.raises(ValueError, match="broadcast"):
        gate_values(torch.zeros(2), torch.zeros(3))
    with pytest.raises(TypeError, match="dtype of a"):
        gate_values(torch.zeros(2), torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize("case", golden.select("logic", "gates"))
def test_golden_gates(case):
    inputs = {name: value.requires_grad_() for name, value in case.inputs.items()}
    ours = {"value": gate_values(inputs["a"], inputs["b"]).movedim(-1, 0)}
    case.check_outputs(ours)
    case.check_grads(ours, inputs)


def layer_of(logits, wiring, in_features):
    layer = LogicLayer(in_features, len(logits), wiring=wiring.long()).double()
    layer.weights = torch.nn.Parameter(logits.clone())
    return layer


@pytest.mark.parametrize("case", golden.select("logic", "soft_gate_layer"))
def test_golden_layer(case):
    """The gates of a layer as columns of one: features 2 j and 2 j + 1 enter gate j."""
    inputs = {name: value.clone().requires_grad_() for name, value in case.inputs.items()}
    n = len(case.inputs["logits"])
    coefficients = inputs["logits"].softmax(-1) @ COEFFICIENTS
    ours = (gate_values(inputs["a"], inputs["b"]) * inputs["logits"].softmax(-1)).sum(-1)
    case.check_outputs({"y": ours})
    case.check_grads({"y": ours}, inputs)
    layer = layer_of(case.inputs["logits"], torch.arange(2 * n).reshape(n, 2).T, 2 * n)
    x = torch.stack((case.inputs["a"], case.inputs["b"]), -1).flatten(1)
    case.check_outputs({"y": layer(x)})
    torch.testing.assert_close(layer.coefficients(torch.float64), coefficients)


@pytest.mark.parametrize("case", golden.select("logic", "logic_network"))
def test_golden_network(case):
    x = case.inputs["x"].clone().requires_grad_()
    dims = case.meta["dims"]
    layers = [layer_of(case.inputs[f"logits{k}"], case.inputs[f"wiring{k}"], dims[k]) for k in range(3)]
    last, sums = Sequential(*layers), Sequential(*layers, GroupSum(case.meta["group_sum_k"], case.meta["tau"]))
    ours = {"last_layer": last(x), "group_sum": sums(x)}
    case.check_outputs(ours)
    inputs = {"x": x} | {f"logits{k}": layer.weights for k, layer in enumerate(layers)}
    case.check_grads(ours, inputs)
    bits = case.inputs["bits"].double()
    case.check_outputs({"hard_last_layer": harden(last)(bits), "hard_group_sum": harden(sums)(bits)})
    for k, layer in enumerate(layers):
        assert torch.equal(layer.gates(), case.outputs[f"gate{k}"].long())
