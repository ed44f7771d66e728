"""What documents are made of on our side: Python's own values, and ids as text."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from typing import Any, Final, Self

from bson import CodecOptions, Decimal128, ObjectId, decode, encode
from bson.binary import UuidRepresentation
from bson.codec_options import TypeEncoder, TypeRegistry
from bson.errors import InvalidDocument
from bson.regex import Regex
from bson.son import SON

from infrastructure.errors import ConfigurationError, RejectedError

Document = dict[str, Any]
Filter = Mapping[str, Any]


class DocumentId(str):
    """MongoDB's own id as text: 24 hexadecimal digits, which begin with the time.

    It is read where a document holds an ObjectId and is written as one, in filters too. Other
    text is text: to look for an id that came as plain text, say `DocumentId(text)`.

    Raises:
        ValueError: It is not 24 hexadecimal digits.
    """

    __slots__ = ()
    #: By these two the driver knows an ObjectId; it lets nobody register a kind of text.
    _type_marker = 7

    @property
    def binary(self) -> bytes:
        """Its 12 bytes."""
        return bytes.fromhex(self)

    def __new__(cls, text: str) -> Self:
        """Check it."""
        if not ObjectId.is_valid(text):
            raise ValueError("is no id of MongoDB: 24 hexadecimal digits are one")
        return super().__new__(cls, str(ObjectId(text)))  # in lower case, as it is read

    @classmethod
    def new(cls) -> Self:
        """An id nobody has; later ones are greater."""
        return str.__new__(cls, ObjectId())


def with_id(document: Mapping[str, Any]) -> Document:
    """A copy of the document, with a new `_id` in front if it has none."""
    whole = {"_id": None, **document}
    if whole["_id"] is None:
        whole["_id"] = DocumentId.new()
    return whole


class _WrittenNumbers(TypeEncoder):
    python_type = Decimal

    def transform_python(self, value: Any) -> Decimal128:
        try:
            return Decimal128(value)
        except DecimalException as error:
            raise InvalidDocument("a Decimal of more than 34 digits") from error


def check_filter(filter: Filter, where: str) -> None:
    """Refuse what is no filter: the driver takes None for all documents and text for an id.

    Raises:
        RejectedError: It is none.
    """
    if not isinstance(filter, Mapping):
        raise RejectedError(
            f"a filter is a mapping of fields, not {type(filter).__name__}",
            where=where,
            hint="`{}` fits every document.",
        )


def check_values(fields: Filter, where: str) -> None:
    """Refuse operators where values are expected, such as `{"$ne": None}` out of a request.

    Raises:
        RejectedError: There is one.
    """
    check_filter(fields, where)
    for name, value in fields.items():
        if name.startswith("$") or _is_operator(value):
            raise RejectedError(
                f"an operator stands where a value is expected, in '{name}'",
                where=where,
                hint="update() takes any filter.",
            )


def _is_operator(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(str(key).startswith("$") for key in value)
    return isinstance(value, (re.Pattern, Regex))


#: How documents are written. What is read is put right by `read`: the driver would read answers
#: that it has to ask about, value by value, at twice the price.
VALUES: Final[CodecOptions[Document]] = CodecOptions(
    document_class=dict,
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    type_registry=TypeRegistry([_WrittenNumbers()]),
)


def read(document: Document) -> Document:
    """The document itself, with our values in the places of the driver's, however deep."""
    for key, value in document.items():
        if type(value) in _READERS:
            document[key] = _READERS[type(value)](value)
    return document


def read_value(value: Any) -> Any:
    """Our value for one of the driver's."""
    reader = _READERS.get(type(value))
    return value if reader is None else reader(value)


def _read_list(values: list[Any]) -> list[Any]:
    values[:] = map(read_value, values)
    return values


_READERS: Final[dict[type, Callable[[Any], Any]]] = {
    Decimal128: Decimal128.to_decimal,
    ObjectId: lambda value: str.__new__(DocumentId, value),
    SON: lambda value: read(dict(value)),
    dict: read,
    list: _read_list,
}

if type(decode(encode({"id": DocumentId.new()}))["id"]) is not ObjectId:
    raise ConfigurationError("this version of pymongo does not write a DocumentId as an ObjectId")
