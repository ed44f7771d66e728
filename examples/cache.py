"""Values kept in this process in front of a file: loaded once, removed by tag, given when stale."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from containers import Container
from infrastructure.cache import CacheEntryOptions, LoadContext, cached
from infrastructure.errors import UnavailableError

OVERRIDES = {
    "cache.default": {
        "kind": "tiered",
        "near": {"kind": "memory", "max_entries": 1000},
        "far": {"kind": "disk", "path": "prices.sqlite3", "timeout_seconds": 2},
        "timeout_seconds": 2,
        "entry_options": {"lasting": {"ttl_seconds": 60, "fail_safe_seconds": 3600}},
    },
}


@dataclass
class Price:
    """Comes back from the file as what it was: types survive, and nothing is unpickled."""

    book: str
    euros: Decimal


class Shop:
    """What is slow, and fails."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_open = True

    async def prices(self, context: LoadContext) -> list[Price]:
        self.asked += 1
        if not self.is_open:
            raise UnavailableError("closed", where="shop")
        context.tags = ("books",)
        return [Price("Solaris", Decimal("9.90"))]


async def main() -> None:
    async with Container(profile="test", overrides=OVERRIDES) as container:
        cache, shop = container.cache.default(), Shop()

        many = [cache.get_or_set("prices", shop.prices, options="lasting") for _ in range(100)]
        print((await asyncio.gather(*many))[-1], "asked:", shop.asked)

        await cache.remove_by_tag("books")
        print("after the tag:", await cache.get("prices"))

        await cache.get_or_set("prices", shop.prices, ttl=0.01, options="lasting")
        await asyncio.sleep(0.02)
        shop.is_open = False
        print("too old:", await cache.get("prices"))
        stale = await cache.get_or_set("prices", shop.prices, options="lasting")
        print("better than nothing:", stale)

        @cached(cache, key="square:{number}", options=CacheEntryOptions(jitter=0.1))
        async def square(number: int) -> int:
            print("asked for", number)
            return number * number

        print(await square(3), await square(3))


asyncio.run(main())
