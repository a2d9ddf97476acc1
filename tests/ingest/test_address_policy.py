"""Where cameras may be: every way to write an address is judged by what it leads to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_address
from typing import Any

import pytest

from ingest.address_policy import (
    DEFAULT_POLICY,
    NO_STREAM,
    NOT_ALLOWED,
    AddressPolicy,
    Service,
    describe_to_browser,
    parse_network,
    parse_networks,
)
from ingest.errors import IngestError, SourceError, SourceLost
from ingest.network import Address
from ingest.sources import SourceRules, check_browser_source, check_source, open_source

EVERYWHERE = AddressPolicy(parse_networks(["0.0.0.0/0", "::/0"]))
NEVER = [
    *("0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1"),
    *("255.255.255.255", "192.0.0.192", "100.100.100.200", "168.63.129.16"),
    *("::", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "fd00:ec2::254"),
    *("::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::169.254.169.254", "::ffff:0.0.0.0"),
    *("64:ff9b::169.254.169.254", "64:ff9b:1::169.254.169.254", "2002:a9fe:a9fe::1", "2001:0:a9fe:a9fe::"),
    "2001:0:1:1:0:0:5601:5601",
]
OUTSIDE = [
    "8.8.8.8",
    "172.32.0.1",
    "192.169.0.1",
    "11.0.0.1",
    "100.128.0.1",
    "2001:4860::8888",
    "::ffff:8.8.8.8",
]
INSIDE = [
    "10.0.0.5",
    "172.16.0.1",
    "192.168.1.20",
    "100.64.0.7",
    "127.0.0.1",
    "fd12::7",
    "::1",
    "::ffff:10.0.0.5",
]


def refuses(policy: AddressPolicy, host: str, port: int = 554) -> bool:
    try:
        policy.judge(host, port)
    except IngestError as error:
        return str(error) == NOT_ALLOWED
    return False


@contextmanager
def names(monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> Iterator[list[str]]:
    """A resolver that knows these names (`_` for a dot), one answer after the other; what it was asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
        name = str(host).replace(".", "_")
        if name not in addresses:
            return real(host, port, *arguments, **named)
        asked.append(str(host))
        found = addresses[name][min(asked.count(str(host)), len(addresses[name])) - 1]
        return [info for each in found.split() for info in real(each, port, type=socket.SOCK_STREAM)]

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", resolve)
        yield asked


@pytest.mark.parametrize("host", NEVER)
def test_some_addresses_are_refused_whatever_is_allowed(host: str) -> None:
    assert refuses(EVERYWHERE, host)
    assert refuses(DEFAULT_POLICY, host)


@pytest.mark.parametrize("host", OUTSIDE)
def test_public_addresses_are_refused_unless_they_are_allowed(host: str) -> None:
    assert refuses(DEFAULT_POLICY, host)
    assert not refuses(EVERYWHERE, host)
    assert not refuses(AddressPolicy(parse_networks([host.removeprefix("::ffff:")])), host)


@pytest.mark.parametrize("host", INSIDE)
def test_private_networks_and_this_machine_are_allowed(host: str) -> None:
    assert DEFAULT_POLICY.judge(host, 554) == (str(ip_address(host)),)
    assert refuses(AddressPolicy(parse_networks(["192.168.7.0/24"])), host)


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.1", "017700000001", "0x7f.1"]
)
def test_another_notation_of_this_machine_is_refused(host: str) -> None:
    assert refuses(EVERYWHERE, host)
    assert refuses(DEFAULT_POLICY.without_this_machine(), host)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://0x0a000005/", "10.0.0.5"),
        ("http://167772165/", "10.0.0.5"),
        ("http://10.5/", "10.0.0.5"),
        ("http://012.0.0.5/", "10.0.0.5"),
        ("http://１０.0.0.５/", "10.0.0.5"),
        ("http://10。0。0。5/", "10.0.0.5"),
        ("rtsp://[::ffff:10.0.0.5]/", "::ffff:a00:5"),
    ],
)
def test_another_notation_is_judged_by_what_it_resolves_to(url: str, address: str) -> None:
    parsed = Address.parse(url)
    (judged,) = DEFAULT_POLICY.judge(parsed.host, parsed.port)
    assert judged == address
    assert refuses(AddressPolicy(parse_networks(["192.168.0.0/16"])), parsed.host)


@pytest.mark.parametrize(
    "url",
    [
        *("http://0xa9fea9fe/", "http://2852039166/", "http://169.254.43518/", "http://0251.0376.0251.0376/"),
        *(
            "http://１６９.254.169.254/",
            "http://169。254。169。254/",
            "http://[fe80::1%25eth0]/",
            "http://0/",
        ),
        *("http://[::]/", "http://0.0.0.0/"),
    ],
)
def test_a_link_local_address_in_any_notation_is_refused(url: str) -> None:
    assert refuses(EVERYWHERE, Address.parse(url).host)


def test_a_name_leads_to_this_machine_only_if_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with names(monkeypatch, cam_test=["127.0.0.1"], six_test=["::1"]):
        assert refuses(EVERYWHERE, "cam.test")
        assert refuses(EVERYWHERE, "six.test")
    for host in ("localhost", "LocalHost"):
        assert "127.0.0.1" in DEFAULT_POLICY.judge(host, 554)


def test_of_several_addresses_of_a_name_the_allowed_ones_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with names(monkeypatch, cam_test=["8.8.8.8 10.0.0.5 169.254.169.254 10.0.0.6 10.0.0.5"]):
        assert DEFAULT_POLICY.judge("cam.test", 554) == ("10.0.0.5", "10.0.0.6")


def test_a_name_that_is_refused_may_be_allowed_later_and_an_address_never(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with names(monkeypatch, cam_test=["8.8.8.8", "10.0.0.5"]):
        with pytest.raises(SourceLost, match="not allowed"):
            DEFAULT_POLICY.judge("cam.test", 554)
        assert DEFAULT_POLICY.judge("cam.test", 554) == ("10.0.0.5",)
    with pytest.raises(SourceError, match="not allowed"):
        DEFAULT_POLICY.judge("8.8.8.8", 554)
    with pytest.raises(SourceLost, match="cannot be resolved"):
        DEFAULT_POLICY.judge("no-such-host.invalid", 554)


def test_services_of_mien_are_refused_by_address_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    services = (
        Service("127.0.0.1", 8501),
        Service("db.test", 5432),
        Service("10.0.0.9", 9092),
        Service("away.invalid", 9092),
        Service("0.0.0.0", 9100),
    )
    policy = AddressPolicy(EVERYWHERE.networks, services)
    with names(monkeypatch, db_test=["10.0.0.7"], alias_test=["10.0.0.7"]):
        for host, port in (
            ("127.0.0.1", 8501),
            ("127.0.0.2", 8501),
            ("::1", 8501),
            ("localhost", 8501),
            ("10.0.0.7", 5432),
            ("::ffff:10.0.0.7", 5432),
            ("alias.test", 5432),
            ("10.0.0.9", 9092),
            ("127.0.0.1", 9100),
            ("::1", 9100),
        ):
            assert refuses(policy, host, port), (host, port)
        for host, port in (("127.0.0.1", 8502), ("10.0.0.7", 554), ("10.0.0.8", 5432), ("10.0.0.9", 9093)):
            assert not refuses(policy, host, port), (host, port)


def test_every_own_address_of_this_machine_counts_as_this_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no route")
        own = probe.getsockname()[0]
    assert refuses(AddressPolicy(EVERYWHERE.networks, (Service("0.0.0.0", 8501),)), own, 8501)
    assert refuses(EVERYWHERE.without_this_machine(), own)
    assert not refuses(EVERYWHERE, own, 8502)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "cam.local", "", "10.0.0.0-10.0.0.9"])
def test_a_network_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|permitted|bits"):
        parse_network(text)


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_the_connection_is_made_to_the_address_that_was_judged(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """A name that resolves to an allowed address first and to a refused one afterwards (DNS rebinding)."""
    with socket.create_server(("127.0.0.1", 0)) as refused:
        port = refused.getsockname()[1]
        policy = AddressPolicy(parse_networks(["127.0.0.0/8"]), (Service("127.0.0.1", 1),))
        with names(monkeypatch, localhost=["127.0.0.2", "127.0.0.1"]) as asked:
            with pytest.raises(SourceLost, match=r"no connection: connection refused"):
                open_source(f"{scheme}://localhost:{port}/x", open_timeout=5, policy=policy)
            assert asked == ["localhost"], "resolved once"
        refused.settimeout(0)
        with pytest.raises(BlockingIOError):
            refused.accept()


@pytest.mark.parametrize("scheme", ["http", "rtsp", "https", "rtsps"])
def test_nothing_is_sent_to_an_address_that_is_not_allowed(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        policy = AddressPolicy(parse_networks(["10.0.0.0/8"]))
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "127.1", "localhost"):
            with pytest.raises(IngestError, match="not allowed"):
                open_source(f"{scheme}://{host}:{port}/x", policy=policy)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_open_and_closed_ports_look_the_same_from_a_browser(scheme: str) -> None:
    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with closing(connection):
            connection.recv(4096)
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")

    told = set()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,), daemon=True)
        thread.start()
        for port, policy in (
            (server.getsockname()[1], EVERYWHERE),
            (1, EVERYWHERE),
            (1, AddressPolicy(())),
        ):
            with pytest.raises(IngestError) as caught:
                open_source(f"{scheme}://127.0.0.1:{port}/x", open_timeout=5, read_timeout=5, policy=policy)
            told.add(describe_to_browser(caught.value))
    assert told == {NO_STREAM}


@pytest.mark.parametrize(
    "source",
    [
        *("0", "clip.mp4", "/etc", "file:///etc/passwd", "demo:till", "ftp://10.0.0.5/", "HTTP:/10.0.0.5"),
        *("http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://2130706433/", "http://8.8.8.8/"),
        *(
            "http://169.254.169.254/latest",
            "http://no-such-host.invalid/",
            "http://10.0.0.5/?x=1",
            "rtsp://u@10.0.0.5/",
        ),
        *(
            "rtsp://${HOST}/",
            "http://u:${HOME}@10.0.0.5/",
            "rtsp://10.0.0.5:99999/",
            "http://10.0.0.5\\@127.0.0.1/",
        ),
    ],
)
def test_a_source_from_a_browser_is_a_camera_of_another_machine(source: str) -> None:
    rules = SourceRules({"HOST": "10.0.0.5", "HOME": "/root"})
    with pytest.raises(SourceError):
        check_browser_source(source, rules)


def test_a_camera_in_a_private_network_is_accepted_from_a_browser() -> None:
    rules = SourceRules({"MIEN_CAMERA_A": "secret"})
    check_browser_source("rtsp://viewer:${MIEN_CAMERA_A}@10.0.0.5:554/stream?channel=1", rules)
    check_browser_source("HTTPS://[fd00::7]/video", rules)


def test_refused_addresses_are_found_before_a_camera_is_stored() -> None:
    for source in ("http://8.8.8.8/", "rtsp://169.254.169.254/x"):
        with pytest.raises(SourceError, match="not allowed"):
            check_source(source, SourceRules())
    check_source("http://camera-that-is-off.invalid/", SourceRules())


def test_a_simulated_camera_may_come_from_a_browser() -> None:
    check_browser_source("demo://till", SourceRules({}))
