"""Real text to ask about, cut into passages."""

import hashlib
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from infrastructure.errors import ConfigurationError

#: What the language reference that ships with CPython says about its simple and compound
#: statements, each a topic of `pydoc_data.topics`.
STATEMENTS = (
    *("assert", "augassign", "break", "class", "continue", "del", "for", "function", "global"),
    *("if", "nonlocal", "pass", "raise", "return", "try", "while", "with", "yield"),
)

SUFFIXES = (".md", ".rst", ".txt")
PASSAGE_CHARACTERS = 500
MAX_FILE_BYTES = 5_000_000
MAX_TOTAL_BYTES = 50_000_000
MAX_PROBLEMS = 10


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document.

    Attributes:
        id: Told by source and text, so that the same text is never embedded twice.
        source: The topic, or the file below its folder.
    """

    id: str
    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents under a name that is the same in the next run."""

    name: str
    title: str
    passages: tuple[Passage, ...]

    @property
    def characters(self) -> int:
        """How much text there is."""
        return sum(len(passage.text) for passage in self.passages)


def topics(*, everything: bool) -> Corpus:
    """The language reference of the running Python: its statements, or all of it."""
    from pydoc_data.topics import topics as texts

    names = sorted(texts) if everything else [name for name in STATEMENTS if name in texts]
    title = "Python language reference" + ("" if everything else ": statements")
    name = "reference" if everything else "statements"
    return Corpus(name, title, _unique(cut(name, texts[name]) for name in names))


def folder(path: Path) -> Corpus:
    """Every .md, .rst and .txt file below a folder.

    Raises:
        ConfigurationError: No such folder, nothing in it, or files that are not text; names ten.
    """
    if not path.is_dir():
        raise ConfigurationError(
            "is not a folder", where=str(path), hint="Give --docs a folder of text files."
        )
    files = sorted(found for found in path.rglob("*") if found.suffix in SUFFIXES)
    if not files:
        raise ConfigurationError(
            f"holds no {', '.join(SUFFIXES)} file",
            where=str(path),
            hint="Give --docs a folder of text files.",
        )
    texts = _read(path, files)
    passages = _unique(cut(source, text) for source, text in texts.items())
    if not passages:
        raise ConfigurationError("holds only empty files", where=str(path))
    digest = hashlib.blake2b(str(path.resolve()).encode(), digest_size=6).hexdigest()
    return Corpus(f"docs_{digest}", str(path), passages)


def cut(source: str, text: str, size: int = PASSAGE_CHARACTERS) -> Iterator[Passage]:
    """Passages of at most `size` characters, at the ends of paragraphs where possible."""
    waiting = ""
    for paragraph in text.split("\n\n"):
        for piece in _pieces(" ".join(paragraph.split()), size):
            if waiting and len(waiting) + 1 + len(piece) > size:
                yield _passage(source, waiting)
                waiting = piece
            else:
                waiting = f"{waiting} {piece}".strip()
    if waiting:
        yield _passage(source, waiting)


def _pieces(paragraph: str, size: int) -> list[str]:
    return textwrap.wrap(paragraph, size, break_on_hyphens=False) if paragraph else []


def _passage(source: str, text: str) -> Passage:
    digest = hashlib.blake2b(f"{source}\n{text}".encode(), digest_size=12).hexdigest()
    return Passage(digest, source, text)


def _unique(documents: Iterable[Iterable[Passage]]) -> tuple[Passage, ...]:
    by_id = {passage.id: passage for document in documents for passage in document}
    return tuple(by_id.values())


def _read(root: Path, files: list[Path]) -> dict[str, str]:
    texts: dict[str, str] = {}
    problems: list[str] = []
    left = MAX_TOTAL_BYTES
    for file in files:
        source = str(file.relative_to(root))
        try:
            data = _bounded(file, min(left, MAX_FILE_BYTES))
            left -= len(data)
            texts[source] = data.decode("utf-8-sig")
        except (OSError, ValueError) as error:
            problems.append(f"{source}: {_reason(error)}")
    if count := len(problems):
        if len(problems) > MAX_PROBLEMS:
            problems[MAX_PROBLEMS:] = [f"and {len(problems) - MAX_PROBLEMS} more"]
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise ConfigurationError(
            f"{count} of {len(files)} files cannot be read; take them out of the folder, or "
            f"rename them:{lines}",
            where=str(root),
        )
    return texts


def _bounded(file: Path, limit: int) -> bytes:
    if file.stat().st_size > limit:
        raise ValueError(f"larger than {limit} bytes")
    data = file.read_bytes()
    if b"\0" in data:
        raise ValueError("is binary, not text")
    return data


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 text (byte {error.start})"
    return str(getattr(error, "strerror", None) or error)
