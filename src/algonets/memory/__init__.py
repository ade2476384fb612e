"""Associative memories: Hopfield networks classical, dense and modern, Hamming's network, key-value memories."""

from algonets.memory.dense import AssociativeMemory, DenseMemory, ModernHopfield
from algonets.memory.hamming import Hamming
from algonets.memory.hopfield import Hopfield
from algonets.memory.key_value import KeyValueMemory
from algonets.memory.layers import HopfieldLookup, HopfieldPooling
from algonets.memory.memory_network import MemoryNetwork, position_encoding
from algonets.memory.packed import pack, packed_hamming_distance, unpack
from algonets.memory.patterns import as_signs, flip, hamming_distance, occlude, overlap
from algonets.memory.rules import hebb, perceptron_rule, pseudo_inverse, storkey

__all__ = [
    "AssociativeMemory",
    "DenseMemory",
    "Hamming",
    "Hopfield",
    "HopfieldLookup",
    "HopfieldPooling",
    "KeyValueMemory",
    "MemoryNetwork",
    "ModernHopfield",
    "as_signs",
    "flip",
    "hamming_distance",
    "hebb",
    "occlude",
    "overlap",
    "pack",
    "packed_hamming_distance",
    "perceptron_rule",
    "position_encoding",
    "pseudo_inverse",
    "storkey",
    "unpack",
]
