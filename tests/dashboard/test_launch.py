from __future__ import annotations

import sys
import tomllib

import pytest

from dashboard import theme
from dashboard.launch import ADDRESSES, SERVER, command


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
def test_an_address_that_other_machines_may_reach_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="no sign-in"):
        command(8600, address)


def test_the_configuration_protects_visitors_and_operators() -> None:
    config = tomllib.loads(theme.CONFIG.read_text())
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"
    assert set(config["server"]["allowedHosts"]) == set(ADDRESSES)
    assert not {"enableCORS", "enableXsrfProtection"} & set(config["server"]), "both protections stay enabled"
