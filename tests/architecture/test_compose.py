"""The servers of compose.yaml are pinned, kept on this machine, and checked."""

import re
from typing import Any

import pytest
import yaml

from tests.architecture.sources import ROOT

SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
with_each_service = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))


@with_each_service
def test_version_is_pinned(service: dict[str, Any]) -> None:
    assert re.search(r":v?\d+\.\d+\.\d+", service["image"])


@with_each_service
def test_ports_are_open_on_this_machine_only(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:${") for port in service["ports"])


@with_each_service
def test_server_is_waited_for(service: dict[str, Any]) -> None:
    assert service["healthcheck"]["test"][0].startswith("CMD")


@with_each_service
def test_password_comes_from_a_variable_with_a_default_for_work(service: dict[str, Any]) -> None:
    secrets = [
        value for name, value in service["environment"].items() if re.search("PASSWORD|KEY", name)
    ]
    assert secrets
    assert all(re.fullmatch(r"\$\{\w+:-switchgear-dev\}", value) for value in secrets)
