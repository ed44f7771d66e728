"""Metadata of any JSON in the fields of a record, so that a filter can ask about what it can."""

import json
from collections.abc import Mapping
from typing import Any

from infrastructure.connections.vector.values import checked_fields
from infrastructure.errors import DataError, RejectedError

#: The field that holds, as JSON, what no filter can ask about; no metadata may have this name.
REST = "_rest"


def packed(metadata: Mapping[str, Any], **beside: Any) -> dict[str, Any]:
    """Fields of the metadata: each value by its name, or in `REST` where it is no field's value.

    Args:
        metadata: Names and JSON.
        **beside: More for `REST`, found again in what `unpacked` gives second.

    Raises:
        RejectedError: A name is taken, or a value is no JSON.
    """
    refuse_taken(metadata)
    fields: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    for name, value in metadata.items():
        try:
            fields |= checked_fields({name: value})
        except RejectedError:
            nested[name] = value
    if nested or beside:
        try:
            _check_names(nested)
            fields[REST] = json.dumps([nested, beside], allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            names = ", ".join(map(str, nested))
            raise RejectedError(f"metadata {names} holds what is no JSON: {error}") from None
    return fields


def refuse_taken(metadata: Mapping[str, Any], *more: str) -> None:
    """Refuse metadata named `REST`, or one of these.

    Raises:
        RejectedError: Some is.
    """
    for taken in (REST, *more):
        if taken in metadata:
            raise RejectedError(f"metadata cannot be named '{taken}', which the adapter needs")


def _check_names(value: Any) -> None:
    """JSON would make text of other names, and they would come back as another thing."""
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                msg = f"names are text, found {name!r}"
                raise TypeError(msg)
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for part in value:
        _check_names(part)


def unpacked(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The metadata that was packed, and what was packed beside it.

    Raises:
        DataError: Somebody else wrote `REST`.
    """
    if REST not in fields:
        return dict(fields), {}
    try:
        nested, beside = map(dict, json.loads(fields[REST]))
    except (TypeError, ValueError) as error:
        raise DataError(f"the field '{REST}' is not of this adapter: {error}") from error
    own = {name: value for name, value in fields.items() if name != REST}
    # what is a field now was set later than what was packed under its name
    return {**own, **{name: nested[name] for name in nested if name not in own}}, beside
