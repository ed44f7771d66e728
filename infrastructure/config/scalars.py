"""The plain scalars of the YAML 1.2 core schema: no `no`, no octal zero, no sexagesimal."""

import re

#: The words for null; without quotes, no text at all is null in YAML, too.
NULL_WORDS = frozenset({"~", "null", "Null", "NULL"})
NULLS = NULL_WORDS | {""}
_BOOLEANS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_LONGEST_NUMBER = 4000
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)")


def typed(text: str) -> str | int | float | bool:
    """The value that a plain scalar other than null stands for; `text` itself when it is text."""
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if not text or text[0] not in "+-.0123456789" or len(text) > _LONGEST_NUMBER:
        return text
    if _DECIMAL.fullmatch(text):
        return int(text)
    for base, pattern in ((8, _OCTAL), (16, _HEXADECIMAL)):
        if pattern.fullmatch(text):
            return int(text[2:], base)
    if _FLOAT.fullmatch(text) or text in {".nan", ".NaN", ".NAN"}:
        return float(text.replace(".nan", "nan").replace(".NaN", "nan").replace(".NAN", "nan"))
    return float(text.replace(".", "")) if _INFINITY.fullmatch(text) else text
