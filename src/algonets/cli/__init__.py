"""The command line: ``algonets train | compare | read | export | run | list | doctor | bench``."""

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        from algonets.cli.commands import run

        return run(arguments)
    except ImportError as error:
        if arguments[:1] == ["doctor"]:
            from algonets.cli.doctor import doctor

            return doctor()
        missing = getattr(error, "name", None) or error
        print(
            f"algonets: this command needs the package {missing!s}. "
            "Install the extra: pip install 'algonets[experiments]'",
            file=sys.stderr,
        )
        return 2
