"""What `graph` and `explain` print: containers are made for it, and nothing in them."""

import dataclasses
import json
from pathlib import Path

from containers.application import Container
from infrastructure.errors import ConfigurationError

#: What a file is drawn as when the format is not named.
_BY_SUFFIX = {".dot": "dot", ".gv": "dot", ".json": "json", ".svg": "svg"}


def graph(profile: str | None, format: str | None, focus: str | None, output: Path | None) -> str:
    """The graph of a profile's container, or where it was written.

    Raises:
        InfrastructureError: Wrong settings, an unknown format or provider, a file that cannot be
            written.
    """
    suffix = output.suffix.lower() if output else ""
    drawn_as = format or _BY_SUFFIX.get(suffix, "mermaid")
    text: str = Container(profile=profile).graph(drawn_as, focus=focus)
    if output is None:
        return text
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"cannot be written ({error.strerror})",
            where=str(output),
            hint="Name a file in a folder that exists.",
        ) from error
    return f"written to {output}\n"


def explain(profile: str | None, path: str, *, as_json: bool) -> str:
    """What a profile's container knows of one provider.

    Raises:
        InfrastructureError: Wrong settings, or a provider that the container does not have.
    """
    told = Container(profile=profile).explain(path)
    if as_json:
        return json.dumps(dataclasses.asdict(told), indent=2, ensure_ascii=False) + "\n"
    return f"{told}\n"
