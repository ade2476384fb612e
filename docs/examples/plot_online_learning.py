"""
Learning online
===============

A recurrent system learns while it runs, without remembering its past: the derivative of the state with respect to the
parameters is carried along, exactly or as a random image of the size of the parameters.
"""

# %%
# Unbiased and noisy
# ------------------
# The gradient of one loss after eight steps: exact by RTRL, which equals backpropagation; a thousand draws of UORO
# and of NoBackTrack. Their means are right, single draws are far off.

import matplotlib.pyplot as plt
import torch

from algonets.training import RTRL, UORO, NoBackTrack

plt.rcParams.update({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 120})

torch.manual_seed(0)
cell = torch.nn.RNNCell(2, 4).double()
inputs, weights = torch.randn(8, 2, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
start = torch.zeros(4, dtype=torch.float64)


def gradient(learner):
    """One entry of the gradient after all inputs."""
    for x in inputs:
        learner.advance(x)
    return learner.gradient(weights)["weight_hh"][0, 1].item()


exact = gradient(RTRL(cell, start))
figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
for method, colour in ((UORO, "#c0392b"), (NoBackTrack, "#1f3b73")):
    learner = method(cell, start, samples=1000, generator=torch.Generator().manual_seed(0))
    mean = gradient(learner)
    signal = torch.einsum("s,kbs->kb", weights, learner._estimate.state)[:, 0]
    draws = signal * learner._estimate.theta[:, 0].reshape(1000, -1)[:, 8 + 1]  # weight_hh[0, 1], after 8 of weight_ih
    title = f"{method.__name__}: mean {mean:.3f}, deviation {draws.std():.2f}"
    axes.hist(draws.clamp(-6, 6), bins=60, range=(-6, 6), histtype="step", lw=1.6, color=colour, label=title)
axes.axvline(exact, color="black", lw=1, label=f"exact {exact:.3f}")
axes.set(xlabel="estimate of one entry of the gradient", ylabel="draws", yscale="log")
axes.legend(frameon=False)
plt.show()

# %%
# A leak that is learned
# ----------------------
# A leaky sum of inputs; the leak of the system that made the data is to be found. The data are never stored.

true, rate = 0.8, 0.03
leak = torch.tensor([0.2], requires_grad=True)


def leaky(parameters, x, s):
    """One step."""
    return parameters["leak"] * s + x


learner = UORO(leaky, torch.zeros(8, 1), {"leak": leak}, generator=torch.Generator().manual_seed(0))
generator, wanted, path = torch.Generator().manual_seed(1), torch.zeros(8, 1), []
for _ in range(400):
    x = torch.randn(8, 1, generator=generator)
    wanted = true * wanted + x
    state = learner.advance(x)
    step = learner.gradient((state - wanted) / 8)["leak"]
    leak.data -= rate * step.clamp(-1, 1)
    path.append(leak.item())

figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
axes.plot(path, color="#1f3b73")
axes.axhline(true, color="0.7", ls="--")
axes.set(xlabel="steps", ylabel="leak")
plt.show()
