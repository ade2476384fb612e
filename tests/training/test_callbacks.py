"""The Lightning callbacks: values follow the trainer's steps, warnings come once; the package itself stays light."""

import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from algonets import sort
from algonets.distributions import Distribution, Logistic
from algonets.training import LinearSchedule

lightning = pytest.importorskip("lightning")


def model():
    class Sorter(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.score = nn.Linear(3, 4)
            self.order = sort.Sort(sort.OddEven(Logistic(1.0)))
            self.seen = []

        def training_step(self, batch, index):
            self.seen.append(self.order.method.distribution.scale)
            return self.order(self.score(batch[0])).square().mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.01)

    return Sorter()


def fit(module, folder, *callbacks, **options):
    trainer = lightning.Trainer(
        **{"max_epochs": 2, "callbacks": list(callbacks), "default_root_dir": folder, "logger": False} | options,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    loader = DataLoader(TensorDataset(torch.randn(20, 3)), 4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(module, loader)
    return trainer, [str(w.message) for w in caught]


def test_anneal_follows_the_steps(tmp_path):
    from algonets.training.callbacks import Anneal

    module = model()
    trainer, _ = fit(module, tmp_path, Anneal(Distribution, LinearSchedule(1.0, 0.1)))
    assert module.seen == pytest.approx([1.0 - 0.9 * step / 10 for step in range(10)])
    assert "anneal/order.method.distribution.scale" in trainer.callback_metrics
    short = model()
    fit(short, tmp_path, Anneal(Distribution, LinearSchedule(1.0, 0.1), steps=5))
    assert short.seen[5:] == pytest.approx([0.1] * 5)


def test_monitor_logs_and_warns_once(tmp_path):
    from algonets.training.callbacks import MonitorGradients

    callback = MonitorGradients(every=2, low=1e3, high=1e6)
    trainer, messages = fit(model(), tmp_path, callback)
    ours = [message for message in messages if "gradients are vanishing" in message]
    assert len(ours) == 1 and "order" in ours[0] and "scale (now 1)" in ours[0]
    assert "gain/order" in trainer.callback_metrics and callback.reports[0].layer == "order"


def test_the_package_does_not_import_lightning():
    code = "import sys, algonets.training; print('lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_without_lightning_it_says_what_to_install():
    code = (
        "import sys; sys.modules['lightning'] = None\n"
        "try:\n import algonets.training.callbacks\nexcept ImportError as error:\n print(error)"
    )
    assert (
        "algonets[experiments]" in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    )
