"""How a secret gives itself away: by its pattern, by its name, by how a known one is spelled."""

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

import msgspec

_NAME = re.compile(
    r".*(?:password|passwd|passphrase|passcode|pwd|apikey|secret|token)s?|o?auth|authorization"
    r"|bearer|cookies?|cred(?:ential)?s?|csrf|xsrf|cvv|jwt|otp|passkey|pin|signature"
)
_NAME_PAIRS = re.compile(
    r"(?:api|access|private|secret|signing|encryption|account|master|session|ssh) keys?"
    r"|(?:^| )pass$"
)
_COUNTED = re.compile(r".*tokens?")
_SINGLE_TOKEN = re.compile(r"(?!.*\bper token$).*token")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_BARE = r"""[^\s"'&,;)}\]]"""
_VALUE = (
    r"""(?:[\[({][^\])}]*[\])}]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
    rf"""|\\*["']?(?:{_BARE}|,(?={_BARE}))+)"""
)
_KEYS = (
    r"(?:passw(?:or)?d|passphrase|passcode|pwd|secret|token|api[ _-]?key|authorization"
    r"|(?:access|private|secret|signing|encryption|account|master)[ _-]?key|credentials?|signature)"
)
#: Words that are ordinary in a sentence, and telling where they are keys.
_SHORT_KEYS = r"\b(?:auth|otp|pin|jwt|cookies?|(?:\w{0,40}_)?pass)"
#: Each pattern runs only on texts that hold one of its hints: a hint costs a hundredth.
PATTERNS = (
    (("://",), re.compile(r"(://[^\s/:@]*:)[^\s/]+(?=@)")),
    (("://",), re.compile(r"(://)(?!\*\*\*)[^\s/:@?#\"']+(?=@)")),
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
        ("ookie:", "OOKIE:", "orization:", "ORIZATION:"),
        re.compile(r"(?i)(\bcookie:\s*|\bauthorization:[ \t]*(?:[\w-]+[ \t]+)?)[^\r\n]+"),
    ),
    # A settings model's error tells what it was given.
    (("input_value=",), re.compile(r"(?s)(input_value=).*?(?=, input_type=|\Z)")),
    (("'loc': (",), re.compile(rf"('input': ){_VALUE}")),
    (
        ("=", ":", "%3"),
        re.compile(
            rf"(?i)({_KEYS}\\*[\"']?\s*(?:[=:]>?|%3[DA])\s*(?:(?:bearer|basic)\s+)?){_VALUE}"
        ),
    ),
    (("=", ":"), re.compile(rf"(?i)({_SHORT_KEYS}(?:=|\\*[\"']\s*[=:]\s*)){_VALUE}")),
    (("key=", "sig="), re.compile(r"(?i)([?&](?:key|sig)=)[^\s&\"']+")),
    (("</",), re.compile(rf"(?i)(<{_KEYS}>)[^<]+")),
    (("--",), re.compile(rf"(?i)((?<![\w-])--[\w-]{{0,40}}{_KEYS}\\*[\"']?,?\s+){_VALUE}")),
    (("('", "(b'", '("'), re.compile(rf"(?i)(\(b?[\"'][\w-]{{0,40}}{_KEYS}[\"'],\s*){_VALUE}")),
)


#: Only texts with such a run are searched for encoded secrets, and only for these.
ENCODED = re.compile(r"[A-Za-z0-9+/_]{10}")
MIN_ENCODED_BYTES = 8
_PERCENT = re.compile("%[0-9A-F]{2}")


@lru_cache(maxsize=2_048)
def sensitivity(name: str) -> tuple[bool, bool]:
    """Whether the name promises a secret, and whether it may also be a count of tokens."""
    words = [word.lower() for word in _WORDS.findall(f"{name[:100]} {name[100:][-100:]}")]
    telling = [word for word in words if _NAME.fullmatch(word)]
    if _NAME_PAIRS.search(" ".join(words)):
        return True, False
    counted = all(map(_COUNTED.fullmatch, telling)) and not _SINGLE_TOKEN.fullmatch(" ".join(words))
    return bool(telling), counted


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
            _PERCENT.sub(_lowered, quote(part, safe="", errors="backslashreplace")),
            json.dumps(part)[1:-1],
            html.escape(part),
        )
    }


def encodings(secret: str) -> Iterator[str]:
    """The secret in hexadecimal and in base64, also as a part of what was encoded."""
    data = secret.strip().encode(errors="backslashreplace")
    if len(data) < MIN_ENCODED_BYTES:
        return
    yield data.hex()
    yield data.hex().upper()
    for before in range(3):
        # Of the first and the last letters, some bits belong to the neighbors.
        begin, end = (0, 2, 3)[before], (0, 3, 2)[(before + len(data)) % 3]
        for encode in (b64encode, urlsafe_b64encode):
            letters = encode(bytes(before) + data).decode()
            yield letters[begin : len(letters) - end]


def _lowered(found: re.Match[str]) -> str:
    return found[0].lower()
