"""The start of commands: Ctrl-C without a traceback, no core dumps, one line for what the machine lacks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mien.cli.errors import SHORTAGE, describe_shortage, describe_system_error
from tests.support.processes import MIEN, mien, running, surroundings

PATIENCE_S = 120.0

INTERRUPTING = """
# Imported by `site` of every Python process: sends SIGINT to itself when a module is imported.
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
"""


COMMANDS = (
    "analyze",
    "cameras list",
    "dashboard",
    "demo",
    "doctor",
    "ingest",
    "topics create",
    "train fit",
    "work",
)
"""With different modules behind them."""


def interrupted(folder: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "sitecustomize.py").write_text(INTERRUPTING)
    variables = {"PYTHONPATH": str(folder), "INTERRUPT_AT": module}
    return mien(folder, *arguments, variables=variables)


@pytest.mark.parametrize("module", ["typer", "pydantic", "numpy", "cv2"])
def test_ctrl_c_while_a_module_is_imported_ends_silently(tmp_path: Path, module: str) -> None:
    done = interrupted(tmp_path, module, "run", "--source", "demo://till", "--no-dashboard")
    assert done.returncode in {130, -signal.SIGINT}, done.stderr
    assert done.stderr == ""
    assert done.stdout == ""


def test_ctrl_c_while_python_itself_starts_ends_silently(tmp_path: Path) -> None:
    """While `site` runs, before any line of Mien."""
    (tmp_path / "sitecustomize.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = mien(tmp_path, "doctor", variables={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == -signal.SIGINT
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_ends_a_command_silently_before_it_begins(tmp_path: Path, command: str) -> None:
    done = interrupted(tmp_path, "mien.installation", *command.split())
    assert done.returncode in {130, -signal.SIGINT}
    assert done.stderr == ""


def test_ctrl_c_while_a_command_works_ends_without_a_traceback(tmp_path: Path) -> None:
    with running(tmp_path, "db", "maintain", "--every", "3600") as process:
        wait_for_file(tmp_path / "mien.db")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in output
    assert process.returncode in {0, 130}, output


WITH_CORE_DUMPS = ("sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$0" "$@"')
"""The start of a command that may write core dumps as large as the system allows."""


def test_a_running_process_writes_no_core_dumps(tmp_path: Path) -> None:
    arguments = ("db", "maintain", "--every", "3600")
    with running(tmp_path, *arguments, under=WITH_CORE_DUMPS) as process:
        wait_for_file(tmp_path / "mien.db")
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), limits


def wait_for_file(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("stream", ["stdout", "table"])
def test_output_that_cannot_be_written_is_one_line(tmp_path: Path, stream: str) -> None:
    arguments = ["doctor"] if stream == "table" else ["--help"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [MIEN, *arguments],
            cwd=tmp_path,
            env=surroundings(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode == SHORTAGE
    assert done.stderr == "error: system: No space left on device: free some space\n"


def test_a_thread_that_cannot_be_started_is_one_line(tmp_path: Path) -> None:
    """The operating system refuses it: the stack would be larger than the address space."""
    (tmp_path / "sitecustomize.py").write_text("import threading\nthreading.stack_size(1 << 46)\n")
    done = mien(
        tmp_path,
        *("run", "--source", "demo://till", "--no-dashboard"),
        variables={"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == SHORTAGE
    assert done.stderr.startswith("error: no further thread can be started: raise the limits")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc")])
def test_a_lack_of_memory_is_described_with_a_fix(error: Exception) -> None:
    assert str(describe_shortage(error)).startswith("out of memory: use a machine with more memory")


def test_another_error_is_no_shortage() -> None:
    assert describe_shortage(RuntimeError("anything")) is None
    assert describe_system_error(FileNotFoundError(2, "No such file or directory", "a.mp4")) == (
        "a.mp4: No such file or directory",
        2,
    )


def test_a_lack_of_memory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'mien.loops.run':\n"
        "            sys.meta_path.remove(self)\n"
        "            raise MemoryError\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    done = mien(tmp_path, "run", "--no-dashboard", variables={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == SHORTAGE
    assert done.stderr.startswith("error: out of memory")
    assert len(done.stderr.splitlines()) == 1


def test_a_bug_is_one_line_without_passwords(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'mien.loops.run':\n"
        "            raise ZeroDivisionError('rtsp://viewer:hunter2@cam.example/1\\nforged')\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    done = mien(tmp_path, "run", "--no-dashboard", variables={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "hunter2" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_abandoned_thread_does_not_delay_or_abort_the_end(tmp_path: Path) -> None:
    """It still runs when the command has ended; what the command has printed and registered is done."""
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, threading, time\n"
        "atexit.register(lambda: print('registered'))\n"
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('joined'))).start()\n"
    )
    done = mien(tmp_path, "--help", variables={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0
    assert "Usage: " in done.stdout
    assert "joined\n" in done.stdout
    assert done.stdout.endswith("registered\n")


def test_the_command_works_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "linked"
    link.symlink_to(MIEN)
    done = subprocess.run(
        [link, "--help"], capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=os.environ
    )
    assert done.returncode == 0
    assert "Usage: " in done.stdout
