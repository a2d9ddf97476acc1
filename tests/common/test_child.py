"""A child process ends with its parent, whatever ends it, and writes no core dump."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common import child
from tests.support.processes import wait_for_end

PATIENCE_S = 60.0
PARENT = """
import signal, subprocess, sys, time
from common import child
signal.signal(signal.SIGINT, signal.default_int_handler)  # Jobs in the background inherit that it is ignored.
from tests.support.processes import wait_for_end
subprocess.Popen(child.command("{module}", "{folder}"), start_new_session=True)
time.sleep(600)
"""
SLEEPER = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1], "pid.new").write_text(str(os.getpid()))
pathlib.Path(sys.argv[1], "pid.new").rename(pathlib.Path(sys.argv[1], "pid"))
time.sleep(600)
"""


def wait_for_pid(folder: Path, parent: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + PATIENCE_S
    while not (folder / "pid").exists():
        assert parent.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return int((folder / "pid").read_text())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_child_ends_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    program = PARENT.format(module="sleeper", folder=tmp_path)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stderr=subprocess.DEVNULL
    ) as parent:
        pid = wait_for_pid(tmp_path, parent)
        parent.send_signal(number)
        parent.wait(PATIENCE_S)
    wait_for_end(pid)


@pytest.mark.parametrize("system", ["linux", "other"])
def test_a_child_whose_parent_has_ended_already_ends(system: str) -> None:
    """Also where the kernel does not help."""
    program = f"""
import sys
sys.platform = {system!r}
from common.parent import end_with_parent
end_with_parent(1)
"""
    done = subprocess.run([sys.executable, "-c", program], timeout=PATIENCE_S, check=False)
    assert done.returncode == -signal.SIGKILL


def test_the_watch_ends_a_child_where_the_kernel_does_not_help(tmp_path: Path) -> None:
    (tmp_path / "sleeper.py").write_text(
        f"import sys, os\nsys.platform = 'other'\nfrom common.parent import end_with_parent\n"
        f"end_with_parent(os.getppid()){SLEEPER}"
    )
    program = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-m", "sleeper", {str(tmp_path)!r}])
time.sleep(600)
"""
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as parent:
        pid = wait_for_pid(tmp_path, parent)
        parent.kill()
    wait_for_end(pid)


def test_a_child_gets_its_arguments_and_cannot_import_from_the_current_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "shown.py").write_text("import sys\nprint(sys.argv[1:], __name__)\n")
    (elsewhere / "json.py").write_text("raise SystemExit('the file of the current folder')\n")
    (elsewhere / "shown.py").write_text("raise SystemExit('the file of the current folder')\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        child.command("shown", "a", "b c"),
        env=environment,
        cwd=elsewhere,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout == "['a', 'b c'] __main__\n", done.stderr


def raise_core_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def test_core_dumps_are_forbidden_for_good(tmp_path: Path) -> None:
    program = """
import ctypes, pathlib
from common.core_dumps import forbid_core_dumps
forbid_core_dumps()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
print(pathlib.Path("/proc/self/limits").read_text())
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        preexec_fn=raise_core_limit,
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    dumpable, _, limits = done.stdout.partition("\n")
    assert dumpable == "0", "PR_GET_DUMPABLE"
    assert re.search(r"Max core file size +0 +0 ", limits)
