from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from infrastructure.cache import CacheEntryOptions, CacheService
from infrastructure.cache.implementations.memory import InMemoryCacheProvider, MemoryCacheSettings
from infrastructure.config import load_settings
from infrastructure.config.problems import SettingsError


def _settings(**options: Any) -> MemoryCacheSettings:
    return MemoryCacheSettings.model_validate({"entry_options": options})


def test_options_inherit_what_they_do_not_say() -> None:
    settings = _settings(
        base={"ttl_seconds": 60, "jitter": 0.1},
        slow={"inherits": "base", "fail_safe_seconds": 600},
        slower={"inherits": "slow", "ttl_seconds": 5, "jitter": 0},
    )
    assert settings.options("slow") == CacheEntryOptions(
        ttl_seconds=60, jitter=0.1, fail_safe_seconds=600
    )
    assert settings.options("slower") == CacheEntryOptions(ttl_seconds=5, fail_safe_seconds=600)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"a": {"inherits": "a"}}, r"'a' inherits itself: a -> a"),
        ({"a": {"inherits": "b"}, "b": {"inherits": "a"}}, r"inherits itself: a -> b -> a"),
        ({"hot": {}, "b": {"inherits": "hott"}}, r"no entry options 'hott'. Did you mean 'hot'"),
        ({"a": {"loader_soft_timeout_seconds": 1}}, r"needs fail_safe_seconds"),
        (
            {
                "a": {"fail_safe_seconds": 9, "loader_hard_timeout_seconds": 1},
                "b": {"inherits": "a", "loader_soft_timeout_seconds": 2},
            },
            r"must be below the hard one",
        ),
        ({"a": {"loader_hard_timeout_seconds": 60}}, r"not be above lease_seconds"),
    ],
)
def test_what_does_not_fit_together_is_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        _settings(**options)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ttl_seconds": 0},
        {"ttl_seconds": -1},
        {"jitter": 1},
        {"jitter": -0.1},
        {"eager_refresh": 1},
        {"eager_refresh": 0},
        {"fail_safe_seconds": -1},
        {"negative_ttl_seconds": 0},
        {"max_value_bytes": 0},
        {"tags": [""]},
        {"lease_seconds": 0},
        {"ttl": 5},
    ],
    ids=str,
)
def test_a_wrong_number_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CacheEntryOptions.model_validate(wrong)
    with pytest.raises(ValidationError):
        _settings(a=wrong)


def test_options_are_frozen() -> None:
    with pytest.raises(ValidationError):
        CacheEntryOptions().ttl_seconds = 5


def test_the_report_says_where_options_inherit_themselves(tmp_path: Path) -> None:
    file = tmp_path / "application-cache.yaml"
    file.write_text(
        "cache:\n  default:\n    kind: memory\n    entry_options:\n      hot: {inherits: hot}\n"
    )
    with pytest.raises(SettingsError, match=r"application-cache\.yaml.*'hot' inherits itself"):
        load_settings("test", resources=tmp_path, environ={})


async def test_a_call_takes_options_by_name() -> None:
    settings = _settings(base={"ttl_seconds": 60}, none={"inherits": "base", "jitter": 0})
    cache = CacheService("shop", provider=InMemoryCacheProvider(settings))
    await cache.get_or_set("key", lambda: 1, options="none")
    assert await cache.ttl("key") == pytest.approx(60, abs=1)
    await cache.get_or_set("other", lambda: 1, ttl=5, options="none")
    assert await cache.ttl("other") == pytest.approx(5, abs=1)
