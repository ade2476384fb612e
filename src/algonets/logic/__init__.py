"""Networks that are logic circuits: trained by gradient descent, run bit-packed."""

from algonets.logic.circuit import Circuit, compile
from algonets.logic.conv import LogicConv2d
from algonets.logic.export_c import to_c
from algonets.logic.export_netlists import to_aiger, to_blif
from algonets.logic.export_onnx import to_onnx
from algonets.logic.export_verilog import to_testbench, to_verilog
from algonets.logic.gates import COEFFICIENTS, GATES, TABLES, gate_values
from algonets.logic.group_sum import GroupSum
from algonets.logic.hardening import discretization_gap, harden
from algonets.logic.layer import LogicLayer
from algonets.logic.lookup import LookupLayer
from algonets.logic.parametrizations import AbstractParametrization, Fixed, Light4, Softmax16, Walsh4
from algonets.logic.sequential import Sequential
from algonets.logic.thermometer import Binarize, Thermometer
from algonets.logic.wirings import draw_wiring

__all__ = [
    "COEFFICIENTS",
    "GATES",
    "TABLES",
    "AbstractParametrization",
    "Binarize",
    "Circuit",
    "Fixed",
    "GroupSum",
    "Light4",
    "LogicConv2d",
    "LogicLayer",
    "LookupLayer",
    "Sequential",
    "Softmax16",
    "Thermometer",
    "Walsh4",
    "compile",
    "discretization_gap",
    "draw_wiring",
    "gate_values",
    "harden",
    "to_aiger",
    "to_blif",
    "to_c",
    "to_onnx",
    "to_testbench",
    "to_verilog",
]
