from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from dashboard import theme
from dashboard.launch import ADDRESSES, SERVER, allowed_hosts, check, command
from dashboard.server import create_middleware
from mien.settings import Settings

FILE = Path("users.json")
URL = "https://shop.example"


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_command_serves_this_machine(address: str) -> None:
    arguments = command(8600, address)
    assert arguments[:2] == [sys.executable, "-P"]
    served = arguments[arguments.index("streamlit") :]
    assert served == ["streamlit", "run", str(SERVER), "--server.address", address, "--server.port", "8600"]
    assert SERVER.is_file()


def test_the_command_names_the_base_path_of_a_reverse_proxy() -> None:
    assert command(8600, base_path="shop/mien")[-2:] == ["--server.baseUrlPath", "shop/mien"]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.4", "shop.example", "127.1.2.3"])
def test_an_address_that_other_machines_may_reach_needs_sign_in(address: str) -> None:
    with pytest.raises(ValueError, match="set users_file or oidc_issuer") as caught:
        check(Settings(dashboard_address=address))
    assert "\n" not in str(caught.value)
    assert check(Settings(dashboard_address=address, dashboard_trusted_network=True)) == []
    (warning,) = check(Settings(dashboard_address=address, users_file=FILE))
    assert "without encryption" in warning
    assert check(Settings(dashboard_address=address, users_file=FILE, dashboard_url=URL)) == []


def test_an_address_of_a_proxy_needs_sign_in() -> None:
    with pytest.raises(
        ValueError, match=r"dashboard_url https://shop.example: .* set users_file or oidc_issuer"
    ):
        check(Settings(dashboard_url=URL))
    assert check(Settings(dashboard_url=URL, users_file=FILE)) == []
    assert check(Settings(dashboard_url="http://localhost:8443")) == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_loopback_address_needs_no_sign_in(address: str) -> None:
    assert check(Settings(dashboard_address=address)) == []


def test_sign_in_by_a_provider_needs_the_address_for_browsers_and_a_client() -> None:
    issuer = "https://login.example"
    with pytest.raises(ValueError, match="dashboard_url: is missing"):
        check(Settings(oidc_issuer=issuer, oidc_client_id="mien"))
    with pytest.raises(ValueError, match="oidc_client_id: is missing"):
        check(Settings(oidc_issuer=issuer, dashboard_url=URL))
    assert check(Settings(oidc_issuer=issuer, dashboard_url=URL, oidc_client_id="mien")) == []


def test_the_path_of_the_address_for_browsers_is_the_base_path() -> None:
    for base_path in ("", "shop/mien"):
        with pytest.raises(ValueError, match=r"dashboard_url .*: its path is not dashboard_base_path"):
            check(Settings(dashboard_url=f"{URL}/mien", dashboard_base_path=base_path, users_file=FILE))
    found = check(Settings(dashboard_url=f"{URL}/mien/", dashboard_base_path="mien", users_file=FILE))
    assert found == []


def test_browsers_may_use_the_names_that_the_settings_give() -> None:
    assert allowed_hosts(Settings()) == []
    assert allowed_hosts(Settings(users_file=FILE)) == [*ADDRESSES]
    assert allowed_hosts(Settings(users_file=FILE, dashboard_address="0.0.0.0")) == ["*"]
    named = Settings(users_file=FILE, dashboard_address="0.0.0.0", dashboard_url=URL)
    assert allowed_hosts(named) == [*ADDRESSES, "shop.example"]
    assert command(8600, hosts=["a.example"])[-2:] == ["--server.allowedHosts", "a.example"]


def test_the_server_itself_refuses_an_open_address() -> None:
    with pytest.raises(ValueError, match="set users_file or oidc_issuer"):
        create_middleware(Settings(dashboard_address="0.0.0.0"))


def test_the_configuration_protects_visitors_and_operators() -> None:
    config = tomllib.loads(theme.CONFIG.read_text())
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"
    assert set(config["server"]["allowedHosts"]) == set(ADDRESSES)
    assert not {"enableCORS", "enableXsrfProtection"} & set(config["server"]), "both protections stay enabled"


def test_a_run_of_a_page_does_not_stop_all_others_for_a_collection() -> None:
    """It would take 0.1 s of every refresh of every viewer."""
    assert tomllib.loads(theme.CONFIG.read_text())["runner"]["postScriptGC"] is False
