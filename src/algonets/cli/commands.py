"""Parsing of the command line by jsonargparse, and what each command does."""

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

import jsonargparse
import lightning
from lightning.fabric.utilities.exceptions import MisconfigurationException

import algonets
from algonets import distributions
from algonets.cli.bench import bench
from algonets.cli.circuit import Format, export_circuit, run_circuit
from algonets.cli.compare import SOLVERS, compare_gradients
from algonets.cli.doctor import doctor
from algonets.cli.listing import show_list
from algonets.cli.read import read
from algonets.data import DatasetUnavailable
from algonets.experiments import EXPERIMENTS
from algonets.experiments._training import RunError

__all__ = ["build_parser", "run"]

# Set by the experiments themselves; everything else of the trainer is the user's.
_OWNED: set[str | int] = {
    "max_epochs",
    "default_root_dir",
    "logger",
    "enable_model_summary",
    "use_distributed_sampler",
    "callbacks",
}

_SWITCHES: dict[str, str] = {
    "compare": "Run several methods under one budget, and draw them together.",
    "resume": "Go on with an interrupted run in the output folder.",
    "overwrite": "Replace a run in the output folder.",
}


def run(arguments: list[str]) -> int:
    """Parse and run; errors that a user can mend are shown in one line."""
    parser, experiments = build_parser()
    if not arguments:
        parser.print_help()
        return 0
    command = arguments[0]
    try:
        config = parser.parse_args(_full_laws([_underscores(argument) for argument in arguments]))
        return _dispatch(config, experiments)
    except BrokenPipeError:  # whoever read the output has seen enough
        sys.stderr.close()
        return 0
    except (RunError, DatasetUnavailable, MisconfigurationException, ValueError, OSError) as error:
        print(f"algonets: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        hint = " What was finished is kept: repeat the command with --resume." if command == "train" else ""
        print(f"\nalgonets: interrupted.{hint}", file=sys.stderr)
        return 130


def _underscores(argument: str) -> str:
    """Let ``--data-dir`` stand for ``--data_dir``."""
    if not argument.startswith("--"):
        return argument
    option, equals, value = argument.partition("=")
    return "--" + option[2:].replace("-", "_") + equals + value


def _full_laws(arguments: list[str]) -> list[str]:
    """Let ``--method.distribution=Cauchy`` stand for the class path: what takes a law is a protocol, without names."""
    laws = {name: f"algonets.distributions.{name}" for name in distributions.__all__} | {
        "LogisticART": "algonets.sort.LogisticART"
    }
    full: list[str] = []
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if equals and _takes_law(option):
            full.append(f"{option}={laws.get(value, value)}")
        elif full and _takes_law(full[-1]):
            full.append(laws.get(argument, argument))
        else:
            full.append(argument)
    return full


def _takes_law(option: str) -> bool:
    return option.startswith("--") and option.endswith(".distribution")


def _dispatch(config: jsonargparse.Namespace, experiments: dict[str, Any]) -> int:
    if config.command == "train":
        name = config.train.experiment
        experiment, parser = experiments[name]
        options = config.train[name].clone()
        options.pop("config", None)
        defaults = parser.get_defaults().trainer
        trainer = {key: value for key, value in options.pop("trainer").items() if value != defaults[key]}
        settings = parser.instantiate(options).as_dict()
        kept = config.train[name].clone()
        for switch in ("config", "resume", "overwrite"):
            kept.pop(switch, None)
        experiment(**settings, trainer=trainer, config=parser.dump(kept, skip_validation=True)).run()
        return 0
    if config.command == "read":
        return read(Path(config.read.image), Path(config.read.checkpoint), config.read.letters, config.read.best)
    if config.command == "compare":
        options = config.compare.gradients
        return compare_gradients(
            options.solver,
            options.size,
            options.calls,
            options.scale,
            options.examples,
            options.repeats,
            options.seed,
            options.output,
        )
    if config.command == "export":
        given = config.export.circuit
        return export_circuit(
            Path(given.circuit), given.format, None if given.output is None else Path(given.output), given.name
        )
    if config.command == "run":
        given = config.run.circuit
        return run_circuit(Path(given.circuit), Path(given.input), None if given.output is None else Path(given.output))
    if config.command == "bench":
        return bench(config.bench.threads)
    return {"list": show_list, "doctor": doctor}[config.command]()


def build_parser() -> tuple[jsonargparse.ArgumentParser, dict[str, Any]]:
    """Return the parser, and for each experiment its class and parser."""
    parser = jsonargparse.ArgumentParser(
        prog="algonets", description="Put algorithms into neural networks.", version=algonets.__version__
    )
    commands = parser.add_subcommands(dest="command", required=True)

    train = jsonargparse.ArgumentParser(description="Run an experiment.")
    commands.add_subcommand("train", train, help="run an experiment (algonets train words --help)")
    names = train.add_subcommands(dest="experiment", required=True)
    experiments = {}
    for name, target in EXPERIMENTS.items():
        module, _, attribute = target.partition(":")
        experiment = getattr(importlib.import_module(module), attribute)
        own = jsonargparse.ArgumentParser(
            usage=f"algonets train {name} [options]", description=experiment.__doc__.split("\n\n")[0]
        )
        own.add_argument("--config", action="config", help="Read options from a YAML file; those given here win.")
        known = {name for base in inspect.getmro(experiment) for name in inspect.signature(base.__init__).parameters}
        switches = {switch: text for switch, text in _SWITCHES.items() if switch in known}
        hidden: set[str | int] = {"trainer", "config", *switches}
        own.add_class_arguments(experiment, skip=hidden)
        for switch, text in switches.items():
            own.add_argument(f"--{switch}", action="store_true", help=text)
        own.add_class_arguments(lightning.Trainer, "trainer", skip=_OWNED, instantiate=False)
        own.set_defaults({f"trainer.{key}": None for key in ("accelerator", "strategy", "devices", "num_nodes")})
        names.add_subcommand(name, own, help=experiment.__doc__.splitlines()[0])
        experiments[name] = (experiment, own)

    reader = jsonargparse.ArgumentParser(description="Read the word in an image with a trained reader.")
    reader.add_argument("image", type=str, help="PNG with the letters side by side, or npz with images (T, H, W).")
    reader.add_argument("--checkpoint", type=str, required=True, help="Checkpoint of `algonets train words`.")
    reader.add_argument("--letters", type=int | None, default=None, help="Letters in the PNG; else from its shape.")
    reader.add_argument("--best", type=int, default=5, help="How many readings to show.")
    commands.add_subcommand("read", reader, help="read the word in an image")

    comparison = jsonargparse.ArgumentParser(description="Compare ways to do the same.")
    commands.add_subcommand(
        "compare", comparison, help="compare the gradients of a solver (algonets compare gradients)"
    )
    kinds = comparison.add_subcommands(dest="kind", required=True)
    kinds.add_subcommand("gradients", _gradients_parser(), help="estimators of gradients at equal solver calls")

    _add_circuits(commands)
    commands.add_subcommand("list", jsonargparse.ArgumentParser(), help="what is in the library")
    commands.add_subcommand("doctor", jsonargparse.ArgumentParser(), help="is everything installed, which backend runs")
    measure = jsonargparse.ArgumentParser(description="Time the native kernels against the plain-torch reference.")
    measure.add_argument("--threads", type=int, default=1, help="Threads of both.")
    commands.add_subcommand("bench", measure, help="native kernels against plain torch")
    return parser, experiments


def _gradients_parser() -> jsonargparse.ArgumentParser:
    parser = jsonargparse.ArgumentParser(
        description="Bias, variance, direction and time of every estimator around a solver, at equal solver calls."
    )
    known = ", ".join(SOLVERS)
    parser.add_argument("--solver", type=str, default="argmax", help=f"{known}, or module:function.")
    parser.add_argument("--size", type=int, default=10, help="Entries of theta, or side of a grid or matrix.")
    parser.add_argument("--calls", type=list[int], default=[2, 3, 6, 10, 20, 50], help="Budgets of solver calls.")
    parser.add_argument("--scale", type=float, default=1.0, help="Of the Gaussian noise.")
    parser.add_argument("--examples", type=int, default=100, help="Random problems.")
    parser.add_argument("--repeats", type=int, default=5, help="Estimates of each.")
    parser.add_argument("--seed", type=int, default=0, help="Of problems and noise.")
    parser.add_argument("--output", type=str, default="", help="Folder; by default runs/compare-gradients-<solver>.")
    return parser


def _add_circuits(commands: Any) -> None:
    """Add what is done with circuit files."""
    exporter = jsonargparse.ArgumentParser(description="Write something trained in another format.")
    commands.add_subcommand("export", exporter, help="a circuit as C, Verilog, BLIF or AIGER")
    circuit = jsonargparse.ArgumentParser(description="Write a circuit file in another format.")
    circuit.add_argument("circuit", type=str, help="File of Circuit.save, such as circuit.bin of a run.")
    circuit.add_argument("--format", type=Format, required=True, help="The format.")
    circuit.add_argument("--output", type=str | None, default=None, help="File; by default beside the circuit.")
    circuit.add_argument("--name", type=str, default="circuit", help="Of the module or the functions.")
    exporter.add_subcommands(dest="what", required=True).add_subcommand("circuit", circuit, help="a logic circuit")

    runner = jsonargparse.ArgumentParser(description="Run something trained.")
    commands.add_subcommand("run", runner, help="a circuit on the rows of an array")
    circuit = jsonargparse.ArgumentParser(description="Run a circuit file; prints the class of each row.")
    circuit.add_argument("circuit", type=str, help="File of Circuit.save, such as circuit.bin of a run.")
    circuit.add_argument("--input", type=str, required=True, help=".npy file of rows as the network takes them.")
    circuit.add_argument("--output", type=str | None, default=None, help=".npy file for the counts of the classes.")
    runner.add_subcommands(dest="what", required=True).add_subcommand("circuit", circuit, help="a logic circuit")
