"""The linear chain against pytorch-crf and torch-struct, in one process, on one thread.

Install the peers first (``make bench`` does): pip install --no-deps -r benchmarks/peers.txt
"""

import warnings

import torch
from _timing import machine, milliseconds, save
from torch_struct import LinearChainCRF
from torchcrf import CRF as PeerCRF

from algonets.dp import CRF, LinearChain

BATCH = 32
SIZES = [(26, 10), (26, 100), (26, 1000), (128, 100), (128, 1000)]


def layers(states: int) -> tuple[CRF, PeerCRF]:
    """Our layer and the peer's, with the same scores."""
    torch.manual_seed(0)
    ours, peer = CRF(states), PeerCRF(states, batch_first=True)
    peer.load_state_dict({"start_transitions": ours.start, "end_transitions": ours.end, "transitions": ours.transition})
    return ours, peer


def likelihood(states: int, steps: int) -> dict:
    """Negative log-likelihood and all gradients: the whole training step of the layer."""
    ours, peer = layers(states)
    unary = torch.randn(BATCH, steps, states).requires_grad_()
    labels = torch.randint(states, (BATCH, steps))

    def step(layer, loss):
        def run():
            unary.grad = None
            layer.zero_grad()
            loss().backward()

        return run

    our_step = step(ours, lambda: ours(unary, labels, reduction="sum"))
    peer_step = step(peer, lambda: -peer(unary, labels))
    torch.testing.assert_close(ours(unary, labels, reduction="sum"), -peer(unary, labels), rtol=1e-4, atol=1e-2)
    return row("CRF loss, forward + backward", "pytorch-crf", states, steps, our_step, peer_step)


def decoding(states: int, steps: int) -> dict:
    ours, peer = layers(states)
    unary = torch.randn(BATCH, steps, states)
    with torch.no_grad():
        agree = ours.decode(unary) == torch.tensor(peer.decode(unary))
        if agree.float().mean() < 0.999:
            raise RuntimeError("decoded paths differ")
        ours_job, peer_job = (lambda: ours.decode(unary)), (lambda: peer.decode(unary))
        return row("decode (Viterbi)", "pytorch-crf", states, steps, ours_job, peer_job)


def marginals(states: int, steps: int) -> dict:
    """All pairwise marginals; torch-struct takes a dense edge tensor, which is made outside the timing."""
    unary, transition = torch.randn(BATCH, steps, states), torch.randn(states, states)
    edges = dense_edges(unary, transition)
    ours = lambda: LinearChain(unary, transition).marginals()  # noqa: E731
    peer = lambda: LinearChainCRF(edges).marginals  # noqa: E731
    torch.testing.assert_close(ours()[1].mT, peer(), rtol=1e-3, atol=1e-4)
    return row("pairwise marginals", "torch-struct", states, steps, ours, peer)


def sampling(states: int, steps: int) -> dict:
    unary, transition = torch.randn(BATCH, steps, states), torch.randn(states, states)
    edges = dense_edges(unary, transition)
    ours = lambda: LinearChain(unary, transition).sample(1)  # noqa: E731
    peer = lambda: LinearChainCRF(edges).sample((1,))  # noqa: E731
    return row("one sample a sequence", "torch-struct", states, steps, ours, peer)


def dense_edges(unary: torch.Tensor, transition: torch.Tensor) -> torch.Tensor:
    """(B, T - 1, new, old) scores as torch-struct wants them."""
    edges = transition.T + unary[:, 1:, :, None]
    edges[:, 0] += unary[:, 0, None, :]
    return edges


def row(operation: str, peer_name: str, states: int, steps: int, ours, peer) -> dict:
    fast, slow = milliseconds(ours), milliseconds(peer)
    return {
        "operation": operation,
        "S": states,
        "T": steps,
        "algonets ms": round(fast, 3),
        "peer": peer_name,
        "peer ms": round(slow, 2),
        "ratio": round(slow / fast, 1),
    }


def main() -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    rows = [job(s, t) for job in (likelihood, decoding) for s, t in SIZES]
    rows += [marginals(26, t) for t in (10, 100)] + [sampling(26, t) for t in (10, 100)]
    save("chain", machine("pytorch-crf", "torch-struct"), rows)


if __name__ == "__main__":
    main()
