"""The dashboard as a child process: it ends with `mien`; what becomes of it does not affect the cameras."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.support.demos import demo
from tests.support.processes import free_port, running

PATIENCE_S = 120.0


def wait_until_free(port: int) -> None:
    """Wait until a server can listen on the port."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                assert time.monotonic() < deadline, "the dashboard still has its port"
                time.sleep(0.05)
            else:
                return


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """The output up to the line with these words."""
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError("".join(lines))


def analysed(folder: Path) -> int:
    connection = sqlite3.connect(folder / "mien.db")
    try:
        (row,) = connection.execute("select coalesce(sum(analysed), 0) from camera_minutes")
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()
    return int(row[0])


def wait_for_more_frames(folder: Path) -> None:
    before, deadline = analysed(folder), time.monotonic() + PATIENCE_S
    while analysed(folder) <= before:
        assert time.monotonic() < deadline, "no further frame was analysed"
        time.sleep(0.1)


def test_the_dashboard_ends_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    with demo(tmp_path) as (address, process):
        (dashboard,) = children(process.pid)
        limits = Path(f"/proc/{dashboard}/limits").read_text()
        assert "Max core file size        0                    0" in limits
        process.kill()
        wait_until_free(int(address.rpartition(":")[2]))


def test_a_dashboard_behind_a_base_path_is_announced_and_its_end_does_not_stop_the_cameras(
    tmp_path: Path,
) -> None:
    """With a proxy in the environment that would refuse every request."""
    port, proxy = free_port(), "http://127.0.0.1:9"
    variables = {
        "http_proxy": proxy,
        "HTTP_PROXY": proxy,
        "ALL_PROXY": proxy,
        "no_proxy": "",
        "STREAMLIT_SERVER_BASE_URL_PATH": "/shop/mien/",
    }
    with running(tmp_path, "run", "--source", "demo://till", "--port", port, variables=variables) as process:
        address = f"http://127.0.0.1:{port}/shop/mien"
        read_until(process, f"Dashboard: {address} ")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{address}/_stcore/health", timeout=PATIENCE_S) as answer:
            assert answer.status == 200
        wait_for_more_frames(tmp_path)
        (dashboard,) = children(process.pid)
        os.kill(dashboard, signal.SIGKILL)
        read_until(process, "the dashboard has ended; captures and workers continue")
        wait_for_more_frames(tmp_path)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output


def test_a_dashboard_that_cannot_start_does_not_stop_the_cameras(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "streamlit.py").write_text("raise SystemExit('this dashboard is broken')\n")
    variables = {"PYTHONPATH": str(tmp_path / "broken")}
    with running(
        tmp_path, "run", "--source", "demo://till", "--port", free_port(), variables=variables
    ) as process:
        read_until(process, "the dashboard has ended; captures and workers continue")
        wait_for_more_frames(tmp_path)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output


def test_an_unknown_time_zone_is_reported(tmp_path: Path) -> None:
    with running(
        tmp_path, "run", "--source", "demo://till", "--port", free_port(), variables={"TZ": "Mars/Olympus"}
    ) as process:
        read_until(
            process, "TZ='Mars/Olympus' is not a time zone, so hours and days are in UTC; set MIEN_TIMEZONE"
        )
