"""What becomes of an error that nobody below could help: told, mended where possible, reported."""

import inspect
import math
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from infrastructure.errors import (
    BusinessError,
    Category,
    DeadlineExceededError,
    classify,
    worst_of,
)
from infrastructure.observability.logging import (
    LoggerPort,
    correlation_id,
    current_correlation_id,
    get_logger,
)
from infrastructure.observability.metrics import Measurement, counter
from infrastructure.resilience.deadlines import deadline

HookT = TypeVar("HookT", bound="RecoveryHook")

#: Called with the error and its context; what it returns is awaited when it can be.
RecoveryHook = Callable[[BaseException, Mapping[str, Any]], Awaitable[None] | None]

_UNSAID = "An internal error occurred. Mention the correlation id when you report it."
_LATER = "The service is busy or partly unavailable. Try again later."
_SAID: dict[int, str] = {
    HTTPStatus.SERVICE_UNAVAILABLE: _LATER,
    HTTPStatus.GATEWAY_TIMEOUT: "A system behind this one did not answer in time. Try again later.",
}
_STATUS = {
    Category.TRANSIENT: HTTPStatus.SERVICE_UNAVAILABLE,
    Category.OVERLOAD: HTTPStatus.SERVICE_UNAVAILABLE,
    Category.CANCELLED: HTTPStatus.SERVICE_UNAVAILABLE,
}
_STATUS_END = 600
#: Where an error keeps its report, so that each layer it passes tells of it once.
_REPORT = "__switchgear_report__"


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """What may be told of an error to those outside.

    Attributes:
        category: What the caller may do about it.
        status: The HTTP status that says so.
        detail: For the user: a business error's own message, of any other nothing internal.
        correlation_id: Finds the log line that has the rest.
        retry_after_seconds: When to try again, where somebody knows.
        is_business: A rule of the application said no; nothing is broken.
        code: The business error's word for programs; of any other the category.
        problem_type: The URI of a page about it, as RFC 9457 has it.
    """

    category: Category
    status: int
    detail: str
    correlation_id: str
    retry_after_seconds: float | None = None
    is_business: bool = False
    code: str = ""
    problem_type: str = "about:blank"


class InfrastructureErrorHandler:
    """Logs an error once with everything, runs what may mend its cause, and reports it.

    Errors of the infrastructure are the operator's: told outside are their category and a
    correlation id. `BusinessError`s are the user's: their message is told, and they are no fault.
    Of an exception group, the worst member decides.

    Args:
        statuses: HTTP statuses by class of error, instead of those of the category; the nearest
            base counts. For errors that mean something to the caller, such as a `NotFoundError`
            of a store whose ids are the caller's.
        hook_timeout_seconds: Bound on each recovery hook.
        logger: Where errors are written.
    """

    def __init__(
        self,
        *,
        statuses: Mapping[type[BaseException], int] | None = None,
        hook_timeout_seconds: float = 5.0,
        logger: LoggerPort | None = None,
    ) -> None:
        self._statuses = dict(statuses or {})
        self._hook_timeout_seconds = hook_timeout_seconds
        self._log: LoggerPort = logger or get_logger(__name__)
        self._hooks: list[tuple[type[BaseException] | Category, RecoveryHook]] = []
        self._counts: Counter[str] = Counter()
        self.failed_hooks = 0

    def on(self, chosen: type[BaseException] | Category, hook: HookT) -> HookT:
        """Run the hook for errors of this class or category, after those added before.

        A hook that raises or takes too long is logged and counted; the next one runs.
        """
        self._hooks.append((chosen, hook))
        return hook

    async def handle_error(
        self, error: BaseException, context: Mapping[str, Any] | None = None
    ) -> ErrorReport:
        """Log the error, run its hooks, and say what may be told.

        The same error handled again, by a layer further out, is only reported again.

        Args:
            error: What was raised.
            context: What is known about the call: fields of the log line, redacted there. Its
                `correlation_id` is used; else the current one, or a new one.
        """
        context = context or {}
        asked = context.get("correlation_id") or current_correlation_id()
        known = getattr(error, _REPORT, None)
        # Those who waited for one call get one error: to each request, it is its own.
        if isinstance(known, ErrorReport) and (not asked or known.correlation_id == str(asked)):
            return known
        decisive = _decisive(error)
        report = self._report(decisive, str(asked or uuid.uuid4().hex))
        with suppress(AttributeError, TypeError):  # a class may forbid it
            setattr(error, _REPORT, report)
        self._counts["business" if report.is_business else str(report.category)] += 1
        self._tell(error, report, context)
        for chosen, hook in self._hooks:
            if _is_chosen(chosen, decisive, report.category):
                await self._run(hook, error, context)
        return report

    def measurements(self) -> Iterable[Measurement]:
        """How many errors there were of each category, and how many hooks failed."""
        for category, count in self._counts.copy().items():
            yield counter("switchgear.errors", count, {"category": category}, unit="{error}")
        yield counter("switchgear.errors.failed_hooks", self.failed_hooks, unit="{hook}")

    def _report(self, error: BaseException, correlation_id: str) -> ErrorReport:
        is_business, category = isinstance(error, BusinessError), classify(error)
        status = _possible(self._status(error, category))
        return ErrorReport(
            category=category,
            status=status,
            detail=_told(error) if is_business else _SAID.get(status, _UNSAID),
            correlation_id=correlation_id,
            retry_after_seconds=_seconds(getattr(error, "retry_after_seconds", None)),
            is_business=is_business,
            code=str(getattr(error, "code", "")) if is_business else str(category),
            problem_type=str(getattr(error, "problem_type", "")) if is_business else "about:blank",
        )

    def _status(self, error: BaseException, category: Category) -> int:
        for kind in type(error).__mro__:
            if kind in self._statuses:
                return self._statuses[kind]
        if isinstance(error, BusinessError):
            return error.status
        if isinstance(error, (DeadlineExceededError, TimeoutError)):
            return HTTPStatus.GATEWAY_TIMEOUT
        return _STATUS.get(category, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _tell(self, error: BaseException, report: ErrorReport, context: Mapping[str, Any]) -> None:
        with correlation_id(report.correlation_id):
            self._write(error, report, context)

    def _write(self, error: BaseException, report: ErrorReport, context: Mapping[str, Any]) -> None:
        fields = {key: value for key, value in context.items() if key != "correlation_id"}
        fields["status"] = report.status
        if report.is_business:
            known = {"error": type(error).__name__, "detail": report.detail}
            self._log.info("refused", **{**fields, **known})
            return
        trace = error.__traceback__
        try:
            _raise(error)  # so that the logger finds it, wherever this was called
        except BaseException:  # noqa: BLE001 - it is told here, and went its way before
            self._log.exception("failed", **{**fields, "category": str(report.category)})
        finally:
            error.with_traceback(trace)

    async def _run(
        self, hook: RecoveryHook, error: BaseException, context: Mapping[str, Any]
    ) -> None:
        try:
            async with deadline(self._hook_timeout_seconds, getattr(hook, "__qualname__", "hook")):
                answer = hook(error, context)
                if inspect.isawaitable(answer):
                    await answer
        except Exception:  # noqa: BLE001 - the error itself is what the caller hears of
            self.failed_hooks += 1
            self._log.exception("recovery hook failed", hook=getattr(hook, "__qualname__", ""))


def _decisive(error: BaseException) -> BaseException:
    """What the report is of: in a group, a fault beside a refusal is still a fault."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    _, faults = error.split(BusinessError)
    return worst_of(faults or error)


def _told(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - its own code failed; that it refused is known all the same
        return type(error).__name__


def _possible(status: int) -> int:
    """The status, or the one for faults where no server could send it."""
    is_known = HTTPStatus.OK <= status < _STATUS_END
    return status if is_known else HTTPStatus.INTERNAL_SERVER_ERROR


def _seconds(value: Any) -> float | None:
    is_time = isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
    return value if is_time else None


def _raise(error: BaseException) -> None:
    raise error


def _is_chosen(
    chosen: type[BaseException] | Category, error: BaseException, category: Category
) -> bool:
    return chosen is category if isinstance(chosen, Category) else isinstance(error, chosen)
