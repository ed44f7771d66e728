"""Which profiles are active: names, comma lists and groups of names."""

import re
from collections.abc import Iterable, Mapping, Sequence

from infrastructure.config.environment import PROFILES, Environment
from infrastructure.config.nodes import Node, Scalar, Table, is_null
from infrastructure.config.nodes import Sequence as ListNode
from infrastructure.config.origins import Origin
from infrastructure.config.problems import Report
from infrastructure.errors import did_you_mean

DEFAULT = "embedded"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.+@-]{0,62}[A-Za-z0-9])?")

#: The members of each group, and where it is written.
Groups = Mapping[str, tuple[tuple[str, ...], Origin]]


def asked_for(
    profile: str | Sequence[str] | None, environment: Environment, report: Report
) -> tuple[list[str], str]:
    """The names as asked for, groups not yet opened, and who asked."""
    if profile is not None:
        names = profile.split(",") if isinstance(profile, str) else list(profile)
        return [name.strip() for name in names], "profile"
    setting = environment.get(PROFILES)
    if setting is None:
        return [DEFAULT], PROFILES
    if setting.text.strip():
        return [name.strip() for name in setting.text.split(",")], PROFILES
    # Falling back to the default here would start production with an embedded database.
    hint = f"Name profiles, or unset it for '{DEFAULT}'."
    report.add_unreadable(PROFILES, "is set but empty", hint)
    return [], PROFILES


def take_groups(base: Table, report: Report) -> tuple[Table, Groups]:
    """Split `profiles: groups:` off a base layer."""
    settings = base.child("profiles")
    if settings is None:
        return base, {}
    rest = {key: node for key, node in base.items.items() if key != "profiles"}
    groups: dict[str, tuple[tuple[str, ...], Origin]] = {}
    for name, node in _group_nodes(settings, report).items():
        members = _members(node)
        if members is None or not _NAME.fullmatch(name):
            message = "should be a group's name with a list of profiles"
            report.add(node.origin, f"profiles.groups.{name}", message)
        else:
            groups[name] = (members, node.origin)
    return Table(rest, base.origin), groups


def expand(
    names: Iterable[str], where: str, known: Iterable[str], groups: Groups, report: Report
) -> tuple[str, ...]:
    """The profiles to load, lowest first: a group's own overlay, then its members.

    Of a profile named twice the last one counts.
    """
    opened = _Expansion(frozenset(known), groups, report)
    for name in names:
        opened.add(name, where, ())
    return tuple(reversed(dict.fromkeys(reversed(opened.found))))


class _Expansion:
    """Opens groups; notes unknown names and cycles."""

    def __init__(self, known: frozenset[str], groups: Groups, report: Report) -> None:
        self.found: list[str] = []
        self._known = known
        self._groups = groups
        self._report = report

    def add(self, name: str, where: Origin | str, above: tuple[str, ...]) -> None:
        """Add one profile, or a group with all that is in it."""
        if name in above:
            path = " -> ".join((*above, name))
            self._report.add(where, "", f"the profile group '{name}' contains itself: {path}")
            return
        if name in self._known:
            self.found.append(name)
        if name in self._groups:
            members, origin = self._groups[name]
            for member in members:
                self.add(member, origin, (*above, name))
        elif name not in self._known:
            self._refuse(name, where)

    def _refuse(self, name: str, where: Origin | str) -> None:
        if not _NAME.fullmatch(name):
            self._report.add_unreadable(str(where), "has something that is no profile's name")
            return
        known = sorted({*self._known, *self._groups})
        hint = f"{did_you_mean(name, known)}Known: {', '.join(known)}."
        self._report.add_unreadable(str(where), f"unknown profile '{name}'", hint)


def _group_nodes(settings: Node, report: Report) -> Mapping[str, Node]:
    if not isinstance(settings, Table):
        report.add(settings.origin, "profiles", "should be a mapping with the key `groups`")
        return {}
    for key, node in settings.items.items():
        if key != "groups":
            hint = f"{did_you_mean(key, ['groups'])}Known: groups."
            report.add(node.origin, f"profiles.{key}", "unknown key", hint)
    groups = settings.child("groups")
    if groups is None or is_null(groups):
        return {}
    if not isinstance(groups, Table):
        report.add(groups.origin, "profiles.groups", "should be a mapping of names to lists")
        return {}
    return groups.items


def _members(node: Node) -> tuple[str, ...] | None:
    if not isinstance(node, ListNode):
        return None
    texts = tuple(each.text for each in node.items if isinstance(each, Scalar) and each.text)
    return texts if len(texts) == len(node.items) else None
