"""Mien contacts only the machines that its settings name; its libraries and the dashboard contact none."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.browser import chromium, visit
from tests.support.demos import demo, end
from tests.support.processes import mien
from tests.support.recordings import recording

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

DNS = 53
ADDRESS = re.compile(
    r'port=htons\((\d+)\).*?(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")',
)
RESOLVER = "/run/systemd/resolve/"
TELEMETRY = ".cache/Microsoft"
"""Below the home folder: device id and unsent events of ONNX Runtime's telemetry."""
TRACE = "trace.txt"


def strace(folder: Path, background: bool = False) -> list[str]:
    """The start of a command whose network calls are written to a file, also those of its child processes.

    In the background (-D) signals reach the command itself, but the file may be complete only later.
    """
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    command = ["strace", "-f", "-q", "--seccomp-bpf", "-e", calls, "-o", str(folder / TRACE)]
    return [*command, "-D"] if background else command


def foreign_calls(folder: Path) -> list[str]:
    """Traced calls that leave this machine or look up a host name."""
    return [call for call in (folder / TRACE).read_text().splitlines() if is_foreign(call)]


def is_foreign(call: str) -> bool:
    found = ADDRESS.search(call)
    if not found:
        return RESOLVER in call
    port, ipv4, ipv6 = found.groups()
    address = ip_address(ipv4 or ipv6)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return int(port) == DNS or not address.is_loopback


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    for name in ("CI", "TF_BUILD", "GITHUB_ACTIONS", "CIRCLECI"):  # ONNX Runtime sends nothing from there.
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.mark.parametrize(
    ("family", "address", "foreign"),
    [
        ("AF_INET", ("192.0.2.1", 443), True),
        ("AF_INET6", ("2001:db8::1", 443), True),
        ("AF_INET", ("127.0.0.53", 53), True),
        ("AF_INET", ("127.0.0.1", 8501), False),
        ("AF_INET6", ("::1", 8501), False),
    ],
)
def test_the_trace_shows_calls_that_leave_this_machine(
    tmp_path: Path, family: str, address: tuple[str, int], foreign: bool
) -> None:
    program = f"import socket; socket.socket(socket.{family}, socket.SOCK_DGRAM).connect_ex({address})"
    subprocess.run([*strace(tmp_path), sys.executable, "-c", program], check=True, timeout=60)
    assert bool(foreign_calls(tmp_path)) == foreign
    assert address[0] in (tmp_path / TRACE).read_text()


def test_analyze_contacts_no_machine(tmp_path: Path, home: Path) -> None:
    picture = tmp_path / "wall.png"
    cv2.imwrite(str(picture), np.full((240, 320), 128, np.uint8))
    done = mien(tmp_path, "analyze", picture, under=strace(tmp_path))
    assert done.returncode == 0, done.stderr
    assert foreign_calls(tmp_path) == []
    assert not (home / TELEMETRY).exists()


def test_a_fast_run_contacts_no_machine(tmp_path: Path, home: Path) -> None:
    source = recording(tmp_path / "aisle.mp4")
    done = mien(tmp_path, "run", "--source", source, "--fast", under=strace(tmp_path))
    assert done.returncode == 0, done.stderr
    assert foreign_calls(tmp_path) == []
    assert not (home / TELEMETRY).exists()


def test_cameras_and_dashboard_of_the_demo_contact_no_machine(tmp_path: Path, home: Path) -> None:
    with demo(tmp_path, under=strace(tmp_path, background=True)) as (address, process):
        with chromium() as browser, visit(browser, address) as seen:
            seen.wait_for_text("Cameras online")
            seen.page.wait_for_timeout(5_000)
        end(process)
    wait_for_line(tmp_path / TRACE, rf"{process.pid} +\+\+\+ exited with 0")
    assert foreign_calls(tmp_path) == []
    assert not (home / TELEMETRY).exists()


@pytest.mark.parametrize(
    "module", ["inference.model_file", "training.runs.quantise", "training.measure.costs"]
)
def test_telemetry_is_off_before_onnx_runtime_is_loaded(module: str, home: Path) -> None:
    if module.startswith("training."):
        pytest.importorskip("onnx", reason="needs the extra train")
    program = f"import {module}, onnxruntime; onnxruntime.get_available_providers()"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    assert not (home / TELEMETRY).exists()


def wait_for_line(path: Path, start: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not re.search(rf"^{start}", path.read_text(), re.MULTILINE):
        assert time.monotonic() < deadline, f"{path} has no line that starts with {start!r}"
        time.sleep(0.05)
