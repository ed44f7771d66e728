"""What is wrong with the settings: collected while loading, reported once."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from infrastructure.config.origins import Origin
from infrastructure.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct.

    Attributes:
        where: The file and line, variable, secret file, or `override`.
        path: The dotted key, such as `cache.default.ttl_seconds`; empty when no key is to blame.
        message: What is wrong and, when it is no secret, what was found.
        hint: What to do; empty when the message says it.
    """

    where: str
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = (
            f"{self.path} ({self.where})" if self.path and self.where else self.path or self.where
        )
        advice = f" {self.hint}" if self.hint else ""
        return f"{place}: {self.message}.{advice}"


class SettingsError(ConfigurationError):
    """The settings cannot be used; `problems` has everything that is wrong with them.

    No problem holds a value that came from the environment, a .env or a secret file, nor that of
    a field that is a secret.
    """

    def __init__(self, problems: Iterable[Problem], profiles: Iterable[str] = ()) -> None:
        self.problems = tuple(sorted(dict.fromkeys(problems), key=_place))
        self.profiles = tuple(profiles)
        count = len(self.problems)
        used = f" (profiles: {', '.join(self.profiles)})" if self.profiles else ""
        super().__init__(
            f"{count} problem{'s' if count > 1 else ''} in the settings{used}",
            hint="Correct each place above and load again; nothing was started.",
        )

    def __str__(self) -> str:
        groups = groupby(self.problems, key=lambda problem: _place(problem)[0])
        body = "\n\n".join("\n".join(f"  {each}" for each in group) for _, group in groups)
        return f"{self.what}:\n\n{body}\n\n{self.hint}"


class Report:
    """Collects problems while loading goes on.

    Attributes:
        blamed: The paths a problem was noted for, so that what follows from it is not.
        lacks_files: A layer could not be read, so that an absent key is no finding.
        lacks_variables: The .env could not be read, so that an unset variable is no finding.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.blamed: set[str] = set()
        self.lacks_files = False
        self.lacks_variables = False

    def add(self, where: Origin | str, path: str, message: str, hint: str = "") -> None:
        """Note one problem."""
        shown = path if path.isprintable() else path.encode("unicode_escape").decode()
        self.problems.append(Problem(str(where), shown, message, hint))
        self.blamed.add(path)

    def add_unreadable(self, where: str, message: str, hint: str = "") -> None:
        """Note that a file or folder of settings could not be read."""
        self.lacks_files = True
        self.add(where, "", message, hint)


def _place(problem: Problem) -> tuple[str, int, str]:
    found = re.fullmatch(r"(.*?):(\d+)(?::\d+)?", problem.where)
    file, line = (found[1], int(found[2])) if found else (problem.where, 0)
    return file, line, problem.path
