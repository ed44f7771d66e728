"""How a secret gives itself away: by its pattern, by its name, by how a known one is spelled."""

import re
from functools import lru_cache
from urllib.parse import quote, quote_plus

import msgspec

_NAME = re.compile(
    r".*(?:password|passwd|passphrase|apikey|secret|token)s?"
    r"|auth|authorization|bearer|cookies?|credentials?|jwt|otp|pin|pwd"
)
_NAME_PAIRS = re.compile(r"(?:api|access|private|secret|signing|encryption|account) keys?")
_COUNTED = re.compile(r".*tokens?")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\\*["']?[^\s"'&,;)}\]]+)"""
#: Each pattern runs only on texts that hold one of its hints: a hint costs a hundredth.
PATTERNS = (
    (("://",), re.compile(r"(://[^\s/:@]*:)[^\s/]+(?=@)")),
    (("-----BEGIN",), re.compile(r"(-----BEGIN [^-]*KEY-----).*?(?:-----END|\Z)", re.DOTALL)),
    (
        ("sk-", "sk_", "ghp_", "xox", "AKIA", "AIza", "hf_", "eyJ"),
        re.compile(
            r"(?<![A-Za-z0-9])()(?:g?sk[-_][\w-]{8,}|ghp_\w{20,}|xox[a-z]-[\w-]{10,}"
            r"|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|hf_\w{20,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)"
        ),
    ),
    (
        ("earer", "EARER", "asic ", "ASIC "),
        re.compile(r"(?i)\b(bearer\s+|basic\s+(?=[\w+/]{8}))[^\s\"',;]+"),
    ),
    (
        ("ookie:", "OOKIE:"),
        re.compile(r"(?i)(\bcookie:\s*)[^\r\n]+"),
    ),
    (
        ("=", ":"),
        re.compile(
            r"(?i)((?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key"
            r"|private[_-]?key|authorization|credentials?)\\*[\"']?\s*[=:]\s*"
            rf"(?:(?:bearer|basic)\s+)?){_VALUE}"
        ),
    ),
)


@lru_cache(maxsize=2_048)
def sensitivity(name: str) -> tuple[bool, bool]:
    """Whether the name promises a secret, and whether it may also be a count of tokens."""
    words = [word.lower() for word in _WORDS.findall(name[:200])]
    telling = [word for word in words if _NAME.fullmatch(word)]
    if _NAME_PAIRS.search(" ".join(words)):
        return True, False
    return bool(telling), all(map(_COUNTED.fullmatch, telling))


def spellings(secret: str) -> set[str]:
    """The secret as it stands in a text, a repr, a JSON string, a URL, and line by line."""
    bare = secret.strip()
    parts = {secret, bare, *(line.strip() for line in secret.splitlines())}
    clean = {part.encode(errors="backslashreplace").decode() for part in parts}
    return {
        form
        for part in parts | clean
        for form in (
            part,
            repr(part)[1:-1],
            ascii(part)[1:-1],
            repr(part.encode(errors="backslashreplace"))[2:-1],
            msgspec.json.encode(part.encode(errors="backslashreplace").decode()).decode()[1:-1],
            quote(part, safe="", errors="backslashreplace"),
            quote(part, errors="backslashreplace"),
            quote_plus(part, errors="backslashreplace"),
        )
    }
