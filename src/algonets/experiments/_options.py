"""Checks of the options that experiments share, and the opening of their output folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from algonets.experiments._training import RunError

__all__ = ["at_least", "check_folder", "one_device", "open_folder", "positive"]


def at_least(least: int, **options: int | None) -> None:
    """Refuse an option below ``least``; ``None`` stands for a default and passes."""
    for name, value in options.items():
        if value is not None and value < least:
            raise RunError(f"--{name} must be at least {least}, got {value}.")


def positive(**options: float) -> None:
    """Refuse an option that is not above zero."""
    for name, value in options.items():
        if not value > 0:
            raise RunError(f"--{name} must be positive, got {value}.")


def check_folder(output: str | None, resume: bool, overwrite: bool) -> None:
    """Refuse an empty name, and to resume and overwrite at once."""
    if output == "":
        raise RunError("--output must name a folder, got ''. Leave it out for the default.")
    if resume and overwrite:
        raise RunError("--resume and --overwrite exclude each other. Give one.")


def one_device(experiment: str, trainer: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options of the trainer; refuse several devices."""
    options = dict(trainer or {})
    if options.get("devices") not in (None, 1, "1", "auto"):
        raise RunError(f"{experiment} trains on one device. Leave out --trainer.devices.")
    return options


def open_folder(output: Path, config: str | None = None) -> None:
    """Make the output folder and keep the configuration there."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"--output must be a folder that can be written, got {output} ({error}).") from error
    if config is not None:
        (output / "config.yaml").write_text(config)
