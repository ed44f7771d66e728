"""Where a service is: the base URL, what may stand below it, and where a redirect may lead."""

import re
from urllib.parse import quote, unquote

import httpx

from infrastructure.errors import ConfigurationError, RejectedError, UnsupportedError

_DECODINGS = 3
#: A segment of dots; some servers drop what follows `;` (parameters) or a control character.
_DOTS = re.compile(r"(?:^|[/\\])\.\.?(?=$|[/\\;\x00-\x1f])")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f?#\\]|^[a-zA-Z][a-zA-Z0-9+.-]*://|^//")


class Place:
    """A base URL; no path given to it leaves it.

    Args:
        base_url: Absolute, of http or https, without credentials, query and fragment.
        where: The provider path, for errors.

    Attributes:
        base: The URL, its path without a slash at the end.
    """

    def __init__(self, base_url: str, where: str) -> None:
        self.base = configured(base_url, where)
        self._text = base_url.rstrip("/")
        self._where = where

    def below(self, path: str) -> httpx.URL:
        """The URL of a path, which is percent-encoded already where it needs to be.

        Raises:
            UnsupportedError: It is a URL of its own, has a query, or leaves the base by `..`.
        """
        if _FORBIDDEN.search(path) or _climbs(path):
            raise UnsupportedError(
                "the path of a request stays below base_url, and has no query",
                where=self._where,
                hint="Quote what is put into it with segment(), and give the query as params.",
            )
        return httpx.URL(f"{self._text}/{path.lstrip('/')}" if path else self._text)

    def followed(self, link: str, current: httpx.URL) -> httpx.URL:
        """The URL of a link to a next page.

        Raises:
            RejectedError: It leads away from the base URL.
        """
        url = self._joined(current, link)
        prefix = f"{self.base.path.rstrip('/')}/"
        is_below = f"{url.path}/".startswith(prefix) and not _climbs(url.path)
        if not (self.is_home(url) and is_below):
            raise RejectedError(
                f"the next page is at {url.scheme}://{url.host}{url.path}, outside base_url",
                where=self._where,
            )
        return url

    def redirected(self, location: str, current: httpx.URL) -> httpx.URL:
        """The URL a redirect leads to.

        Raises:
            RejectedError: Its scheme is another one than that of the request.
        """
        url = self._joined(current, location)
        if url.scheme != current.scheme or not url.host:
            hint = "Write base_url with https." if url.scheme == "https" else ""
            raise RejectedError(
                f"redirected from {current.scheme} to {url.scheme or 'nowhere'}, "
                "which is not followed",
                where=self._where,
                hint=hint,
            )
        return url.copy_with(username=None, password=None)

    def is_home(self, url: httpx.URL) -> bool:
        """Whether credentials may be sent there: scheme, host and port are those of the base."""
        return _origin(url) == _origin(self.base)

    def _joined(self, current: httpx.URL, link: str) -> httpx.URL:
        try:
            return current.join(link)
        except (httpx.InvalidURL, ValueError) as error:
            raise RejectedError(
                "the service gave a link that is no URL", where=self._where
            ) from error


def configured(url: str, where: str) -> httpx.URL:
    """The URL of a setting.

    Raises:
        ConfigurationError: It is none, such as one with the host 0177.0.0.1.
    """
    try:
        return httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"'{url}' is no URL: {error}", where=where) from error


def segment(text: object) -> str:
    """One segment of a path: `segment("a/b")` is `a%2Fb`.

    Raises:
        UnsupportedError: It is empty or made of dots, which would be another path.
    """
    quoted = quote(str(text), safe="")
    if not quoted or _climbs(quoted):
        raise UnsupportedError("an empty text, or one of dots, is no name in a path")
    return quoted


def _climbs(path: str) -> bool:
    """Whether a segment is `.` or `..`, for whoever decodes it once more than they should, too."""
    text = path
    for _ in range(_DECODINGS):
        if _DOTS.search(text):
            return True
        text = unquote(text)
    return _DOTS.search(text) is not None


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)
