"""Runnable experiments: real data, baselines, fixed seeds; each a subcommand of ``algonets train``.

``EXPERIMENTS`` names them; adding one is adding a line.
"""

EXPERIMENTS = {
    "words": "algonets.experiments.words:WordsExperiment",
    "equilibrium": "algonets.experiments.equilibrium:EquilibriumExperiment",
    "refine": "algonets.experiments.refine:RefineExperiment",
    "babi": "algonets.experiments.babi:BabiExperiment",
    "memory": "algonets.experiments.memory:MemoryExperiment",
    "logic": "algonets.experiments.logic:LogicExperiment",
    "sort-digits": "algonets.experiments.sort_digits:SortDigitsExperiment",
    "relax-sort": "algonets.experiments.relax:RelaxSortExperiment",
    "relax-path": "algonets.experiments.relax:RelaxPathExperiment",
    "relax-edit": "algonets.experiments.relax:RelaxEditExperiment",
    "paths": "algonets.experiments.paths:PathsExperiment",
    "topk": "algonets.experiments.topk:TopKExperiment",
    "newton-loss": "algonets.experiments.training:NewtonLossExperiment",
    "natural-gradient": "algonets.experiments.training:NaturalGradientExperiment",
    "isaac": "algonets.experiments.training:IsaacExperiment",
    "online-memory": "algonets.experiments.training:OnlineMemoryExperiment",
    "noise": "algonets.experiments.training:NoiseExperiment",
    "compress": "algonets.experiments.training:CompressExperiment",
    "structure": "algonets.experiments.training:StructureExperiment",
    "domain-adversary": "algonets.experiments.training:DomainAdversaryExperiment",
    "perceptron": "algonets.experiments.lectures.perceptron:PerceptronExperiment",
    "lenet": "algonets.experiments.lectures.lenet:LenetExperiment",
    "autoencoder": "algonets.experiments.lectures.autoencoder:AutoencoderExperiment",
    "sequence": "algonets.experiments.lectures.sequence:SequenceExperiment",
    "segment": "algonets.experiments.lectures.segment:SegmentExperiment",
    "nowcast": "algonets.experiments.lectures.nowcast:NowcastExperiment",
    "game": "algonets.experiments.lectures.game:GameExperiment",
    "control": "algonets.experiments.lectures.control:ControlExperiment",
    "vqa": "algonets.experiments.lectures.vqa:VqaExperiment",
    "generate": "algonets.experiments.lectures.generate:GenerateExperiment",
    "chairs": "algonets.experiments.lectures.chairs:ChairsExperiment",
    "texture": "algonets.experiments.lectures.texture:TextureExperiment",
    "style": "algonets.experiments.lectures.style:StyleExperiment",
    "genes": "algonets.experiments.lectures.genes:GenesExperiment",
    "classify": "algonets.experiments.lectures.classify:ClassifyExperiment",
}
"""Subcommand of ``algonets train`` -> ``module:class``; the class takes typed options and has ``run()``."""
