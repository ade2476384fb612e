"""Which architecture for which purpose: one short experiment for each claim of the lectures.

Each file is one experiment with its baselines, and each run ends with a table, what had to be shown and whether it was,
``metrics.json``, and a picture to project. What they share is in ``_experiment.py``, ``_learner.py`` and
``_pictures.py``.
"""
