from __future__ import annotations

import sys
import tomllib

import pytest

from dashboard import theme
from dashboard.launch import ADDRESSES, APP, command


@pytest.mark.parametrize("address", ADDRESSES)
def test_serves_this_machine(address: str) -> None:
    arguments = command(8600, address)
    assert arguments[:4] == [sys.executable, "-m", "streamlit", "run"]
    assert arguments[4] == str(APP)
    assert APP.is_file()
    assert arguments[5:] == ["--server.address", address, "--server.port", "8600"]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.4", "shop.example", "127.1.2.3"])
def test_refuses_an_address_that_others_reach(address: str) -> None:
    with pytest.raises(ValueError, match="no sign-in"):
        command(8600, address)


def test_settings_that_keep_visitors_and_operators_safe() -> None:
    config = tomllib.loads(theme.CONFIG.read_text())
    assert config["browser"]["gatherUsageStats"] is False
    assert config["client"]["showErrorDetails"] == "none"
    assert set(config["server"]["allowedHosts"]) == set(ADDRESSES)
    assert not {"enableCORS", "enableXsrfProtection"} & set(config["server"]), "both protections stay on"
