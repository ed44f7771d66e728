import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from infrastructure.cache.implementations.redis.names import PhysicalNames

KEYS = st.text(alphabet=st.sampled_from("ab:%{}7BD"), max_size=12)
PREFIXES = st.sampled_from(["", "shop:", "{shop}:", "a{b}c", "%7B"])


@given(PREFIXES, KEYS)
def test_a_value_and_its_lease_are_in_one_slot(prefix: str, key: str) -> None:
    names = PhysicalNames(prefix)
    value = names.value(key)
    assert key_slot(value.encode()) == key_slot(names.lease(value).encode())


@given(PREFIXES, KEYS, KEYS)
def test_two_keys_have_two_names(prefix: str, one: str, other: str) -> None:
    names = PhysicalNames(prefix)
    assert (names.value(one) == names.value(other)) == (one == other)


@given(PREFIXES, KEYS, KEYS)
def test_no_value_lies_where_a_lease_does(prefix: str, one: str, other: str) -> None:
    names = PhysicalNames(prefix)
    assert names.value(one) != names.lease(names.value(other))


@given(PREFIXES, KEYS)
def test_a_name_leads_back_to_its_key(prefix: str, key: str) -> None:
    names = PhysicalNames(prefix)
    assert names.key(names.value(key)) == key
    assert names.key(names.lease(names.value(key))) == ""


def test_a_name_under_another_prefix_is_no_key() -> None:
    assert PhysicalNames("shop:").key("other:user:1") == ""


def test_a_plain_key_is_left_as_it_is() -> None:
    names = PhysicalNames("shop:")
    assert names.value("user:1") == "shop:user:1"
    assert names.lease("shop:user:1") == "{shop:user:1}lease"


def test_a_tag_in_the_prefix_keeps_all_keys_together() -> None:
    names = PhysicalNames("{shop}:")
    slots = {key_slot(names.value(str(number)).encode()) for number in range(100)}
    assert len(slots) == 1


@pytest.mark.parametrize("prefix", ["{", "}", "{}", "}{", "{a}{b}", "a{b", "{a}}"])
def test_braces_that_would_tear_values_from_leases_are_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="one pair"):
        PhysicalNames(prefix)
