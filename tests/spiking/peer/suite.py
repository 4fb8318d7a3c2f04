"""Brian2's own test-suite, run in this process against one device.

    python -m tests.spiking.peer.suite --device bionet -k "refractory" test_synapses.py test_subgroup.py

Brian2's fixtures read device and preferences from a plugin object, so its tests cannot be collected by a plain
``pytest``; and as they reset preferences, devices and units, they get a process of their own.
"""

import argparse
import json
import sys
from pathlib import Path

import brian2
import pytest
from brian2.devices.device import all_devices
from brian2.tests import PreferencePlugin, make_argv
from brian2.units import fundamentalunits
from brian2.utils.logger import LOG_LEVELS, BrianLogger

FOLDER = Path(brian2.__file__).parent / "tests"
MARKERS = {
    # What a device that runs in the process of Python is expected to pass.
    "runtime": "not standalone_only and not codegen_independent and not long",
    "long": "long and not standalone_only and not codegen_independent",
    # Brian2 puts these to a device once more with build_on_run=False.
    "multiple_runs": "multiple_runs and not long",
}


class Outcomes:
    """Write the outcome of each test as one line of JSON, at once: a crash of the process loses none before it."""

    def __init__(self, path: Path):
        self.path = path
        self.path.write_text("")

    def pytest_runtest_logstart(self, nodeid):
        self._write(nodeid, "started")

    def pytest_runtest_logreport(self, report):
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self._write(report.nodeid, "failed", crash.message if crash else str(report.longrepr))
        elif report.skipped:
            self._write(report.nodeid, "skipped")
        elif report.when == "call":
            self._write(report.nodeid, "passed")

    def _write(self, nodeid, outcome, message=""):
        with self.path.open("a") as file:
            line = {"test": nodeid.replace("::", ":").split("/")[-1], "outcome": outcome, "message": message}
            file.write(json.dumps(line) + "\n")


def run(device: str, options: dict, markers: str, files: list[str], arguments: list[str], plugins: list) -> int:
    """Run Brian2's tests with those markers on the device and give pytest's exit status."""
    if device != "runtime":
        import bionet.spiking  # noqa: F401

        if device not in all_devices:
            sys.exit(f"--device {device}: not registered; known: numpy, {', '.join(map(str, all_devices))}")
    brian2.prefs.reset_to_defaults()
    brian2.prefs.codegen.target = "numpy"
    BrianLogger.console_handler.setLevel(LOG_LEVELS["ERROR"])
    fundamentalunits.user_unit_register = fundamentalunits.UnitRegistry()
    settings = PreferencePlugin(brian2.prefs, True)
    settings.device, settings.device_options = device, options
    argv = make_argv([str(FOLDER / file) for file in files] or [str(FOLDER.parent)], markers)
    # The limit of time asks for another plugin, and the folder of an installed package is not to be written to.
    argv += ["-p", "no:xdist", "-o", "timeout=", "-p", "no:cacheprovider", *arguments]
    return int(pytest.main(argv, plugins=[settings, *plugins]))


def option(text: str) -> tuple[str, object]:
    """Read ``threads=2`` as ``("threads", 2)``."""
    key, _, value = text.partition("=")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.spiking.peer.suite", description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", help="files of brian2/tests, such as test_synapses.py (default: all)")
    parser.add_argument("--device", default="bionet", help="bionet (default) or numpy: Brian2's own")
    parser.add_argument("--option", action="append", default=[], type=option, help="for set_device: threads=2")
    parser.add_argument("--set", choices=MARKERS, default="runtime", help="which tests (default: runtime)")
    parser.add_argument("-k", help="as pytest's")
    parser.add_argument("-x", action="store_true", help="stop at the first failure")
    parser.add_argument("--tb", default="short", help="as pytest's (default: short)")
    parser.add_argument("--collect-only", action="store_true", help="list the tests, run none")
    parser.add_argument("--durations", help="as pytest's")
    parser.add_argument("--outcomes", type=Path, help="file for the outcomes, one line of JSON per test")
    chosen = parser.parse_args()
    arguments = ["--tb", chosen.tb, "-rf", "--disable-warnings"]
    arguments += ["-k", chosen.k] if chosen.k else []
    arguments += ["-x"] if chosen.x else []
    arguments += ["--collect-only"] if chosen.collect_only else []
    arguments += ["--durations", chosen.durations] if chosen.durations else []
    device = "runtime" if chosen.device == "numpy" else chosen.device
    options = dict(chosen.option)
    if chosen.set == "multiple_runs":
        options["build_on_run"] = False
    plugins = [Outcomes(chosen.outcomes.absolute())] if chosen.outcomes else []
    return run(device, options, MARKERS[chosen.set], chosen.files, arguments, plugins)


if __name__ == "__main__":
    sys.exit(main())
