"""Runnable experiments: real data, baselines, fixed seeds; each a subcommand of ``algonets train``.

``EXPERIMENTS`` names them; adding one is adding a line.
"""

EXPERIMENTS = {
    "words": "algonets.experiments.words:WordsExperiment",
    "equilibrium": "algonets.experiments.equilibrium:EquilibriumExperiment",
    "refine": "algonets.experiments.refine:RefineExperiment",
    "babi": "algonets.experiments.babi:BabiExperiment",
    "memory": "algonets.experiments.memory:MemoryExperiment",
    "sort-digits": "algonets.experiments.sort_digits:SortDigitsExperiment",
    "relax-sort": "algonets.experiments.relax:RelaxSortExperiment",
    "relax-edit": "algonets.experiments.relax:RelaxEditExperiment",
    "topk": "algonets.experiments.topk:TopKExperiment",
    "newton-loss": "algonets.experiments.training:NewtonLossExperiment",
    "natural-gradient": "algonets.experiments.training:NaturalGradientExperiment",
    "isaac": "algonets.experiments.training:IsaacExperiment",
    "online-memory": "algonets.experiments.training:OnlineMemoryExperiment",
    "noise": "algonets.experiments.training:NoiseExperiment",
    "compress": "algonets.experiments.training:CompressExperiment",
    "structure": "algonets.experiments.training:StructureExperiment",
    "domain-adversary": "algonets.experiments.training:DomainAdversaryExperiment",
}
"""Subcommand of ``algonets train`` -> ``module:class``; the class takes typed options and has ``run()``."""
