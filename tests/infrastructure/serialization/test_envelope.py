"""Sealed bytes give the value that was sealed for their key, or an error with a reason."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from infrastructure.config.models.serialization import EnvelopeSettings
from infrastructure.errors import ConfigurationError, DataError, MissingExtraError, UnsupportedError
from infrastructure.serialization import Envelope, Reason, UnreadableError, compression, encode
from infrastructure.serialization.signing import bound, checksum, signature

ONE, TWO = "the first secret", "the second secret"
ENVELOPES = {
    "plain": Envelope(),
    "compressed": Envelope(compress_over_bytes=10),
    "signed": Envelope(secrets=[ONE]),
    "both": Envelope(compress_over_bytes=10, secrets=[ONE, TWO]),
}
VALUES = st.recursive(
    st.none() | st.integers() | st.text() | st.binary() | st.text().map(lambda text: text * 100),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=6,
)
KEYS = st.text(st.characters(exclude_categories=[]), max_size=20)
each_envelope = pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES)


def reason(envelope: Envelope, data: bytes, key: str = "key") -> Reason:
    with pytest.raises(UnreadableError) as caught:
        envelope.open(data, key)
    assert isinstance(caught.value, DataError)
    return caught.value.reason


@each_envelope
@given(value=VALUES, key=KEYS)
def test_what_is_opened_is_what_was_sealed(envelope: Envelope, value: Any, key: str) -> None:
    found = envelope.open(envelope.seal(value, key), key)
    assert (type(found), found) == (type(value), value)


@each_envelope
@given(values=st.lists(VALUES, max_size=4))
def test_many_are_opened_as_one_by_one(envelope: Envelope, values: list[Any]) -> None:
    keys = [str(number) for number in range(len(values))]
    sealed = [envelope.seal(value, key) for value, key in zip(values, keys, strict=True)]
    found = envelope.open_all(keys, sealed, lambda key, data: envelope.open(data or b"", key))
    assert (list(map(type, found)), found) == (list(map(type, values)), values)


@each_envelope
@given(value=VALUES, other=st.binary())
def test_among_many_the_wrong_ones_are_told(envelope: Envelope, value: Any, other: bytes) -> None:
    right, foreign = envelope.seal(value, "key"), ENVELOPES["signed"].seal(1, "else")
    stored = [None, right[:-1], foreign, other, right]
    found = envelope.open_all(["key"] * 5, stored, lambda _, data: (data,))
    assert found[:4] == [(None,), (right[:-1],), (foreign,), (other,)]
    assert found[4] in (value, (right,))


@each_envelope
@given(value=VALUES, data=st.data())
def test_no_flipped_bit_goes_unnoticed(envelope: Envelope, value: Any, data: st.DataObject) -> None:
    sealed = bytearray(envelope.seal(value, "key"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    reason(envelope, bytes(sealed))


@each_envelope
@given(value=VALUES, data=st.data())
def test_no_cut_goes_unnoticed(envelope: Envelope, value: Any, data: st.DataObject) -> None:
    sealed = envelope.seal(value, "key")
    reason(envelope, sealed[: data.draw(st.integers(0, len(sealed) - 1))])


@each_envelope
@given(value=VALUES, more=st.binary(min_size=1))
def test_nothing_added_goes_unnoticed(envelope: Envelope, value: Any, more: bytes) -> None:
    reason(envelope, envelope.seal(value, "key") + more)


@each_envelope
@given(data=st.binary())
def test_foreign_bytes_are_an_error_and_nothing_else(envelope: Envelope, data: bytes) -> None:
    reason(envelope, data)
    reason(envelope, b"\xc1SE" + data)


@each_envelope
@given(keys=st.tuples(KEYS, KEYS).filter(lambda keys: keys[0] != keys[1]))
def test_a_value_under_another_key_is_noticed(envelope: Envelope, keys: tuple[str, str]) -> None:
    sealed = [envelope.seal(key, key) for key in keys]
    assert {reason(envelope, data, key) for data, key in zip(sealed, reversed(keys), strict=True)}


def test_a_key_and_a_value_cannot_be_shifted_against_each_other() -> None:
    assert bound(b"ab", b"c") != bound(b"a", b"bc")


def test_every_secret_opens_and_the_first_one_seals() -> None:
    before, turning, after = (
        Envelope(secrets=[ONE]),
        Envelope(secrets=[TWO, ONE]),
        Envelope(secrets=[TWO]),
    )
    assert turning.open(before.seal(1, "key"), "key") == 1
    assert after.open(turning.seal(2, "key"), "key") == 2
    assert reason(after, before.seal(1, "key")) is Reason.FORGED


def test_a_value_without_signature_is_not_believed_where_one_is_asked_for() -> None:
    assert reason(Envelope(secrets=[ONE]), Envelope().seal(1, "key")) is Reason.UNSIGNED


def test_a_checksum_made_to_fit_does_not_pass_for_a_signature() -> None:
    content = Envelope(secrets=[ONE]).seal(1, "key")[:10] + encode("forged")[4:-4]
    unsigned = content + checksum(content, b"key")
    assert reason(Envelope(secrets=[ONE]), unsigned) is Reason.FORGED
    assert reason(Envelope(secrets=[ONE]), content + checksum(content, b"key") * 8) is Reason.FORGED


def test_a_signed_value_is_not_read_unchecked() -> None:
    assert reason(Envelope(), Envelope(secrets=[ONE]).seal(1, "key")) is Reason.SIGNED


def test_another_schema_version_is_not_read() -> None:
    sealed = Envelope(schema_version=1).seal(1, "key")
    assert Envelope(schema_version=1).open(sealed, "key") == 1
    assert reason(Envelope(schema_version=2), sealed) is Reason.SCHEMA


@pytest.mark.parametrize(("place", "expected"), [(3, Reason.VERSION), (4, Reason.VERSION)])
def test_another_form_is_not_read(place: int, expected: Reason) -> None:
    sealed = bytearray(Envelope().seal(1, "key"))
    sealed[place] = 9
    assert reason(Envelope(), bytes(sealed)) is expected


def test_another_codec_is_not_read() -> None:
    header = bytearray(Envelope().seal(1, "key")[:10])
    header[5] = 9
    data = bytes(header) + checksum(bytes(header), b"key")
    assert reason(Envelope(), data) is Reason.VERSION


@pytest.mark.parametrize("data", [b"", b"text", encode(1), b"\x80\x04K\x01.", b'{"a": 1}'])
def test_bytes_of_others_are_foreign(data: bytes) -> None:
    assert reason(Envelope(), data) is Reason.FOREIGN


def test_what_gets_smaller_is_compressed_and_the_rest_is_not() -> None:
    envelope = Envelope(compress_over_bytes=1000)
    assert len(envelope.seal("x" * 100_000, "key")) < 200
    assert len(envelope.seal("x" * 900, "key")) > 900
    noise = bytes(range(256)) * 4
    assert len(envelope.seal(compression.compress(noise) * 9, "key")) < 9 * len(noise)


def test_a_value_compressed_by_one_is_read_by_one_that_does_not_compress() -> None:
    sealed = Envelope(compress_over_bytes=0).seal("x" * 5000, "key")
    assert Envelope().open(sealed, "key") == "x" * 5000


def test_a_bomb_is_not_unpacked() -> None:
    sealed = Envelope(compress_over_bytes=0, max_bytes=2**24).seal(b"\0" * 2**23, "key")
    assert len(sealed) < 2000
    assert reason(Envelope(max_bytes=2**20), sealed) is Reason.TOO_LARGE


def test_a_large_value_is_not_read_either() -> None:
    sealed = Envelope().seal(b"\0" * 2000, "key")
    assert reason(Envelope(max_bytes=1000), sealed) is Reason.TOO_LARGE


def test_a_value_beyond_the_bound_is_not_sealed() -> None:
    with pytest.raises(UnsupportedError, match=r"cache\.default: a value of 2003 bytes is larger"):
        Envelope(max_bytes=1000, where="cache.default").seal(b"\0" * 2000, "key")


@pytest.mark.parametrize("cut", [1, 20])
def test_a_frame_that_ends_early_or_goes_on_is_damaged(cut: int) -> None:
    packed = compression.compress(b"x" * 5000)
    for data in (packed[:-cut], packed + b"more", b"no frame"):
        with pytest.raises(UnreadableError) as caught:
            compression.decompress(data, 10_000)
        assert caught.value.reason is Reason.DAMAGED


def test_without_the_extra_compressing_is_refused_at_once_and_reading_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sealed = Envelope(compress_over_bytes=0).seal("x" * 100, "key")
    monkeypatch.setattr(compression, "is_installed", False)
    assert reason(Envelope(), sealed) is Reason.COMPRESSED
    with pytest.raises(MissingExtraError, match=r"switchgear\[zstd\]"):
        Envelope(compress_over_bytes=0)


def test_errors_say_where_and_never_the_secret_or_the_value() -> None:
    envelope = Envelope(secrets=[ONE], where="cache.default")
    with pytest.raises(UnreadableError, match=r"^cache\.default: ") as caught:
        Envelope(secrets=[TWO], where="cache.default").open(envelope.seal("hunter2", "key"), "key")
    assert ONE not in repr(caught.value)
    assert "hunter2" not in repr(caught.value)


def test_a_block_of_settings_makes_an_envelope() -> None:
    settings = EnvelopeSettings(schema_version=3, secrets=(SecretStr(ONE),), compress_over_bytes=9)
    sealed = Envelope.of(settings).seal("x" * 1000, "key")
    other = Envelope(schema_version=3, secrets=[ONE])
    assert other.open(sealed, "key") == "x" * 1000
    assert ONE not in repr(settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"secrets": ["short"]},
        {"secrets": [None]},
        {"secrets": [""]},
        {"schema_version": -1},
        {"schema_version": 2**32},
        {"max_bytes": 0},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EnvelopeSettings.model_validate(wrong)


@pytest.mark.parametrize("secrets", [[""], [ONE, "short"], "a long text and no list"])
def test_a_secret_that_can_be_guessed_signs_nothing(secrets: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^cache\.default: .* 16 characters"):
        Envelope(secrets=secrets, where="cache.default")


async def test_one_envelope_serves_many_threads() -> None:
    envelope = ENVELOPES["both"]

    def turn(number: int) -> bool:
        key = str(number)
        return all(
            envelope.open(envelope.seal([key] * 50, key), key) == [key] * 50 for _ in "x" * 50
        )

    assert all(await asyncio.gather(*(asyncio.to_thread(turn, number) for number in range(8))))


def test_a_signature_is_the_standard_one() -> None:
    assert signature(b"key", b"The quick brown fox jumps over the lazy dog").hex() == (
        "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
    )
