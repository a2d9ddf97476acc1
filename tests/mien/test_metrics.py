"""Metrics and liveness over HTTP, and that every metric is documented."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from bus.embedded import EmbeddedBus, EmbeddedReader
from bus.messages import CameraMinute, CameraState, Frame, Partition, Results
from mien.errors import StartError
from mien.health_server import serve
from mien.metrics import ALIVE_S, MeasuredReader, MeasuredStore, Metrics
from storage.engine import open_database
from storage.writer import Writer

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
NOW = 1_700_000_000_000_000


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Lagging:
    """An embedded reader that reports a lag, as a reader on Kafka does."""

    partitions = (3, 5)

    def __init__(self, reader: EmbeddedReader) -> None:
        self.poll, self.acknowledge, self.close = reader.poll, reader.acknowledge, reader.close
        self.hold, self.reject, self.resume = reader.hold, reader.reject, reader.resume

    def lag(self) -> Mapping[Partition, int]:
        return {Partition("frames", number): 7 for number in self.partitions}


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


def test_the_metrics_count_what_was_stored(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    metrics = Metrics()
    store = MeasuredStore(Writer(engine), metrics)
    store.count(CameraMinute("door", 0, captured=2, dropped={"buffer full": 2}))
    metrics.update_captured({"door": 3})
    metrics.update_captured({"door": 5})
    store.write(Results(minutes=(CameraMinute("door", 0, analysed=2, stale=1),)), {})
    with serve(metrics, "127.0.0.1", 0) as url:
        text = fetched(f"{url}/metrics")
    engine.dispose()
    assert 'mien_frames_total{camera="door",outcome="captured"} 5.0' in text
    assert 'mien_frames_total{camera="door",outcome="stale"} 1.0' in text
    assert 'mien_drops_total{camera="door",reason="buffer full"} 2.0' in text


def test_capture_to_row_measures_each_stored_frame_once_unless_it_was_stale() -> None:
    metrics = Metrics()
    bus = EmbeddedBus()
    writer = bus.writer()
    inner = Lagging(bus.reader([0], lambda _: {}))
    reader = MeasuredReader(inner, metrics, 2_000_000, lambda: NOW)
    for seq, age in enumerate((100_000, 300_000, 5_000_000)):
        writer.publish(Frame("door", NOW - age, seq, NOW, 8, 8, b"\xff\xd8" + b"x" * 9))
    batch = reader.poll(10, 0.1)
    assert value(metrics, "mien_frame_age_seconds") == 5, "the newest one is stale: workers are too slow"
    reader.acknowledge(batch.positions)
    reader.acknowledge(batch.positions)
    assert value(metrics, "mien_capture_to_row_seconds_count") == 2
    assert value(metrics, "mien_capture_to_row_seconds_sum") == pytest.approx(0.4)
    assert value(metrics, "mien_lag_records", partition="3") == 7


def test_cameras_are_counted_by_the_state_that_they_have_now() -> None:
    metrics = Metrics()
    states = [CameraState.ONLINE, CameraState.RETRYING, CameraState.RETRYING]
    metrics.follow_states(lambda: states)
    assert value(metrics, "mien_cameras", state="retrying") == 2
    states.remove(CameraState.RETRYING)
    assert value(metrics, "mien_cameras", state="retrying") == 1
    assert value(metrics, "mien_cameras", state="online") == 1


def test_the_lag_of_a_partition_that_a_reader_has_lost_is_no_metric_any_more() -> None:
    metrics = Metrics()
    inner = Lagging(EmbeddedBus().reader([0], lambda _: {}))
    reader = MeasuredReader(inner, metrics, 2_000_000, lambda: NOW)
    reader.poll(10, 0.0)
    assert value(metrics, "mien_lag_records", partition="5") == 7
    inner.partitions = (3,)
    reader.poll(10, 0.0)
    assert value(metrics, "mien_lag_records", partition="5") is None
    assert value(metrics, "mien_lag_records", partition="3") == 7
    reader.close()
    assert value(metrics, "mien_lag_records", partition="3") is None


def test_a_process_without_heartbeat_is_not_alive() -> None:
    clock = Clock()
    metrics = Metrics(clock)
    with serve(metrics, "127.0.0.1", 0) as url:
        assert fetched(f"{url}/healthz") == "alive\n"
        clock.now += ALIVE_S
        with pytest.raises(urllib.error.HTTPError, match="503") as refused:
            fetched(f"{url}/healthz")
        with refused.value as answer:
            assert answer.read() == b"no heartbeat for 60 s\n"
        metrics.record_heartbeat()
        assert fetched(f"{url}/healthz") == "alive\n"


def test_a_port_in_use_is_reported_in_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StartError, match=f"health_port {port}: Address already in use"):  # noqa: SIM117
            with serve(Metrics(), "127.0.0.1", port):
                pass


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "2001:db8::zz", "\N{SNOWMAN}" * 70], ids=["other", "no address", "no name"]
)
def test_an_address_that_cannot_be_used_is_named_and_not_the_port(address: str) -> None:
    with pytest.raises(StartError) as caught:  # noqa: SIM117
        with serve(Metrics(), address, 0):
            pass
    assert str(caught.value).startswith(f"health_address {address}: ")
    assert str(caught.value).endswith("; choose an address of this machine with MIEN_HEALTH_ADDRESS")


def test_every_metric_is_documented() -> None:
    exported = {metric.name for metric in Metrics().registry.collect()}
    documented = set(re.findall(r"`(mien_\w+?)(?:_total)?`", DOCS.read_text()))
    assert exported == documented


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)
