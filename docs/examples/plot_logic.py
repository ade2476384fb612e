"""
From gate to circuit to Verilog
===============================

A network of soft logic gates learns a rule, hardens into a circuit, shrinks, and leaves as hardware.
"""

# %%
# A gate between the gates
# ------------------------
# Every function of two bits is a polynomial in two numbers. A soft gate is a mixture of the sixteen:
# here one that moves from "and" to "xor".
import itertools

import matplotlib.pyplot as plt
import torch

from algonets import logic

a, b = torch.meshgrid(torch.linspace(0, 1, 41), torch.linspace(0, 1, 41), indexing="ij")
values = logic.gate_values(a, b)
figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
for axis, share in zip(axes, (0.0, 0.33, 0.67, 1.0), strict=True):
    mixture = (1 - share) * values[..., 1] + share * values[..., 6]
    axis.imshow(mixture.T, origin="lower", extent=(0, 1, 0, 1), vmin=0, vmax=1, cmap="viridis")
    axis.set(title=f"{1 - share:.0%} and, {share:.0%} xor", xlabel="a", ylabel="b")

# %%
# Learning a rule
# ---------------
# A comparator: is the number in the first three bits larger than the number in the other three?
numbers = torch.arange(64)
bits = (numbers[:, None] >> torch.arange(6) & 1).float()
first, second = bits[:, :3] @ torch.tensor([1.0, 2.0, 4.0]), bits[:, 3:] @ torch.tensor([1.0, 2.0, 4.0])
labels = (first > second).long()

generator = torch.Generator().manual_seed(0)
sizes = [6, 60, 60, 40]
layers = [logic.LogicLayer(m, n, initialization="normal", generator=generator) for m, n in itertools.pairwise(sizes)]
net = logic.Sequential(*layers, logic.GroupSum(2, temperature=3.0))
optimiser = torch.optim.Adam(net.parameters(), 0.03)
soft, hard = [], []
for _ in range(150):
    scores = net(bits)
    loss = torch.nn.functional.cross_entropy(scores, labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    soft.append(float((scores.argmax(-1) == labels).float().mean()))
    hard.append(float((logic.compile(net, verify=False).predict(bits) == labels).float().mean()))
figure, axis = plt.subplots(figsize=(6, 3), layout="constrained")
axis.plot(soft, label="soft gates", color="#d9902f")
axis.plot(hard, label="hard gates", color="#1f3b73")
axis.set(xlabel="step", ylabel="right", title="64 comparisons of two numbers")
axis.legend(frameon=False)

# %%
# The circuit
# -----------
# Constants, wires and equal gates go. The outputs stay the same for every input.
circuit = logic.compile(net)
print(circuit)
print(circuit.stats())
print("equal to the hardened network:", torch.equal(circuit(bits), logic.harden(net)(bits)))

# %%
# Which gates were learned, before simplification:
counts = sum(layer.gates().bincount(minlength=16) for layer in layers)
figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
axis.barh(logic.GATES[::-1], counts.flip(0), color="#1f3b73")
axis.tick_params(axis="y", labelsize=8)
axis.set(xlabel="gates")

# %%
# Hardware
# --------
# The same circuit as Verilog, with a testbench that holds inputs and expected outputs.
verilog = logic.to_verilog(circuit, "larger")
print("\n".join(verilog.splitlines()[:14]))
print("...")
print("\n".join(logic.to_testbench(circuit, bits[:3], "larger").splitlines()[-8:]))

# %%
# And as C, 64 examples a word:
print("\n".join(logic.to_c(circuit, "larger").splitlines()[8:18]))
plt.show()
