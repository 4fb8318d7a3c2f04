"""The command line: ``bionet run``, ``show``, ``report``, ``brian``, ``bench`` and ``doctor``.

The rooms behind a command are imported when it runs, so that ``bionet --help`` is there at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from bionet import __version__
from bionet.app.plain import plain
from bionet.errors import BionetError, InputError, suggest

app = typer.Typer(rich_markup_mode=None, add_completion=False)

ResultFile = Annotated[Path, typer.Argument(metavar="FILE", help="A result file, such as spiking_vs_rate.h5.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there already.")]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 if something failed, 2 if what was given cannot be used.

    Parameters
    ----------
    arguments : list of str, optional
        What follows ``bionet`` on the command line; taken from there if absent.
    """
    given = sys.argv[1:] if arguments is None else arguments
    # What follows two dashes is a script's own.
    ours = given[: given.index("--")] if "--" in given else given
    debug = "--debug" in ours
    try:
        command = typer.main.get_command(app)
        asked = [each for each in ours if each != "--debug"] + given[len(ours) :]
        code = command.main(asked, prog_name="bionet", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except BrokenPipeError:
        # Whoever read our output has gone; without this Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:
        if debug:
            traceback.print_exception(error)
        for line in _sentence(error).splitlines():
            print(f"bionet: {plain(line)}", file=sys.stderr)
        return getattr(error, "exit_code", 1)


def _sentence(error: Exception) -> str:
    if isinstance(error, BionetError):
        return str(error)
    if hasattr(error, "format_message"):  # a usage error of Typer's
        return f"{error.format_message()} See: bionet --help"
    return f"{type(error).__name__}: {error} (--debug shows where)"


def _print_version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _bionet(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """Put one question to every kind of neural network: spiking, energy-based, Hebbian and rate.

    After any command, --debug shows the traceback of an error.
    """
    if context.invoked_subcommand is None:
        print(context.get_help())


class _RunCommand(TyperCommand):
    """A command whose help lists the parameters of the experiment it is given."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta["experiment"] = next((each for each in args if each.endswith(".py")), None)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        if ctx.meta["experiment"]:
            from bionet.app.experiment import load

            experiment = load(Path(ctx.meta["experiment"]))
            with formatter.section(f"Parameters of {experiment.name}"):
                formatter.write_dl(experiment.described())


@app.command(cls=_RunCommand, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    experiment: Annotated[Path, typer.Argument(metavar="EXPERIMENT.py", help="A Python file that asks a question.")],
    quick: Annotated[bool, typer.Option("--quick", help="Take the experiment's short parameters.")] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**62, metavar="N", help="The first seed.")] = 0,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, metavar="K", help="How many seeds; the experiment says, if not you."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The result file; EXPERIMENT.h5 if absent.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, metavar="J", help="How many seeds run at a time.")] = None,
    force: Force = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write the HTML page beside the file.")] = True,
) -> None:
    """Run an experiment; write its result file and its page, and print its tables.

    Every parameter of the experiment is an option too: bionet run EXPERIMENT.py --help lists them.
    """
    from bionet.app.experiment import load
    from bionet.app.machine import cores
    from bionet.app.running import Run, perform

    if str(experiment).startswith("-"):
        raise InputError(f"{experiment}: name the experiment first: bionet run EXPERIMENT.py {experiment} ...")
    out = out or Path(f"{experiment.stem}.h5")
    page = out.with_suffix(".html") if report else None
    if page == out:
        raise InputError(f"--out: got {out}; expected the name of a result file, such as {out.with_suffix('.h5')}")
    _check_free(out, page, force=force)
    found = load(experiment)
    options = [each.name for each in context.command.params if each.name]
    parameters = found.parameters(_given(settings or [], context.args, found.parameter_names, options), quick)
    chosen = list(range(seed, seed + (seeds or found.n_seeds(quick))))
    perform(Run(found, parameters, chosen, out, quick, jobs or min(cores(), len(chosen)), force))
    _show(out)
    if page:
        _report(out, page, found)
    print(plain(f"The result is in {out}" + (f", the page in {page}" if page else "")))


@app.command()
def show(file: ResultFile) -> None:
    """Print the tables of a result file."""
    _show(file)


@app.command()
def report(
    file: ResultFile,
    experiment: Annotated[
        Path | None, typer.Option(metavar="EXPERIMENT.py", help="The experiment, whose code draws the figures.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="PAGE.html", help="The page; FILE.html if absent.")] = None,
    force: Force = False,
) -> None:
    """Write one self-contained HTML page from a result file."""
    from bionet.app.experiment import load

    page = out or file.with_suffix(".html")
    _check_free(page, force=force)
    _report(file, page, load(experiment) if experiment else None)
    print(plain(f"The page is in {page}"))


class _ScriptCommand(TyperCommand):
    """A command that runs a script, which may have options of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if not hasattr(error, "possibilities"):
                raise
            known = [each for option in self.params for each in option.opts if each.startswith("--")]
            name = error.option_name  # type: ignore[attr-defined]
            raise InputError(
                f"{name}: not an option of bionet brian{suggest(name, known)}; what is meant for the script stands "
                f"behind two dashes: bionet brian SCRIPT.py -- {name} ..."
            ) from None


@app.command(cls=_ScriptCommand)
def brian(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT.py", help="A script that uses Brian2, as it is.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGUMENT", help="What the script is given; its options behind --.")
    ] = None,
    engine: Annotated[str, typer.Option(metavar="NAME", help="Which engine runs its networks.")] = "grid",
    threads: Annotated[int | None, typer.Option(min=1, metavar="N", help="How many threads the engine takes.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="N", help="As seed(N) on the script's first line.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say which object runs where, and why.")] = False,
) -> None:
    """Run a Brian2 script with bionet's engines."""
    from bionet.app.brian import perform

    options = {"engine": engine} | ({"threads": threads} if threads else {})
    raise typer.Exit(perform(script, arguments or [], seed, explain, options))


@app.command()
def bench(
    benchmark: Annotated[str, typer.Argument(metavar="NAME", help="A benchmark, such as spiking, or its file.")],
    only: Annotated[list[str] | None, typer.Option(metavar="CONTEST", help="Hold this contest only.")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, metavar="N", help="How many rounds [default: 5].")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Short contests, two rounds: to see that it runs.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write results here, and a .md beside.")] = None,
    patience: Annotated[float, typer.Option(min=0, metavar="S", help="Wait for a quiet machine at most so long.")] = 20,
    force: Force = False,
) -> None:
    """Measure bionet and its peers on this machine, taking turns."""
    from bionet.app.bench import Settings, find, perform

    path = find(benchmark)
    if out and out.suffix != ".json":
        raise InputError(f"--out: got {out}; expected the name of a JSON file, such as {out.with_suffix('.json')}")
    _check_free(out, out and out.with_suffix(".md"), force=force)
    perform(path, Settings(only or [], repeats or (2 if quick else 5), quick, out, patience))


@app.command()
def doctor() -> None:
    """Say what is installed here, what is missing, and how to get it."""
    from bionet.app.doctor import examination

    for subject, sentence in examination():
        print(f"{subject:<15} {sentence}")


def _check_free(*places: Path | None, force: bool) -> None:
    """Refuse a place that holds something already, before any work is done."""
    for place in filter(None, places):
        if place.is_dir():
            raise InputError(f"{place}: is a folder; expected the name of a file to write")
        if place.exists() and not force:
            raise InputError(f"{place}: is there already; choose another name with --out, or replace it with --force")


def _given(settings: list[str], options: list[str], known: list[str], own: list[str]) -> dict[str, str]:
    """Return what was given as ``--set name=value`` and as ``--name value``, name to text."""
    pairs = []
    for each in settings:
        name, equals, text = each.partition("=")
        if not equals:
            raise InputError(f"--set {each}: expected NAME=VALUE, such as {known[0] if known else 'n'}=1")
        pairs.append((name, text))
    rest = list(options)
    while rest:
        option = rest.pop(0)
        if not option.startswith("--"):
            raise InputError(f"{option}: expected --name value; one experiment is run at a time")
        given, equals, text = option.partition("=")
        name = given[2:].replace("-", "_")
        if name not in known:
            everything = [f"--{each.replace('_', '-')}" for each in [*known, *own]]
            raise InputError(f"{given}: neither an option nor a parameter{suggest(given, everything)}")
        if not equals and (not rest or rest[0].startswith("--")):
            raise InputError(f"{option}: expected a value after it")
        pairs.append((name, text if equals else rest.pop(0)))
    return _once(pairs)


def _once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name}: given {names.count(name)} times; expected once")
    return dict(pairs)


def _show(file: Path) -> None:
    from bionet.app.terminal import print_result
    from bionet.results import open_result

    print_result(open_result(file))


def _report(file: Path, page: Path, experiment: Any) -> None:
    from bionet.app.report import trusted_experiment, write_report
    from bionet.results import open_result

    tree = open_result(file)
    trouble = write_report(tree, page, experiment or trusted_experiment(tree))
    if trouble:
        print(f"bionet: {plain(trouble)}", file=sys.stderr)
