"""Whether what a test requires is here: the packages of an extra, and a local server."""

import re
from importlib import metadata

import pytest

from containers.testing.services import SERVERS, server_type

_DISTRIBUTION = "switchgear"
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(?:\[(?P<extras>[^\]]+)\])?")
_EXTRA = re.compile(r"extra\s*==\s*['\"](?P<extra>[\w.-]+)['\"]")


def reason_missing(name: str) -> str:
    """Why `name`, an extra or the kind of a server, cannot be had; empty when it can.

    Fails the test where nothing has that name.
    """
    extras = _extras()
    if name not in extras and name not in SERVERS:
        known = ", ".join(sorted({*extras, *SERVERS}))
        pytest.fail(f"requires('{name}'): unknown; there are: {known}", pytrace=False)
    missing = [one for one in sorted(_packages(name, extras)) if not _is_installed(one)]
    if missing:
        return f'{", ".join(missing)} not installed: pip install "{_DISTRIBUTION}[{name}]"'
    return server_type(name).reason_missing() if name in SERVERS else ""


def _extras() -> dict[str, list[str]]:
    """The requirements of each extra, as the installed distribution tells them."""
    found: dict[str, list[str]] = {}
    for requirement in metadata.requires(_DISTRIBUTION) or ():
        for match in _EXTRA.finditer(requirement):
            found.setdefault(match["extra"], []).append(requirement.partition(";")[0])
    return found


def _packages(extra: str, extras: dict[str, list[str]]) -> set[str]:
    """The distributions of an extra; an extra made of extras means theirs."""
    names: set[str] = set()
    for requirement in extras.get(extra, ()):
        match = _REQUIREMENT.match(requirement)
        if match is None:
            continue
        if match["name"] != _DISTRIBUTION:
            names.add(match["name"])
            continue
        for inner in re.findall(r"[\w.-]+", match["extras"] or ""):
            names |= _packages(inner, extras)
    return names


def _is_installed(distribution: str) -> bool:
    try:
        metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
