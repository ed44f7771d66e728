"""Names of collections, as Chroma takes them."""

import re

#: What Chroma takes for a name, but for those that look like one of ours that it does not take.
_ITS_NAMES = re.compile(
    r"(?!sg\.|.*\.\.|[^A-Za-z]+$)[A-Za-z0-9][A-Za-z0-9._-]+[A-Za-z0-9]", re.ASCII
)


def its_name(collection: str) -> str:
    """A name that Chroma takes: 3 or more characters, no address, no two dots together."""
    if _ITS_NAMES.fullmatch(collection):
        return collection
    return f"sg.{collection.replace('.', '._')}.sg"


def our_name(name: str) -> str:
    """The name that `its_name` was given."""
    return name[3:-3].replace("._", ".") if name.startswith("sg.") else name
