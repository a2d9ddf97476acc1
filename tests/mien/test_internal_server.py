"""The internal server answers whoever has the token of a running process, and nobody else."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from dashboard import internal_client
from dashboard.internal_client import ProcessRefused, ProcessUnreachable
from mien import internal_server
from mien.errors import StartError
from mien.internal_server import LARGEST_BODY, Answer, Request, Services, serve_internal
from mien.settings import load
from storage.engine import open_database
from storage.processes import Process, read_processes
from tests.support.processes import free_port

PATIENCE_S = 60.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/mien.db")
    yield engine
    engine.dispose()


def echo(request: Request) -> Answer:
    return Answer({"query": dict(request.query), "body": request.body.decode()})


def break_down(request: Request) -> Answer:
    raise RuntimeError("broken")


def refuse(request: Request) -> Answer:
    return Answer({"problem": "no such camera"}, HTTPStatus.CONFLICT)


ROUTES = {"GET /echo": echo, "POST /echo": echo, "GET /broken": break_down, "GET /refuse": refuse}
SERVICES = Services(True, False, ROUTES)


def wait_for_process(engine: sa.Engine) -> Process:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := read_processes(engine)):
        assert time.monotonic() < deadline, "the process is not in the table"
        time.sleep(0.01)
    return found[0]


@pytest.fixture
def process(engine: sa.Engine) -> Iterator[Process]:
    with serve_internal(load(), engine, SERVICES):
        yield wait_for_process(engine)


def ask(process: Process, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    parts = urlsplit(process.address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_the_dashboard_finds_a_process_and_gets_its_answers(process: Process) -> None:
    assert (process.captures, process.analyses) == (True, False)
    assert process.address.startswith("http://127.0.0.1:"), "this machine alone"
    answer = internal_client.call(process, "GET", "/echo", {"camera": "a&b ü"})
    assert answer == {"query": {"camera": "a&b ü"}, "body": ""}
    posted = internal_client.call(process, "POST", "/echo", content={"source": "0"})
    assert posted["body"] == '{"source": "0"}'


def test_without_the_token_nothing_is_answered(process: Process) -> None:
    wrong: list[Mapping[str, str]] = [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {process.token[:-1]}"},
        {"Authorization": f"Bearer {process.token}x"},
        {"Authorization": process.token},
        {"Authorization": "Bearer \xfc\xff"},
        {"Cookie": f"token={process.token}"},
    ]
    for headers in wrong:
        for method, path in (("GET", "/echo"), ("POST", "/echo"), ("GET", "/unknown")):
            status, body = ask(process, method, path, headers)
            assert (status, body) == (403, b'{"problem": "the token is missing or wrong"}'), headers
    assert ask(process, "GET", f"/echo?token={process.token}", {})[0] == 403


def test_the_token_is_in_no_log(engine: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serve_internal(load(), engine, SERVICES):
        process = wait_for_process(engine)
        internal_client.call(process, "GET", "/echo")
        with pytest.raises(ProcessRefused) as refused:
            internal_client.call(replace(process, token="wrong"), "GET", "/echo")
    with pytest.raises(ProcessUnreachable) as unreachable:
        internal_client.call(process, "GET", "/echo")
    shown = f"{caplog.text} {refused.value} {unreachable.value} {process!r}"
    assert process.token not in shown


def test_what_a_process_does_not_offer_is_refused(process: Process) -> None:
    for method, path in (("GET", "/preview"), ("DELETE", "/echo"), ("GET", "/echo/..")):
        with pytest.raises(ProcessRefused, match=r"this process does not offer it"):
            internal_client.call(process, method, path)
    with pytest.raises(ProcessRefused, match="no such camera"):
        internal_client.call(process, "GET", "/refuse")
    with pytest.raises(ProcessRefused, match=f"more than {LARGEST_BODY} bytes"):
        internal_client.call(process, "POST", "/echo", content={"x": "y" * LARGEST_BODY})


def test_a_handler_that_fails_is_no_answer(process: Process, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ProcessUnreachable, match="failed to answer; its log says why"):
        internal_client.call(process, "GET", "/broken")
    assert "a request failed: broken" in caplog.text
    assert internal_client.call(process, "GET", "/echo")["body"] == ""


def test_an_address_that_does_not_answer_is_named_with_what_to_check(process: Process) -> None:
    nobody = replace(process, address=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ProcessUnreachable, match=r"does not answer at http://127.*connection refused.*check"):
        internal_client.call(nobody, "GET", "/echo")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ProcessUnreachable, match="timed out"):
            internal_client.call(replace(process, address=address), "GET", "/echo", timeout_s=0.2)


def test_a_long_answer_is_not_displaced_by_connections_without_a_token(engine: sa.Engine) -> None:
    started, finish = threading.Event(), threading.Event()

    def wait(request: Request) -> Answer:
        started.set()
        assert finish.wait(PATIENCE_S)
        return Answer({"done": True})

    answers: list[Mapping[str, Any]] = []
    services = Services(True, True, {"GET /wait": wait, "GET /echo": echo})
    with serve_internal(load(), engine, services), ExitStack() as clients:
        process = wait_for_process(engine)

        def call() -> None:
            answers.append(internal_client.call(process, "GET", "/wait", timeout_s=PATIENCE_S))

        thread = threading.Thread(target=call)
        thread.start()
        assert started.wait(PATIENCE_S)
        parts = urlsplit(process.address)
        for _ in range(40):
            clients.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0)))
        assert internal_client.call(process, "GET", "/echo", timeout_s=PATIENCE_S)["body"] == ""
        finish.set()
        thread.join()
    assert answers == [{"done": True}]


def test_an_address_or_a_port_that_cannot_be_used_is_named(engine: sa.Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(
                StartError, match=rf"^internal_port {port}: .*; choose another with MIEN_INTERNAL_PORT$"
            ),
            serve_internal(load(internal_port=port), engine, SERVICES),
        ):
            pass
    with (
        pytest.raises(StartError, match=r"^internal_address 192\.0\.2\.1: .* with MIEN_INTERNAL_ADDRESS$"),
        serve_internal(load(internal_address="192.0.2.1"), engine, SERVICES),
    ):
        pass
    assert read_processes(engine) == []


def test_of_any_address_the_host_name_is_stored(engine: sa.Engine) -> None:
    with serve_internal(load(internal_address="0.0.0.0"), engine, SERVICES) as url:
        port = urlsplit(url).port
        assert wait_for_process(engine).address == f"http://{socket.gethostname()}:{port}"


def test_an_unavailable_database_ends_no_process(
    tmp_path: Path, engine: sa.Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(internal_server, "RENEW_EVERY_S", 0.01)
    with serve_internal(load(), engine, SERVICES):
        process = wait_for_process(engine)
        (tmp_path / "mien.db").rename(tmp_path / "away.db")
        deadline = time.monotonic() + PATIENCE_S
        while "cannot find this process" not in caplog.text:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert internal_client.call(process, "GET", "/echo")["body"] == ""
    assert caplog.text.count("cannot find this process") == 1
