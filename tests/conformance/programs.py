"""The dynamic programs beside the linear chain, for the conformance suite: three methods of each stand for the rest.

``tests/dp/test_programs.py`` runs every inherited method of every program against the enumeration.
"""

import math

import torch

from algonets import dp
from algonets.dp import soft_dtw_divergence
from tests.conformance.chains import normal
from tests.conformance.registry import Argument, Operation, exempt, register
from tests.oracles import structures as oracle
from tests.oracles.structures import Structures

BOTH = ("native", "torch")
NO_SCORE = (-math.inf,)
NO_WAY = (math.inf,)


def scores(call, *rejects, shared=False, infinite=NO_SCORE):
    """Return the argument of scores (or costs), which refuses what has too few dimensions."""
    return Argument(call, shared=shared, infinite=infinite, rejects=rejects)


def lengths(call, most, least=1):
    """Return the argument of lengths."""
    return Argument(call, integer=True, rejects=(lambda n: n * 0 + least - 1, lambda n: n + most, lambda n: n[None]))


def drawn_lengths(generator, batch, most, least=1):
    """Draw lengths from ``least`` to ``most``."""
    return torch.randint(least, most + 1, batch, generator=generator)


def tupled(value):
    """Return a tuple."""
    return value if isinstance(value, tuple) else (value,)


def program(name, summary, build, arguments, inputs, structures, factors=None, **promises):
    """Register ``log_partition``, ``max`` and ``marginals`` of a program.

    ``structures`` and ``factors`` take the arguments of one example.
    """
    factors = factors or (lambda *args: args[: len(args) - sum(a.integer for a in arguments)])

    def enumeration(method):
        def find(*args):
            found = getattr(Structures(factors(*args), structures(*args)), method)()
            return found

        return find

    defaults = {
        "arguments": arguments,
        "inputs": inputs,
        "backends": BOTH,
        "half": "float32",
        "reference": "",
        "row": f"dp.{name}",
    }
    methods = (("log_partition", "any order", ("analytic",)), ("max", "piecewise linear", ("pool",)))
    for method, level, ways in (*methods, ("marginals", "any order", ("analytic",))):
        own = {
            "name": f"dp.{name}.{method}",
            "summary": summary,
            "function": lambda *args, method=method: getattr(build(*args), method)(),
            "differentiability": level,
            "oracle": promises.get("oracle", enumeration)(method),
            "ways": ways,
        }
        rest = {key: value for key, value in promises.items() if key != "oracle"}
        register(Operation(**(defaults | own | rest)))
    exempt(f"dp.{name}.*", "inherited or a view of argmax(): tests/dp/test_programs.py runs all of them")


program(
    "SemiMarkov",
    "Segmentations with labels",
    dp.SemiMarkov,
    (
        scores("SemiMarkov(segment)", lambda u: u[..., :0]),
        scores("SemiMarkov(transition)", lambda a: a[:1], shared=True),
        lengths("SemiMarkov(lengths)", 4),
    ),
    lambda g, dtype, batch: (normal(g, dtype, *batch, 4, 2, 2), normal(g, dtype, 2, 2), drawn_lengths(g, batch, 4)),
    lambda u, a, n: oracle.segmentations(int(n), 2, 2),
    cost="O(T (K S + S²))",
    reference="Sarawagi, Cohen 2004",
)
program(
    "HMM",
    "Hidden state sequences",
    dp.HMM,
    (
        scores("HMM(initial)", shared=True),
        scores("HMM(transition)", lambda a: a[:1], shared=True),
        scores("HMM(emission)", lambda e: e[:1], shared=True),
        Argument("HMM(observations)", integer=True, rejects=(lambda x: x + 3, lambda x: x - 3)),
        lengths("HMM(lengths)", 3),
    ),
    lambda g, dtype, batch: (
        *(normal(g, dtype, *shape) for shape in ((2,), (2, 2), (2, 3))),
        torch.randint(3, (*batch, 3), generator=g),
        drawn_lengths(g, batch, 3),
    ),
    lambda i, a, e, x, n: oracle.hidden_states(int(n), 2),
    lambda i, a, e, x, n: (i, a, e[:, torch.where(torch.arange(3) < n, x, 0)].T),
    cost="O(T S²)",
    reference="Rabiner 1989",
)
program(
    "SecondOrderChain",
    "Label sequences whose transitions see three labels",
    dp.SecondOrderChain,
    (
        scores("SecondOrderChain(unary)", lambda u: u[..., :0]),
        scores("SecondOrderChain(transition)", lambda a: a[:1], shared=True),
        lengths("SecondOrderChain(lengths)", 4),
    ),
    lambda g, dtype, batch: (normal(g, dtype, *batch, 4, 2), normal(g, dtype, 2, 2, 2), drawn_lengths(g, batch, 4)),
    lambda u, a, n: oracle.second_order_labels(int(n), 2),
    cost="O(T S³)",
    reference="Thede, Harper 1999",
)
program(
    "EditDistance",
    "Edit scripts between two sequences",
    dp.EditDistance,
    (
        scores("EditDistance(cost)", infinite=NO_WAY),
        scores("EditDistance(insert)", lambda x: x[..., :1], infinite=NO_WAY),
        scores("EditDistance(delete)", lambda x: x[..., :1], infinite=NO_WAY),
        lengths("EditDistance(lengths)", 4, 0),
        lengths("EditDistance(target_lengths)", 4, 0),
    ),
    lambda g, dtype, batch: (
        *(normal(g, dtype, *batch, *shape) for shape in ((3, 3), (3,), (3,))),
        drawn_lengths(g, batch, 3, 0),
        drawn_lengths(g, batch, 3, 0),
    ),
    lambda c, i, d, n, m: oracle.edit_scripts(int(n), int(m)),
    lambda c, i, d, n, m: (-c, -d, -i),
    cost="O(n m)",
    reference="Wagner, Fischer 1974",
)
for name, kind, enumerate_all, source in (
    ("NeedlemanWunsch", dp.NeedlemanWunsch, oracle.global_alignments, "Needleman, Wunsch 1970; Gotoh 1982"),
    ("SmithWaterman", dp.SmithWaterman, oracle.local_alignments, "Smith, Waterman 1981"),
):
    program(
        name,
        "Global alignments" if name == "NeedlemanWunsch" else "Local alignments",
        kind,
        (
            scores(f"{name}(match)", lambda x: x[..., :0]),
            scores(f"{name}(gap_open)"),
            scores(f"{name}(gap_extend)"),
            lengths(f"{name}(lengths)", 3),
            lengths(f"{name}(target_lengths)", 3),
        ),
        lambda g, dtype, batch: (
            normal(g, dtype, *batch, 2, 3),
            *(normal(g, dtype, *batch, 1)[..., 0] for _ in range(2)),
            drawn_lengths(g, batch, 2),
            drawn_lengths(g, batch, 3),
        ),
        lambda c, i, d, n, m, every=enumerate_all: every(int(n), int(m), True),
        cost="O(n m)",
        reference=source,
    )
program(
    "SoftDTW",
    "Monotone alignments of two series",
    lambda d, n, m: dp.SoftDTW(d, 0.5, n, m),
    (
        scores("SoftDTW(distances)", lambda d: d[..., :0], infinite=NO_WAY),
        lengths("SoftDTW(lengths)", 4),
        lengths("SoftDTW(target_lengths)", 4),
    ),
    lambda g, dtype, batch: (
        normal(g, dtype, *batch, 4, 3),
        drawn_lengths(g, batch, 4),
        drawn_lengths(g, batch, 3),
    ),
    lambda d, n, m: oracle.warping_paths(int(n), int(m)),
    lambda d, n, m: (-d / 0.5,),
    cost="O(n m)",
    reference="Cuturi, Blondel 2017",
)
register(
    Operation(
        name="dp.SoftDTW.value",
        summary="Soft-DTW and its expected alignment",
        function=lambda d, n, m: (dp.SoftDTW(d, 0.5, n, m).value(), dp.SoftDTW(d, 0.5, n, m).alignment()),
        arguments=(
            scores("SoftDTW(distances)", lambda d: d[..., :0], infinite=NO_WAY),
            lengths("SoftDTW(lengths)", 4),
            lengths("SoftDTW(target_lengths)", 4),
        ),
        inputs=lambda g, dtype, batch: (
            normal(g, dtype, *batch, 4, 3),
            drawn_lengths(g, batch, 4),
            drawn_lengths(g, batch, 3),
        ),
        differentiability="any order",
        oracle=lambda d, n, m: (
            -Structures((-d,), oracle.warping_paths(int(n), int(m))).log_partition(0.5),
            Structures((-d / 0.5,), oracle.warping_paths(int(n), int(m))).marginals()[0],
        ),
        backends=BOTH,
        ways=("analytic",),
        half="float32",
        cost="O(n m)",
        reference="Cuturi, Blondel 2017",
    )
)


def divergence(x, y):
    """Return the divergence by enumeration."""

    def value(a, b):
        distances = ((a[:, None] - b) ** 2).sum(-1)
        return -Structures((-distances,), oracle.warping_paths(len(a), len(b))).log_partition(0.5)

    return value(x, y) - (value(x, x) + value(y, y)) / 2


register(
    Operation(
        name="dp.soft_dtw_divergence",
        summary="Soft-DTW divergence of two series: zero where they are equal",
        function=lambda x, y: soft_dtw_divergence(x, y, 0.5),
        arguments=(
            Argument("soft_dtw_divergence(x)", gaps={"nan": "the SoftDTW of its distances refuses it by its own name"}),
            Argument(
                "soft_dtw_divergence(y)",
                rejects=(lambda y: y[..., :1],),
                gaps={"nan": "the SoftDTW of its distances refuses it by its own name"},
            ),
        ),
        inputs=lambda g, dtype, batch: (normal(g, dtype, *batch, 3, 2), normal(g, dtype, *batch, 2, 2)),
        differentiability="any order",
        oracle=divergence,
        backends=BOTH,
        ways=("analytic",),
        half="float32",
        cost="O(n m + n² + m²)",
        reference="Blondel, Mensch, Vert 2021",
    )
)
program(
    "CTC",
    "Labellings of frames that spell a target",
    dp.CTC,
    (
        scores("CTC(log_probs)", lambda x: x[..., :0]),
        Argument("CTC(targets)", integer=True, rejects=(lambda y: y * 0, lambda y: y + 2)),
        lengths("CTC(lengths)", 4),
        lengths("CTC(target_lengths)", 4, 0),
    ),
    lambda g, dtype, batch: (
        normal(g, dtype, *batch, 4, 3),
        torch.randint(1, 3, (*batch, 2), generator=g),
        drawn_lengths(g, batch, 4, 3),
        drawn_lengths(g, batch, 2, 1),
    ),
    lambda x, y, n, m: oracle.ctc_labellings(int(n), 3, y[: int(m)].tolist()),
    lambda x, y, n, m: (x,),
    cost="O(T L)",
    reference="Graves et al. 2006",
)
program(
    "CKY",
    "Binary trees with labelled spans",
    dp.CKY,
    (scores("CKY(scores)", lambda x: x[..., :0], lambda x: x[..., :2, :]), lengths("CKY(lengths)", 3)),
    lambda g, dtype, batch: (normal(g, dtype, *batch, 3, 3, 2), drawn_lengths(g, batch, 3)),
    lambda x, n: oracle.trees_of_spans(int(n), 2),
    cost="O(n² (n + L))",
    reference="Baker 1979; Stern et al. 2017",
)
program(
    "PCFG",
    "Derivations of a context-free grammar",
    dp.PCFG,
    (
        scores("PCFG(terms)", lambda x: x[..., :0]),
        scores("PCFG(rules)", lambda x: x[:, :2], shared=True),
        scores("PCFG(roots)", shared=True),
        lengths("PCFG(lengths)", 3),
    ),
    lambda g, dtype, batch: (
        normal(g, dtype, *batch, 3, 1),
        normal(g, dtype, 2, 3, 3),
        normal(g, dtype, 2),
        drawn_lengths(g, batch, 3, 2),
    ),
    lambda x, r, s, n: oracle.derivations(int(n), 2, 1),
    cost="O(n³ N S²)",
    reference="Lari, Young 1990",
)
for name, kind, summary, projective in (
    ("ProjectiveDependency", dp.ProjectiveDependency, "Projective dependency trees", True),
    ("SpanningTreeDependency", dp.SpanningTreeDependency, "All dependency trees", False),
):
    program(
        name,
        summary,
        kind,
        (
            scores(f"{name}(scores)", lambda x: x[..., :0], lambda x: x[..., :2]),
            lengths(f"{name}(lengths)", 3),
        ),
        lambda g, dtype, batch: (normal(g, dtype, *batch, 3, 3), drawn_lengths(g, batch, 3)),
        lambda x, n, projective=projective: oracle.trees_of_heads(int(n), projective, True),
        cost="O(n³)" if projective else "O(n⁴)",
        reference="Eisner 1996" if projective else "Koo et al. 2007; Edmonds 1967",
        **({} if projective else {"backends": ("torch",)}),
    )


def symbols(call):
    """Return the argument of a sequence of symbols."""
    return Argument(call, integer=True)


def weighted(x, y, n, m):
    """Return the distance by enumeration."""
    cost = (x[:, None] != y).double()
    return -Structures((-cost, -torch.ones(len(x)), -torch.ones(len(y))), oracle.edit_scripts(int(n), int(m))).max()


register(
    Operation(
        name="dp.edit_distance",
        summary="Edit distance of integer sequences",
        function=lambda x, y, n, m: dp.edit_distance(x, y, lengths=n, target_lengths=m),
        arguments=(
            symbols("edit_distance(source)"),
            symbols("edit_distance(target)"),
            lengths("edit_distance(lengths)", 4, 0),
            lengths("edit_distance(target_lengths)", 4, 0),
        ),
        inputs=lambda g, dtype, batch: (
            torch.randint(3, (*batch, 3), generator=g),
            torch.randint(3, (*batch, 3), generator=g),
            drawn_lengths(g, batch, 3, 0),
            drawn_lengths(g, batch, 3, 0),
        ),
        differentiability="none",
        oracle=weighted,
        backends=BOTH,
        dtype=torch.float64,
        cost="O(n m / 64)",
        reference="Levenshtein 1966; Myers 1999",
    )
)
exempt("dp.DynamicProgram", "the base of all programs; they are tested")
exempt("dp.DynamicProgram.*", "the base of all programs; they are tested")


def path_sums(score):
    """Return the log-sum and the maximum over all label sequences of frames."""
    every = torch.cartesian_prod(*score).reshape(-1, len(score)).sum(1)
    return torch.logsumexp(every, 0), every.max()


def all_sequences(x):
    """Return the log-sum and the maximum of lattices of all label sequences."""
    whole = isinstance(x, torch.Tensor)
    lattice = dp.Lattice.from_scores(x.reshape(-1, 3, 2) if whole else x)
    return lattice.forward().reshape(x.shape[:-2]), lattice.max().reshape(x.shape[:-2])


NO_MAP = "documented: automata are built on the host, from numbers of states and arcs"
register(
    Operation(
        name="dp.Lattice.forward",
        summary="Sum and best path over all paths of weighted automata",
        function=all_sequences,
        arguments=(scores("Lattice.from_scores(scores)"),),
        inputs=lambda g, dtype, batch: (normal(g, dtype, *batch, 3, 2),),
        differentiability="piecewise linear",
        oracle=path_sums,
        backends=BOTH,
        ways=("pool", "analytic"),
        half="float32",
        cost="O(arcs)",
        reference="Bottou, LeCun, Bengio 1997; Mohri 2009",
        gaps={"vmap": NO_MAP, "compile": NO_MAP},
    )
)
exempt("dp.Lattice.*", "takes automata, not tensors: tests/dp/test_lattice.py")
exempt("dp.prefix_beam_search", "returns lists: tests/dp/test_ctc.py compares it with the enumeration")
exempt("dp.soft_dtw_barycenter", "an optimisation over one set of series: tests/dp/test_soft_dtw.py")
