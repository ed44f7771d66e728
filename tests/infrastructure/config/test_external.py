"""The part `external`: services with names, and no default among them."""

from typing import Any

import pytest

from containers import Container
from containers.core import finding
from containers.errors import UnknownProviderError
from infrastructure.config import SettingsError
from infrastructure.config.schema import schemas
from infrastructure.connections.external.base import ExternalConnectionManager

pytestmark = pytest.mark.usefixtures("_kinds")


def test_a_service_has_a_name(host):
    settings = host.load("external: {instances: {wiki: {kind: fake}}}")
    assert settings.external.blocks().keys() == {"instances.wiki"}


def test_there_need_be_none(host):
    assert host.load().external.blocks() == {}


def test_a_default_is_an_unknown_key(host, problems_of):
    report = problems_of(host.load, "external: {default: {kind: fake}}")
    assert "external.default" in report
    assert "unknown key. Known: instances." in report


def test_a_wrong_service_is_one_problem_of_the_report(host):
    with pytest.raises(SettingsError, match=r"external\.instances\.wiki\.kind"):
        host.load("external: {instances: {wiki: {kind: wikki}}}")


def test_the_schema_offers_no_default():
    offered = schemas()["application-external"]["properties"]["external"]["properties"]
    assert offered.keys() == {"instances"}


def test_the_path_of_a_service_is_its_path_in_the_container(host):
    container = Container(settings=host.load("external: {instances: {wiki: {kind: fake}}}"))
    provider: Any = finding.find(container, "external.instances.wiki")
    assert provider is container.external.instances.wiki
    assert provider.port is ExternalConnectionManager


def test_asking_for_what_has_no_block_lists_what_there_is(host):
    container = Container(settings=host.load("external: {instances: {wiki: {kind: fake}}}"))
    with pytest.raises(UnknownProviderError, match=r"Did you mean 'external\.instances\.wiki'"):
        container.get("external.instances.wikki")
