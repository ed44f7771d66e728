"""Turns whatever is logged into JSON types without secrets, within bounds."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from infrastructure.observability.logging.detection import (
    ENCODED,
    PATTERNS,
    encodings,
    sensitivity,
    spellings,
)
from infrastructure.observability.logging.walking import MASK, MAX_CHARACTERS, Walk

#: Shorter secrets are not searched for: masking them would shred every line, and hide nothing.
MIN_SECRET_CHARACTERS = 4
#: What a pattern may have to see of a secret to know it.
PATTERN_MARGIN = 2_048
#: The longest numbers are cut by the standard library, and by whoever reads the line.
MAX_BITS = 1_024
MAX_LABELS = 2_000
MAX_LABEL_CHARACTERS = 200
#: Lines with no more fields than this, and nothing nested in them, are not walked.
MAX_PLAIN = 50
MAX_PLAIN_DEPTH = 3
MAX_KEPT_CHARACTERS = 32
_PLAIN = frozenset({str, int, float, bool, type(None)})


class Redactor:
    """Turns anything into JSON types without secrets, bounded in depth, nodes and characters.

    One may be shared by threads; `learn` replaces what it knows at once.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these values from now on, and no others; in any spelling a line may have."""
        secrets = set(secrets)
        encoded = {form for secret in secrets for form in encodings(secret)}
        self._encoded = tuple(sorted(encoded, key=len, reverse=True))
        spelled = {form for secret in secrets for form in spellings(secret)}
        found = sorted(
            (form for form in spelled if len(form) >= MIN_SECRET_CHARACTERS), key=len, reverse=True
        )
        self._known = tuple(found)
        self._numbers = frozenset(int(form) for form in found if re.fullmatch(r"[0-9]{1,30}", form))
        longest = [len(form) for form in (*found[:1], *self._encoded[:1])]
        self._margin = max([PATTERN_MARGIN, *longest])
        # Replaced last: an answer that was found with the old secrets goes into the old mapping.
        self._labels: dict[str, str] = {}
        self._plain_names: dict[str, str] = {}
        self._values: dict[str, str] = {}

    def text(self, text: str) -> str:
        """The text with every secret masked, cut after `MAX_CHARACTERS`."""
        if len(text) <= MAX_CHARACTERS:
            return self._masked(text)
        # A secret cut in two is not recognized, so what follows the last whole one goes too.
        margin = self._margin + 1
        kept = self._masked(text[: MAX_CHARACTERS + margin])[:-margin][:MAX_CHARACTERS]
        return f"{kept}... ({len(text)} characters)"

    def label(self, text: str) -> str:
        """The same for a text that comes again line after line; the answer is kept."""
        labels = self._labels
        found = labels.get(text)
        if found is None:
            found = self.text(text)
            if len(labels) >= MAX_LABELS:
                labels.clear()
            if len(text) <= MAX_LABEL_CHARACTERS:
                labels[text] = found
        return found

    def fields(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The mapping, all of it in JSON types, with sensitive names masked."""
        plain = self._plain_fields(values)
        return Walk(self).mapping(values.items()) if plain is None else plain

    def number(self, number: int) -> int | str:
        """The number, unless its digits are a secret, or it is one that nobody could read."""
        if number in self._numbers:
            return MASK
        bits = number.bit_length()
        return number if bits <= MAX_BITS else f"<a number of {bits} bits>"

    def _plain_fields(
        self, values: Mapping[str, Any], depth: int = MAX_PLAIN_DEPTH
    ) -> dict[str, Any] | None:
        """What most lines have, a few short values of plain types; None of anything else."""
        if len(values) > MAX_PLAIN or not depth:
            return None
        plain: dict[str, Any] = {}
        names, values_known = self._plain_names, self._values
        for name, value in values.items():
            label = names.get(name) or self._plain_name(name)
            kind = type(value)
            if label is None:
                return None
            if kind is dict:
                if (nested := self._plain_nested(value, depth)) is None:
                    return None
                plain[label] = nested
            elif kind not in _PLAIN:
                return None
            elif kind is str:
                if len(value) > MAX_LABEL_CHARACTERS:
                    return None
                plain[label] = values_known.get(value) or self._short_value(value)
            elif kind is float:
                plain[label] = value if math.isfinite(value) else str(value)
            else:
                plain[label] = self.number(value) if kind is int else value
        return plain

    def _plain_nested(self, value: dict[Any, Any], depth: int) -> dict[str, Any] | None:
        # A problem of a settings model, and what may be one.
        return None if "input" in value else self._plain_fields(value, depth - 1)

    def _short_value(self, value: str) -> str:
        """The value with every secret masked; the answer is kept, for most come again."""
        known, found = self._values, self._masked(value)
        if len(value) <= MAX_KEPT_CHARACTERS:
            if len(known) >= MAX_LABELS:
                known.clear()
            known[value] = found
        return found

    def _plain_name(self, name: Any) -> str | None:
        """The name as it is written; None of one that is, or promises, a secret."""
        names = self._plain_names
        if type(name) is not str or not name or sensitivity(name)[0]:
            return None
        if len(name) <= MAX_LABEL_CHARACTERS:
            if len(names) >= MAX_LABELS:
                names.clear()
            names[name] = self.label(name)
        return self.label(name)

    def _masked(self, text: str) -> str:
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, MASK)
        if self._encoded and ENCODED.search(text):
            for secret in self._encoded:
                text = text.replace(secret, MASK)
        for hints, pattern in PATTERNS:
            for hint in hints:
                if hint in text:
                    text = pattern.sub(rf"\1{MASK}", text)
                    break
        # A lone surrogate cannot be written as UTF-8.
        return text if text.isascii() else text.encode(errors="backslashreplace").decode()
