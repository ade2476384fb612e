"""
Which architecture for which purpose
====================================

A first look into the networks of :mod:`algonets.nets`: what a convolution sees, what a gate does over time, and an
algorithm with a network inside. The experiments behind each claim are ``algonets train lenet``, ``sequence``, ``game``
and their like.
"""

# %%
# What is in a picture?
# ---------------------
# A LeNet learns a few hundred digits in seconds. :func:`algonets.nets.features.features` shows what its layers make of
# one of them: first edges, then parts.

import matplotlib.pyplot as plt
import torch
from torch.nn import functional

from algonets.data import Digits
from algonets.nets import LeNet, LSTMCell, Recurrent
from algonets.nets.features import features, kernels
from algonets.nets.search import TreeSearch

plt.rcParams.update({"font.size": 10, "figure.dpi": 110})
torch.manual_seed(0)
digits = Digits()
images = functional.interpolate(digits.images[:, None].float() / 255, (28, 28), mode="bilinear")
net = LeNet()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(150):
    some = torch.randint(len(images), (64,))
    loss = functional.cross_entropy(net(images[some]), digits.labels[some])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

one = images[14:15]
with torch.no_grad():
    seen = features(net, one, ["features.2", "features.5"])
figure, axes = plt.subplots(3, 7, figsize=(9, 4), layout="constrained")
for axis in axes.flat:
    axis.axis("off")
axes[0, 0].imshow(one[0, 0], cmap="gray_r")
axes[0, 0].set_title("digit")
for k in range(6):
    axes[0, k + 1].imshow(kernels(net)[k, 0], cmap="gray")
    axes[1, k + 1].imshow(seen["features.2"][0, k], cmap="gray_r")
    axes[2, k + 1].imshow(seen["features.5"][0, k], cmap="gray_r")
for row, name in ((0, "kernels"), (1, "edges"), (2, "parts")):
    axes[row, 3].set_title(name)
plt.show()

# %%
# What does a sequence say in the end?
# ------------------------------------
# The forget gate of an LSTM decides how long something is remembered. Here it is set by hand, and one number is written
# in the first step.

figure, axes = plt.subplots(figsize=(7, 2.8), layout="constrained")
for bias in (-1.0, 1.0, 3.0, 6.0):
    cell = LSTMCell(1, 1)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.bias_ih[1] = bias  # gates in the order input, forget, new, output
        cell.weight_ih[2] = 5.0
    signal = torch.zeros(40, 1)
    signal[0] = 1.0
    with torch.no_grad():
        axes.plot(
            Recurrent(cell).trace(signal)["memory"][:, 0], label=f"forget gate {torch.sigmoid(torch.tensor(bias)):.2f}"
        )
axes.set(xlabel="steps", ylabel="memory")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)
plt.show()

# %%
# What is the best move?
# ----------------------
# Tree search on a heap of stones: take 1 to 3; who takes the last one wins. Even without a trained network, more
# simulations find the move (leave a multiple of 4); a network that has learnt needs few.


class Nim:
    """The rules, as :class:`algonets.nets.search.Game` wants them."""

    moves = 3

    def start(self):
        return 10

    def allowed(self, heap):
        return range(min(3, heap))

    def play(self, heap, move):
        return heap - 1 - move

    def result(self, heap):
        return None if heap else -1.0

    def encode(self, heap):
        return torch.tensor([float(heap)])


def knows_nothing(heaps):
    return torch.zeros(len(heaps), 3), torch.zeros(len(heaps))


for simulations in (5, 20, 80, 320):
    policy = TreeSearch(Nim(), knows_nothing, simulations)([10]).policy[0]
    print(f"{simulations:4} simulations: take 1, 2, 3 with", " ".join(f"{p:.2f}" for p in policy.tolist()))
