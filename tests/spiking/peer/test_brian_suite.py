"""Brian2's own test-suite against the device: what its numpy target passes, the device passes."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import brian2
import pytest

from tests.spiking.peer.exceptions import EXCEPTIONS

ROOT = Path(__file__).parents[3]
FILES = sorted(path.name for path in (Path(brian2.__file__).parent / "tests").glob("test_*.py"))
# Of Brian2 2.9.0. Skipped are those for its Cython target and for compilers that are not there: 7 by its own numpy
# target where Cython and a C++ compiler are installed, 15 where they are not.
N_TESTS, N_SKIPPED, N_LONG, N_MULTIPLE_RUNS = 285, 15, 7, 16

pytestmark = [pytest.mark.peer, pytest.mark.timeout(3600)]


@dataclass(frozen=True)
class Outcomes:
    """What became of the tests, by name, with the message of those that failed; and what the process printed."""

    outcome: dict[str, str]
    message: dict[str, str]
    printed: str

    def named(self, outcome: str) -> set[str]:
        return {test for test, each in self.outcome.items() if each == outcome}


@cache
def outcomes(folder: Path, *arguments: str) -> Outcomes:
    """Run a part of the suite in a process of its own; a test that never ended counts as failed."""
    name = "-".join(arguments)
    path, printed = folder / f"{name}.jsonl", folder / f"{name}.txt"
    if not printed.exists():
        _run(path, printed, arguments)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return Outcomes(
        {line["test"]: line["outcome"].replace("started", "failed") for line in lines},
        {line["test"]: line["message"] for line in lines},
        printed.read_text(),
    )


def _run(path: Path, printed: Path, arguments: tuple[str, ...]) -> None:
    """Write the outcomes, and then what was printed; two workers may do so at a time."""
    own = path.with_suffix(f".{os.getpid()}")
    command = [sys.executable, "-m", "tests.spiking.peer.suite", "--outcomes", str(own), *arguments]
    # What this process was asked by its environment (to share the tests out, say) is not asked of Brian2's tests.
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    last = own.read_text().splitlines()[-1:]
    # 5: there was no test to run.
    assert done.returncode in (0, 1, 5), f"ended with {done.returncode} after {last}\n{done.stdout}{done.stderr}"
    own.replace(path)
    own.write_text(done.stdout + done.stderr)
    own.replace(printed)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Return where outcomes are kept: one folder for all workers of ``-n 2``."""
    base = tmp_path_factory.getbasetemp()
    kept = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "outcomes"
    kept.mkdir(exist_ok=True)
    return kept


def judge(found: Outcomes) -> None:
    failed = found.named("failed") - EXCEPTIONS.keys()
    passed = found.named("passed") & EXCEPTIONS.keys()
    lines = [f"{test}: {found.message[test].splitlines()[:1]}" for test in sorted(failed)]
    lines += [f"{test}: an exception that passes is none any more" for test in sorted(passed)]
    if lines:
        pytest.fail("\n".join([*lines, "", found.printed]), pytrace=False)


@pytest.mark.parametrize("file", FILES)
def test_the_device_passes_the_tests_of(file, folder):
    judge(outcomes(folder, file))


@pytest.mark.parametrize(("part", "count"), [("long", N_LONG), ("multiple_runs", N_MULTIPLE_RUNS)])
def test_the_device_passes(part, count, folder):
    found = outcomes(folder, "--set", part)
    judge(found)
    assert len(found.outcome) >= count


def test_no_test_is_lost(folder):
    """All files together hold as many tests as the suite has, and no more are skipped than by Brian2 itself."""
    found = [outcomes(folder, file) for file in FILES]
    assert sum(len(each.outcome) for each in found) >= N_TESTS
    assert sum(len(each.named("skipped")) for each in found) <= N_SKIPPED


def test_there_are_few_exceptions_and_each_has_a_reason(folder):
    known = {test for file in FILES for test in outcomes(folder, file).outcome}
    assert len(EXCEPTIONS) <= 3
    assert EXCEPTIONS.keys() <= known
    assert all(EXCEPTIONS.values())
