"""Rules that `compose.yaml` must keep: privileges, open ports, and names that agree with the program."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from mien.cli.demo import CAMERAS
from mien.metrics import Metrics
from mien.settings import PREFIX, Settings, load

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: Mapping[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (ROOT / "compose.env.example").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()

ONCE = {"migrate", "topics", "demo"}
ROLES = {
    "migrate": "owner",
    "maintain": "owner",
    "demo": "writer",
    "ingest": "writer",
    "inference": "writer",
    "dashboard": "operator",
}
READERS = {
    "MIEN_TIMEZONE": {"ingest", "inference", "maintain", "dashboard"},
    "MIEN_SUPPRESS_BELOW": {"migrate", "ingest", "inference", "dashboard"},
    "MIEN_FPS": {"ingest", "dashboard"},
}
"""The services whose commands read a setting of `.env`: opening hours, roll-ups and pages need the time zone;
the views for analysts, alerts and pages k; captures and the page Cameras the frame rate."""
NEEDED = re.compile(r"\$\{([A-Z_]+):\?[^}]+\}")
OPTIONAL = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")

every_service = pytest.mark.parametrize("name", SERVICES)


def environment(name: str) -> dict[str, str]:
    return SERVICES[name].get("environment", {})


def own_services() -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, service) for name, service in SERVICES.items() if service["image"].startswith("mien:"))


def test_every_service_is_documented() -> None:
    assert set(SERVICES) == {*ROLES, "kafka", "postgres", "topics", "prometheus", "grafana"}
    page = (ROOT / "docs" / "operations.md").read_text()
    assert [name for name in SERVICES if f"`{name}`" not in page] == []


@every_service
def test_a_service_has_minimal_privileges(name: str) -> None:
    service = SERVICES[name]
    user = service["user"].partition(":")[0]
    assert user.isdigit()
    assert int(user) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["ulimits"] == {"core": 0}
    assert not service.keys() & {
        "privileged",
        "cap_add",
        "devices",
        "network_mode",
        "pid",
        "ipc",
        "userns_mode",
    }
    assert all("docker.sock" not in str(volume) for volume in service.get("volumes", []))
    assert any(mount.startswith("/tmp:") and "size=" in mount for mount in service["tmpfs"])


@every_service
def test_a_service_has_limits(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert 0 < service["cpus"] <= 1, "Docker refuses more cores than the machine has"
    assert 0 < service["pids_limit"] <= 512
    assert service["logging"]["options"]["max-size"]


@every_service
def test_a_service_has_a_health_check_or_ends_by_itself(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    if name in ONCE:
        assert check == {"disable": True}
        assert SERVICES[name]["restart"].startswith("on-failure")
        waited_for = [
            each["depends_on"][name] for each in SERVICES.values() if name in each.get("depends_on", {})
        ]
        assert waited_for
        assert all(each["condition"] == "service_completed_successfully" for each in waited_for)
    else:
        assert check["test"][0] == "CMD"
        assert SERVICES[name]["restart"] == "unless-stopped"
        assert {"interval", "timeout", "retries", "start_period"} <= check.keys()


def test_no_health_check_goes_through_a_proxy() -> None:
    checks = {name: str(service["healthcheck"]) for name, service in SERVICES.items()}
    assert [name for name, check in checks.items() if "urllib" in check] == []
    for name, check in checks.items():
        if "http.client" in check:
            compile(SERVICES[name]["healthcheck"]["test"][-1], name, "exec")


@every_service
def test_a_service_starts_after_its_dependencies_are_ready(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        ready = "service_completed_successfully" if other in ONCE else "service_healthy"
        assert wait["condition"] == ready
        optional = bool(SERVICES[other].get("profiles")) and not SERVICES[name].get("profiles")
        assert wait.get("required", True) is not optional


@every_service
def test_images_are_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.match(r"v?\d+\.\d+(\.\d+)?(-[a-z]+)?$", tag), SERVICES[name]["image"]


def test_the_image_has_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {service["image"] for _, service in own_services()} == {f"mien:{version}"}
    assert {service["pull_policy"] for _, service in own_services()} == {"never"}
    assert [name for name, service in SERVICES.items() if "build" in service] == ["migrate"]


def test_only_the_dashboard_is_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"dashboard": ["127.0.0.1:${DASHBOARD_PORT:-8501}:8501"]}
    external = {name for name, network in COMPOSE["networks"].items() if not network.get("internal")}
    users = {net: [n for n, s in SERVICES.items() if net in s["networks"]] for net in external}
    assert users == {"cameras": ["ingest"], "page": ["dashboard"]}


def test_each_service_joins_only_the_networks_that_it_needs() -> None:
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert networks["dashboard"] == {"database", "internal", "page"}
    asked = {name for name in networks if "MIEN_INTERNAL_ADDRESS" in environment(name)}
    assert asked == {"ingest", "inference"}
    assert asked | {"dashboard"} == {name for name, joined in networks.items() if "internal" in joined}
    assert networks["postgres"] == {"database"}
    assert networks["kafka"] == {"bus"}
    assert {name for name, service in SERVICES.items() if "MIEN_BUS" in environment(name)} == {
        name for name, joined in networks.items() if "bus" in joined
    } - {"kafka"}


def test_each_service_uses_the_role_with_the_fewest_privileges() -> None:
    found = {}
    for name in SERVICES:
        url = environment(name).get("MIEN_DATABASE")
        if url is None:
            assert "PGPASSWORD" not in environment(name)
            continue
        role = re.fullmatch(r"postgresql://([a-z]+)@postgres/mien", url)
        assert role, f"{name}: the URL must not contain a password"
        found[name] = role[1]
        assert NEEDED.fullmatch(environment(name)["PGPASSWORD"])[1] == f"{role[1].upper()}_PASSWORD"  # type: ignore[index]
    assert found == ROLES


@every_service
def test_passwords_come_from_variables_that_must_be_set(name: str) -> None:
    for variable, value in environment(name).items():
        if "PASSWORD" in variable:
            assert NEEDED.fullmatch(value), f"{variable}={value}"
    assert not re.search(r"://[^/@:\s]+:[^@/\s]+@", str(SERVICES[name]))


def test_the_example_file_names_every_variable_and_contains_no_password() -> None:
    text = (ROOT / "compose.yaml").read_text()
    needed = {found[1] for found in NEEDED.finditer(text)}
    optional = {found[1]: found[2] for found in OPTIONAL.finditer(text)}
    assert set(re.findall(r"^([A-Z_]+)=$", EXAMPLE, re.M)) == needed
    assert dict(re.findall(r"^#([A-Z_]+)=(.+)$", EXAMPLE, re.M)) == optional
    explained = r"\$\{MIEN_CAMERA_\.\.\.\}"
    assert text.count("${") == len(re.findall(f"{NEEDED.pattern}|{OPTIONAL.pattern}|{explained}", text))


@pytest.mark.parametrize("name", [name for name, _ in own_services()])
def test_every_setting_exists_and_has_a_valid_value(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {key: value for key, value in environment(name).items() if key.startswith(PREFIX)}
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    assert given.keys() <= known
    for variable, value in given.items():
        assert isinstance(value, str)
        monkeypatch.setenv(variable, OPTIONAL.sub(lambda found: found[2], value))
    load()


def test_a_setting_of_the_env_file_is_the_same_in_every_service_that_reads_it() -> None:
    found: dict[str, dict[str, str]] = {}
    for name, _ in own_services():
        for variable, value in environment(name).items():
            if variable.startswith(PREFIX) and OPTIONAL.search(value):
                found.setdefault(variable, {})[name] = value
    assert found.keys() == READERS.keys()
    for variable, readers in READERS.items():
        assert readers <= found[variable].keys(), f"{variable} is missing in a service"
        assert len(set(found[variable].values())) == 1


def test_the_demo_profile_has_the_same_cameras_as_mien_demo() -> None:
    cameras = load(ROOT / "compose" / "demo.yaml").cameras
    assert {camera.id: camera.name for camera in cameras} == CAMERAS
    assert [camera.source for camera in cameras] == [f"demo://{camera_id}" for camera_id in CAMERAS]
    assert SERVICES["demo"]["profiles"] == ["demo"]


def test_the_grafana_board_queries_only_existing_metrics() -> None:
    source = yaml.safe_load((ROOT / "compose/grafana/datasources/prometheus.yaml").read_text())[
        "datasources"
    ][0]
    known = {
        sample
        for metric in Metrics().registry.collect()
        for sample in (
            metric.name,
            *(f"{metric.name}_{part}" for part in ("total", "bucket", "sum", "count")),
        )
    }
    panels = json.loads((ROOT / "compose/grafana/boards/mien.json").read_text())["panels"]
    assert len(panels) > 10
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
        for target in panel["targets"]:
            assert set(re.findall(r"mien_\w+", target["expr"])) <= known, target["expr"]


def test_prometheus_scrapes_every_service_with_metrics() -> None:
    jobs = yaml.safe_load((ROOT / "compose/prometheus/prometheus.yml").read_text())["scrape_configs"]
    scraped = {job["job_name"]: job["dns_sd_configs"][0] for job in jobs}
    serving = {name for name in SERVICES if "MIEN_HEALTH_PORT" in environment(name)}
    assert scraped.keys() == serving
    for name, where in scraped.items():
        assert where["names"] == [name]
        assert str(where["port"]) == environment(name)["MIEN_HEALTH_PORT"]
        assert "metrics" in SERVICES[name]["networks"]


def test_every_mounted_file_exists_and_is_read_only() -> None:
    mounted = [
        volume.split(":")
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if volume[0] == "."
    ]
    assert mounted
    for source, _, mode in mounted:
        assert (ROOT / source).exists()
        assert mode == "ro"


def test_the_image_has_one_pinned_base_and_runs_as_the_user_of_the_services() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", bases[0])
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.M)
    assert {service["user"] for _, service in own_services()} == set(users)


def test_the_build_context_holds_every_package_and_nothing_else() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"][
        "include"
    ]
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    included = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    packages = {name.rstrip("*") for name in wanted}
    assert included == packages | {"bin", "pyproject.toml", "requirements", "README.md", "LICENSE"}


def test_the_broker_has_the_version_that_all_other_tests_use() -> None:
    pom = (ROOT / "tests/support/kafka/pom.xml").read_text()
    (version,) = re.findall(r"<kafka.version>(.+)</kafka.version>", pom)
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version}"
