"""A network of gates as generated C, the formulation of difflogic's compiled networks, against the runtime of circuits.

difflogic needs CUDA to install, so its formulation was written anew: one C function in which every gate is a
statement on words of 64 examples, then a ripple-carry count of each class. Compiling 48,000 statements takes minutes,
so there are two steps::

    python benchmarks/bench_logic_compiled.py --write network.c
    gcc -O1 -march=native -shared -fPIC network.c -o network.so
    python benchmarks/bench_logic_compiled.py --library ./network.so --optimisation "gcc -O1"
"""

import argparse
import ctypes
from pathlib import Path

import torch
from _timing import machine, save
from bench_logic import GATES, LAYERS, ROWS, milliseconds, random_network

from algonets import logic

EXPRESSIONS = (
    *("0ULL", "{a} & {b}", "{a} & ~{b}", "{a}", "~{a} & {b}", "{b}", "{a} ^ {b}", "{a} | {b}"),
    *("~({a} | {b})", "~({a} ^ {b})", "~{b}", "{a} | ~{b}", "~{a}", "~{a} | {b}", "~({a} & {b})", "~0ULL"),
)
TAIL = """
void run(const u* words, long width, int* scores) {
  static u in[INPUTS], out[OUTPUTS];
  for (long w = 0; w < width; ++w) {
    for (long i = 0; i < INPUTS; ++i) in[i] = words[i * width + w];
    net(in, out);
    for (long k = 0; k < CLASSES; ++k) {
      u planes[16] = {0};
      for (long g = k * (OUTPUTS / CLASSES); g < (k + 1) * (OUTPUTS / CLASSES); ++g) {
        u carry = out[g];
        for (int d = 0; carry; ++d) { const u next = planes[d] & carry; planes[d] ^= carry; carry = next; }
      }
      for (long s = 0; s < 64; ++s) {
        int sum = 0;
        for (int d = 0; d < 16; ++d) sum |= (int)(planes[d] >> s & 1) << d;
        scores[(w * 64 + s) * CLASSES + k] = sum;
      }
    }
  }
}
"""


def code(network: logic.Sequential) -> str:
    """The network in C."""
    layers = [part for part in network if isinstance(part, logic.LogicLayer)]
    lines = ["typedef unsigned long long u;", "static void net(const u* restrict in, u* restrict out) {"]
    for level, layer in enumerate(layers):
        name = (lambda i: f"in[{i}]") if level == 0 else (lambda i, before=level - 1: f"v{before}_{i}")
        first, second = layer.wiring.tolist()
        for j, (gate, a, b) in enumerate(zip(layer.gates().tolist(), first, second, strict=True)):
            to = f"out[{j}]" if level == len(layers) - 1 else f"const u v{level}_{j}"
            lines.append(f"{to} = {EXPRESSIONS[gate].format(a=name(a), b=name(b))};")
    sizes = {"INPUTS": layers[0].in_features, "OUTPUTS": layers[-1].out_features, "CLASSES": network[-1].classes}
    head = [f"#define {name} {value}L" for name, value in sizes.items()]
    return "\n".join([*head, *lines, "}", TAIL])


def rows_of(library: str, optimisation: str) -> list[dict]:
    """Both on the same packed bits; they must agree."""
    network = random_network()
    circuit = logic.compile(network, simplify=False)
    rows = ROWS // 64 * 64
    x = torch.randint(2, (rows, circuit.features), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    words = circuit.pack(x)
    scores = torch.empty(rows, 10, dtype=torch.int32)
    run = ctypes.CDLL(library).run
    run.argtypes = [ctypes.c_void_p, ctypes.c_long, ctypes.c_void_p]

    def generated() -> None:
        run(words.data_ptr(), words.shape[1], scores.data_ptr())

    generated()
    if not torch.equal(scores, circuit.run_packed(words, rows)):
        raise SystemExit("the generated code and the circuit disagree")
    slow, fast = milliseconds(generated), milliseconds(lambda: circuit.run_packed(words, rows))
    return [
        {
            "network": f"random {LAYERS} x {GATES}, as it is, from bits",
            "algonets M/s": round(rows / fast / 1000, 2),
            "peer": f"generated C (difflogic), {optimisation}",
            "peer M/s": round(rows / slow / 1000, 2),
            "ratio": round(slow / fast, 1),
        }
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", default=None, help="write the C file")
    parser.add_argument("--library", default=None, help="time a compiled one")
    parser.add_argument("--optimisation", default="gcc", help="how it was compiled, for the table")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.write is not None:
        Path(given.write).write_text(code(random_network()))
    if given.library is not None:
        save("logic_compiled", machine(), rows_of(given.library, given.optimisation))


if __name__ == "__main__":
    main()
