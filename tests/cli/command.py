"""The command line in this process."""

from typing import NamedTuple

__all__ = ["QUICK", "Outcome", "call"]

QUICK = ("--epochs", 1, "--train-size", 64, "--width", 4, "--trainer.enable_progress_bar", "false")


class Outcome(NamedTuple):
    """What a command left: exit status, stdout and stderr."""

    status: int
    out: str
    err: str

    def check_error(self, status: int, *words: str) -> None:
        """A user's error: this exit status, one line on stderr that holds these words, no traceback."""
        assert self.status == status, self
        assert self.err.startswith("algonets: ") and self.err.count("\n") == 1, self.err
        assert all(word in self.err for word in words), self.err


def call(*arguments: object) -> int:
    """Run ``algonets ...``; the exit status of the process that it stands for."""
    from algonets.cli import main

    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return 0 if stop.code is None else int(stop.code)
