"""Secrets in disguise: encoded, cut in two, under other names, in the words of other libraries."""

import argparse
import base64
import collections
import json
from types import SimpleNamespace
from typing import Any

import attrs
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.observability.logging.redaction import Redactor
from infrastructure.observability.logging.walking import MAX_CHARACTERS

SECRET = "hunter2zz"


@attrs.define
class Card:
    pin: str


class Account(pydantic.BaseModel):
    password: str = pydantic.Field(min_length=50)


def refused() -> pydantic.ValidationError:
    with pytest.raises(pydantic.ValidationError) as caught:
        Account(password=SECRET)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "secret_key=hunter2zz",
        "SIGNING_KEY: 'hunter2zz'",
        "Endpoint=x;AccountKey=hunter2zz;",
        "Authorization: Token hunter2zz",
        'Authorization: Digest username="ann", response="hunter2zz"',
        "https://hunter2zz@host/x",
        "https://host/x?X-Amz-Signature=hunter2zz&a=1",
        "https://host/x?sig=hunter2zz",
        "https://host/x?key=hunter2zz",
        "password%3Dhunter2zz%26next",
        "pin=hunter2zz",
        "{'otp': 'hunter2zz'}",
        "db_pass=hunter2zz",
        "API key: hunter2zz",
        "tool --password hunter2zz",
        "['--api-key', 'hunter2zz']",
        "dict_items([('authorization', 'hunter2zz')])",
        "password: ['hunter2zz']",
        "password=a,hunter2zz",
        "<password>hunter2zz</password>",
        str(refused()),
        str(refused().errors()),
    ],
)
def test_secret_that_a_text_gives_away_is_masked(text: str) -> None:
    assert SECRET not in Redactor().text(text)


@pytest.mark.parametrize(
    "text",
    ["passing: 3", "auth: ok", "tokens: 12", "a compass: north", "http://h/a@b", "key: value"],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "name", ["passcode", "db_pass", "dbpwd", "creds", "x-signature", "master_key"]
)
def test_other_names_of_secrets_hide_their_values(name: str) -> None:
    assert Redactor().fields({name: SECRET}) == {name: "***"}


def test_end_of_a_very_long_name_counts() -> None:
    assert SECRET not in str(Redactor().fields({f"{'x' * 300}_password": SECRET}))


@pytest.mark.parametrize(
    "value",
    [
        {"tokens": {"access": SECRET, "used": 5}},
        {"token": {"value": SECRET}},
        {"authorization": SECRET}.items(),
        collections.UserList([("authorization", SECRET)]),
        ("password", SECRET),
        ["run", "--password", SECRET],
        SimpleNamespace(jwt=SECRET),
        argparse.Namespace(otp=SECRET),
        Card(SECRET),
        refused(),
        refused().errors(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_secret_in_a_value_of_another_shape_is_masked(value: Any) -> None:
    assert SECRET not in str(Redactor().fields({"value": value}))


@pytest.mark.parametrize("name", ["token", "access_token", "csrf_token"])
def test_single_token_of_digits_is_no_count(name: str) -> None:
    assert Redactor().fields({name: 271828, "cost_per_token": 3}) == {
        name: "***",
        "cost_per_token": 3,
    }


@pytest.mark.parametrize(
    "secret", ["redis://:{}@host/0", "ghp_{}AAAAAAAAAAAAAAA", "eyJ{}.{}AAAA.AAAA", "Bearer {}"]
)
def test_bound_on_length_shows_no_half_of_what_a_pattern_would_mask(secret: str) -> None:
    text = secret.replace("{}", f"{SECRET}AAAAA")
    for start in range(MAX_CHARACTERS - 45, MAX_CHARACTERS):
        assert "hunter" not in Redactor().text(f"{'x' * start} {text} {'y' * 100}")


@given(
    secret=st.binary(min_size=9, max_size=40).map(lambda data: data.hex()),
    before=st.binary(max_size=20),
    after=st.binary(max_size=20),
)
def test_known_secret_is_found_inside_what_was_encoded(
    secret: str, before: bytes, after: bytes
) -> None:
    data = before + secret.encode() + after
    redactor = Redactor([secret])
    for encode in (base64.b64encode, base64.urlsafe_b64encode, lambda data: data.hex().encode()):
        assert "***" in redactor.text(encode(data).decode())


def test_known_secret_is_found_in_the_escapes_of_the_json_library_and_in_html() -> None:
    redactor = Redactor(["pä<ss>&ö"])
    assert redactor.text(json.dumps("pä<ss>&ö")) == '"***"'
    assert redactor.text("pä&lt;ss&gt;&amp;ö p%c3%a4%3css%3e%26%c3%b6") == "*** ***"


def test_number_that_nobody_could_read_is_told_by_its_size() -> None:
    assert Redactor().fields({"n": 10**6_000, "m": [-(10**6_000)]}) == {
        "n": "<a number of 19932 bits>",
        "m": ["<a number of 19932 bits>"],
    }
