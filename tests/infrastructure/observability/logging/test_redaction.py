"""What never reaches a line."""

import dataclasses
import datetime as dt
import decimal
import enum
import logging
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Never
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from infrastructure.observability.logging import (
    LogFile,
    LogFormat,
    LoggingConfig,
    correlation_id,
    get_logger,
    setup_logging,
)
from infrastructure.observability.logging.redaction import Redactor
from infrastructure.observability.logging.walking import MAX_CHARACTERS, Walk

log = get_logger("redaction")
SECRET = "correct-horse"


@dataclasses.dataclass
class Login:
    user: str
    password: str


class Model(BaseModel):
    api_key: str
    hidden: SecretStr


class Row(msgspec.Struct):
    user: str
    access_token: str


class Pair(NamedTuple):
    user: str
    pwd: str


class Color(enum.Enum):
    RED = "red"


def clean(value: Any, secrets: Iterable[str] = ()) -> Any:
    return Redactor(secrets).fields({"value": value})["value"]


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "DB_PASSWORD",
        "dbPassword",
        "dbpassword",
        "APIKEY",
        "x-api-key",
        "apiKey",
        "APIKey",
        "Authorization",
        "client_secret",
        "pwd",
        "auth",
        "accessToken",
        "set-cookie",
        "private_key",
        "AWS_SECRET_ACCESS_KEY",
        "refresh_token",
        "credentials",
        "passphrase",
        "Proxy-Authorization",
        "bearer_token",
    ],
)
def test_sensitive_name_hides_its_value(name: str) -> None:
    assert Redactor().fields({name: "hunter2"}) == {name: "***"}


@pytest.mark.parametrize(
    "name", ["author", "key", "cache_key", "keyboard", "compass", "secretary", "pinned", "spinning"]
)
def test_ordinary_name_does_not(name: str) -> None:
    assert Redactor().fields({name: "hunter2"}) == {name: "hunter2"}


def test_counts_of_tokens_stay_readable() -> None:
    fields = {"max_tokens": 5, "token_count": 7, "tokens": {"prompt": 1}, "has_password": True}
    assert Redactor().fields(fields) == fields


def test_absent_secret_is_seen_to_be_absent() -> None:
    assert Redactor().fields({"password": None, "token": ""}) == {"password": None, "token": ""}


def test_number_under_a_sensitive_name_is_hidden() -> None:
    assert Redactor().fields({"password": 1234}) == {"password": "***"}


@pytest.mark.parametrize(
    "value",
    [
        {"deep": [{"password": "hunter2"}]},
        Login("ann", "hunter2"),
        Model(api_key="hunter2", hidden=SecretStr("hunter2")),
        Row("ann", "hunter2"),
        Pair("ann", "hunter2"),
        [("authorization", "hunter2"), ("accept", "*/*")],
        [(b"cookie", b"hunter2")],
        {b"password": b"hunter2"},
        ("a", {Login("ann", "hunter2").password: {"secret": "hunter2"}}["hunter2"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_sensitive_name_is_found_in_every_shape(value: Any) -> None:
    assert "hunter2" not in str(clean(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://:hunter2@cache:6379/0", "redis://:***@cache:6379/0"),
        ("postgresql+asyncpg://ann:h@nter2@db/x", "postgresql+asyncpg://ann:***@db/x"),
        ("http://:a1@h1,http://u:b2@h2", "http://:***@h1,http://u:***@h2"),
        ("https://host:8080/path", "https://host:8080/path"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("sent bearer abc.def, refused", "sent bearer ***, refused"),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("basic understanding", "basic ***"),
        ("a basic idea", "a basic idea"),
        ("invalid key sk-proj-abcdef123456", "invalid key ***"),
        ("gsk_abcdefgh12345678 and task-management", "*** and task-management"),
        ("password=hunter2&next=/", "password=***&next=/"),
        ('{"api_key": "a \\"b c", "n": 1}', '{"api_key": ***, "n": 1}'),
        ("Login(user='ann', password='x y')", "Login(user='ann', password=***)"),
        ("{\\'token\\': \\'abc\\'}", "{\\'token\\': ***'}"),
        ("Set-Cookie: sid=abc; Path=/", "Set-Cookie: ***"),
        ("prompt tokens: 12", "prompt tokens: 12"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA",
            "-----BEGIN RSA PRIVATE KEY-----***",
        ),
    ],
)
def test_telling_pattern_is_masked(text: str, expected: Any) -> None:
    found = Redactor().text(text)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    "spell", [str, repr, quote, lambda text: msgspec.json.encode(text).decode()]
)
def test_known_secret_is_found_in_every_spelling(spell: Callable[[str], str]) -> None:
    secret = 'pä"ss\\w\n%/rd'
    redactor = Redactor([secret])
    assert redactor.text(f"found {spell(secret)} here").replace('"', "").replace("'", "") in (
        "found *** here"
    )


def test_lines_of_a_secret_are_secret() -> None:
    redactor = Redactor(["first line\nsecond line\n"])
    assert redactor.text("bad: second line") == "bad: ***"


def test_longer_secret_is_masked_before_the_one_inside_it() -> None:
    assert Redactor(["horse", "correct-horse"]).text("correct-horse") == "***"


def test_digits_of_a_secret_are_masked_as_a_number_too() -> None:
    assert clean({"code": 271828}, ["271828"]) == {"code": "***"}


def test_very_long_number_is_a_secret_like_any_other() -> None:
    assert Redactor(["7" * 6_000]).text(f"found {'7' * 6_000}") == "found ***"


def test_secret_of_three_characters_is_not_searched_for() -> None:
    assert Redactor(["dev", ""]).text("in dev") == "in dev"


def test_secret_cut_in_two_by_the_length_bound_does_not_show_its_half() -> None:
    for start in range(MAX_CHARACTERS - 30, MAX_CHARACTERS + 5):
        found = Redactor([SECRET]).text("x" * start + SECRET + "y" * 100)
        assert "cor" not in found


def test_learning_forgets_what_was_known_before() -> None:
    redactor = Redactor([SECRET])
    assert redactor.label(SECRET) == "***"
    redactor.learn(["battery-staple"])
    assert redactor.label(SECRET) == SECRET
    assert redactor.text(f"{SECRET} battery-staple") == f"{SECRET} ***"


def test_plain_values_stay_what_they_are() -> None:
    fields = {"a": 1, "b": 1.5, "c": None, "d": True, "e": ["x", {"y": 2}]}
    assert Redactor().fields(fields) == fields


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (decimal.Decimal("1.10"), "1.10"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("a/b"), "a/b"),
        (b"\xff\x00a", "\\xff\x00a"),
        (Color.RED, "red"),
        ({1: (2, {3})}, {"1": [2, [3]]}),
        (ValueError("no"), {"type": "ValueError", "message": "no"}),
        ("\ud800", "\\ud800"),
        (logging.WARNING, 30),
        (Color, "<enum 'Color'>"),
    ],
)
def test_value_of_any_type_becomes_json(value: Any, expected: Any) -> None:
    assert clean(value) == expected
    assert msgspec.json.encode(clean(value))


def test_cycle_ends() -> None:
    loop: dict[str, Any] = {"name": "a"}
    loop["self"] = [loop]
    assert clean(loop) == {"name": "a", "self": ["<cycle>"]}


def test_value_used_twice_is_no_cycle() -> None:
    shared = {"a": 1}
    assert clean([shared, shared]) == [shared, shared]


def test_depth_width_and_length_are_bounded() -> None:
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    huge = [deep, "x" * 10_000_000, list(range(100_000)), dict.fromkeys(range(100_000))]
    assert len(msgspec.json.encode(clean([huge] * 100))) < 100_000


def test_value_whose_own_code_raises_is_told_by_its_type() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError(SECRET)

    assert "Broken raised RuntimeError>" in clean(Broken())
    assert SECRET not in clean(Broken())


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300)


names = st.text(max_size=20) | st.sampled_from(["password", "tokens", "loc", "input"])


@given(
    fields=st.dictionaries(
        names,
        st.recursive(plain, lambda inner: st.dictionaries(names, inner, max_size=3)),
        max_size=8,
    )
)
def test_plain_fields_read_as_if_they_had_been_walked(fields: dict[str, Any]) -> None:
    redactor = Redactor([SECRET, "271828"])
    for _ in range(2):  # the second time from what is kept
        assert redactor.fields(fields) == Walk(redactor).mapping(fields.items())


@pytest.mark.parametrize("fields", [{"a": SECRET}, {SECRET: 1}, {"a": 271828}, {"token": "x"}])
def test_secret_in_plain_fields_is_masked(fields: dict[str, Any]) -> None:
    redactor = Redactor([SECRET, "271828"])
    assert [redactor.fields(fields)] * 2 == [Walk(redactor).mapping(fields.items())] * 2
    assert "***" in str(redactor.fields(fields))


def fail(secret: str) -> Never:
    cause = KeyError(secret)
    cause.add_note(secret)
    raise ExceptionGroup(secret, [ValueError(secret)]) from cause


def log_everywhere(secret: str) -> None:
    """Send the secret every way something can take into the logs."""
    log.info(f"event {secret}")  # noqa: G004  # the mistake to survive
    log.info("field", value=secret, **{f"name {secret}": 1})
    log.info("nested", value=[{"a": (secret, {secret})}, Login(secret, secret)])
    log.info("password", password=secret)
    log.info("url", url=f"redis://:{quote(secret, safe='')}@host/0")
    log.bind(bound=secret).info("bound")
    stdlib = logging.getLogger("stdlib")
    stdlib.warning("argument %s", secret, extra={"extra_field": secret})
    stdlib.warning("%d", secret)
    logging.getLogger(secret).warning("name")
    with correlation_id(secret):
        log.info("correlated")
    try:
        fail(secret)
    except ExceptionGroup:
        log.exception("failed")
        stdlib.exception("failed")


@contextmanager
def no_other_handlers() -> Iterator[None]:
    """Pytest's handlers of the root logger would print every secret, and choke on `%d`."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    yield
    root.handlers = before


def written_with(secret: str, secrets: Iterable[str]) -> str:
    """What the sinks of both formats write of it."""
    with tempfile.TemporaryDirectory() as folder, no_other_handlers():
        paths = [Path(folder) / line_format for line_format in LogFormat]
        files = [LogFile(path=path, format=LogFormat(path.name)) for path in paths]
        configs = [LoggingConfig(console=False, file=file) for file in files]
        with setup_logging(configs[0], secrets=secrets), setup_logging(configs[1]):
            log_everywhere(secret)
        return "".join(path.read_bytes().decode() for path in paths)


@settings(max_examples=50)
@given(secret=st.text(min_size=6, max_size=40))
def test_known_secret_is_in_no_line_of_any_sink(secret: str) -> None:
    assume(secret.strip())
    assume(secret not in written_with("something else", ()))
    written = written_with(secret, [secret])
    assert written.count("***") > 20
    assert secret not in written
    assert repr(secret)[1:-1] not in written
    assert msgspec.json.encode(secret).decode()[1:-1] not in written
