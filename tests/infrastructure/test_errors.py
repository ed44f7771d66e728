"""The error tree: its drawing, its categories, its texts."""

import asyncio
import copy
import re
import socket

import pytest

from infrastructure import errors
from infrastructure.errors import (
    Category,
    DeadlineExceededError,
    InfrastructureError,
    MissingExtraError,
    OverloadedError,
    UnavailableError,
    UnknownKindError,
    classify,
    did_you_mean,
)

SAMPLES: list[InfrastructureError] = [
    UnavailableError("no answer", where="cache.default", hint="Start the server."),
    DeadlineExceededError(2.5, where="db.default"),
    OverloadedError("pool exhausted", retry_after_seconds=3.0),
    UnknownKindError("reddis", ["redis", "memory"], where="cache.default"),
    MissingExtraError("redis", "redis"),
]


def drawn() -> dict[str, tuple[str, str]]:
    """Name, parent and category of every line of the drawing."""
    found: dict[str, tuple[str, str]] = {}
    path: list[str] = []
    lines = (errors.__doc__ or "").splitlines()
    for line in lines[lines.index("InfrastructureError") + 1 :]:
        if match := re.match(r"^([│├└─ ]+)(\w+)\s+(transient|permanent|overload|unknown)?", line):
            depth = len(match[1]) // 4
            path[depth - 1 :] = [match[2]]
            parent = path[depth - 2] if depth > 1 else "InfrastructureError"
            found[match[2]] = (parent, match[3] or found[parent][1])
    return found


def written() -> dict[str, tuple[str, str]]:
    """Name, parent and category of every class of the module."""
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    leaves = [one for one in classes if issubclass(one, InfrastructureError)]
    return {
        one.__name__: (one.__bases__[0].__name__, one.category.value)
        for one in leaves
        if one is not InfrastructureError
    }


def test_drawing_at_the_top_is_the_tree() -> None:
    assert drawn() == written()


def test_text_says_where_what_and_what_to_do() -> None:
    error = UnavailableError("no answer", where="cache.default", hint="Start the server.")
    assert str(error) == "cache.default: no answer. Start the server."


def test_text_without_place_and_hint_is_what_failed() -> None:
    assert str(UnavailableError("no answer")) == "no answer"


def test_unknown_kind_lists_the_known_and_the_closest() -> None:
    text = str(UnknownKindError("reddis", ["redis", "memory"], where="cache.default"))
    assert text == (
        "cache.default: unknown kind 'reddis'. Did you mean 'redis'? Known: memory, redis."
    )


def test_missing_extra_tells_what_to_install() -> None:
    text = str(MissingExtraError("qdrant", "qdrant_client", where="vector.default"))
    assert text.startswith("vector.default: kind 'qdrant' needs the package 'qdrant_client'. ")
    assert text.endswith('pip install "switchgear[qdrant]"')


def test_deadline_tells_its_seconds() -> None:
    assert str(DeadlineExceededError(2.50, where="db")) == "db: no answer within 2.5 s"


@pytest.mark.parametrize(("word", "said"), [("reddis", "Did you mean 'redis'? "), ("xyz", "")])
def test_only_a_close_word_is_suggested(word: str, said: str) -> None:
    assert did_you_mean(word, ["redis", "memory"]) == said


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_error_survives_a_copy_with_all_it_knows(error: InfrastructureError) -> None:
    """Process pools and task queues copy exceptions by the same protocol."""
    twin = copy.copy(error)
    assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (errors.ConfigurationError("x"), Category.PERMANENT),
        (DeadlineExceededError(1), Category.TRANSIENT),
        (OverloadedError("x"), Category.OVERLOAD),
        (errors.OutcomeUnknownError("x"), Category.UNKNOWN),
        (errors.StreamTruncatedError("x"), Category.TRANSIENT),
        (asyncio.CancelledError(), Category.CANCELLED),
        (ConnectionResetError(), Category.TRANSIENT),
        (TimeoutError(), Category.TRANSIENT),
        (ValueError("x"), Category.UNKNOWN),
        (FileNotFoundError(2, "no such file"), Category.PERMANENT),
        (FileNotFoundError(), Category.UNKNOWN),
        (PermissionError(13, "denied"), Category.PERMANENT),
        (OSError(28, "no space left"), Category.OVERLOAD),
        (OSError(24, "too many open files"), Category.OVERLOAD),
        (OSError(113, "no route to host"), Category.TRANSIENT),
        (OSError("vendor's own"), Category.UNKNOWN),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), Category.TRANSIENT),
        (socket.gaierror(socket.EAI_NONAME, "no such host"), Category.UNKNOWN),
        (asyncio.IncompleteReadError(b"", 1), Category.TRANSIENT),
        (MemoryError(), Category.OVERLOAD),
        (KeyboardInterrupt(), Category.CANCELLED),
        (errors.BusinessError("too many"), Category.PERMANENT),
        (ExceptionGroup("both", [TimeoutError(), OverloadedError("x")]), Category.OVERLOAD),
        (ExceptionGroup("both", [TimeoutError(), errors.RejectedError("x")]), Category.PERMANENT),
        (BaseExceptionGroup("one", [asyncio.CancelledError()]), Category.CANCELLED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_every_exception_has_a_category(error: BaseException, category: Category) -> None:
    assert classify(error) is category


def test_worst_of_a_group_is_found_however_deep() -> None:
    worst = errors.RejectedError("no")
    group = ExceptionGroup("outer", [TimeoutError(), ExceptionGroup("inner", [worst])])
    assert errors.worst_of(group) is worst


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (200, Category.UNKNOWN),
        (404, Category.PERMANENT),
        (408, Category.TRANSIENT),
        (429, Category.OVERLOAD),
        (499, Category.CANCELLED),
        (500, Category.UNKNOWN),
        (501, Category.PERMANENT),
        (503, Category.TRANSIENT),
        (529, Category.OVERLOAD),
    ],
)
def test_every_status_has_a_category(status: int, category: Category) -> None:
    assert errors.category_of_status(status) is category
