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
    "render-shape": "algonets.experiments.render_shape:RenderShapeExperiment",
    "render-pose": "algonets.experiments.render_pose:RenderPoseExperiment",
    "relax-silhouette": "algonets.experiments.relax_silhouette:RelaxSilhouetteExperiment",
    "render-reconstruct": "algonets.experiments.render_reconstruct:RenderReconstructExperiment",
}
"""Subcommand of ``algonets train`` -> ``module:class``; the class takes typed options and has ``run()``."""
