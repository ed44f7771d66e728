"""What an application says about itself: streams of log lines with one id, numbers, health."""

import asyncio
from pathlib import Path

from containers import Container
from containers.monitoring import health_registry, measured
from infrastructure.observability import PerformanceMonitor
from infrastructure.observability.logging import correlation_id
from infrastructure.observability.prometheus import prometheus_text

OVERRIDES = {
    "logging.level": "INFO",
    "logging.console": False,
    "logging.format": "json",
    "logging.file.path": "app.log",
    "logging.streams.audit.file.path": "audit.log",
}


async def main() -> None:
    async with Container(profile="test", overrides=OVERRIDES) as container:
        log = container.logging().get_logger("shop.orders")
        audit = container.logging().get_logger("shop.orders", stream="audit")
        monitor = PerformanceMonitor()

        with correlation_id("request-7"), monitor.monitor_operation("accept"):
            log.info("order accepted", order=7, authorization="Bearer 6f2a91c3")
            audit.info("refund granted", order=7, by="ann")
            await container.cache.default().get_or_set("order:7", lambda: {"pieces": 3})

        health = await health_registry(container, optional=["cache.*"])
        report = await health.readiness()
        print(report.status, *(f"{path}={each.status}" for path, each in report.components.items()))

        lines = prometheus_text([*measured(container), monitor]).decode().splitlines()
        counted = (line for line in lines if line[0] != "#" and not line.endswith(" 0.0"))
        print(*(line for line in counted if "bucket" not in line), sep="\n")


asyncio.run(main())
for log_file in ("app.log", "audit.log"):
    print(log_file, Path(log_file).read_text(encoding="utf-8"))
