"""What comes back over HTTP."""

import re
from dataclasses import dataclass, field
from typing import Any

import httpx
import msgspec

from infrastructure.errors import DataError

#: Of all that Python can decode by name, what texts are written in: others take minutes for a
#: megabyte (punycode), or are none.
_CHARSET = re.compile(
    r"(?:us-)?ascii|utf-?(?:8|16(?:[bl]e)?)|iso-8859-\d{1,2}|latin-?1|(?:windows-|cp)\d{3,4}"
    r"|koi8-[ru]|iso-2022-jp|shift_jis|euc-(?:jp|kr)|gbk|gb2312|gb18030|big5"
)


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer, read to its end.

    Attributes:
        status: Of success, or one that was accepted.
        headers: By name, in any case.
        body: Unpacked.
        where: The provider path, for errors.
    """

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    where: str

    def json(self) -> Any:
        """What the JSON says.

        Raises:
            DataError: The answer does not say that it is JSON, or is none.
        """
        stated = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if stated != "application/json" and not stated.endswith("+json"):
            found = f"of type '{stated[:100]}'" if stated else "without a type"
            raise DataError(f"the answer is {found}, not JSON", where=self.where)
        try:
            return msgspec.json.decode(self.body)
        except (ValueError, RecursionError) as error:
            raise DataError("the answer is no JSON, as it says", where=self.where) from error

    @property
    def text(self) -> str:
        """The body in the charset it states, else in UTF-8; what does not fit is replaced."""
        stated = self.headers.get("content-type", "").lower().partition("charset=")[2]
        charset = stated.partition(";")[0].strip(" \"'")
        try:
            known = charset if _CHARSET.fullmatch(charset) else "utf-8"
            return self.body.decode(known, "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")
