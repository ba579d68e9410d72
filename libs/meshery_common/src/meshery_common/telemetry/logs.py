"""Log lines: for people on a terminal, JSON elsewhere, and a copy to the collector when there is one.

Every line says which service it is of and, within a trace, which trace. Secrets are not logged in the first place.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, Final, TextIO

import structlog
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor

from meshery_common.telemetry.services import Resources, current_service
from meshery_common.telemetry.settings import TelemetrySettings
from meshery_common.telemetry.traces import trace_id

_SEVERITIES: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
    "critical": SeverityNumber.FATAL,
}
#: Lines of whoever sends lines: to send them too would never end while the collector is away.
_SENDERS: Final = ("opentelemetry", "urllib3", "requests")
_NOT_ATTRIBUTES: Final = frozenset(
    {"event", "level", "timestamp", "service", "trace_id", "exception", "_record", "_from_structlog"}
)


def start_logging(settings: TelemetrySettings, stream: TextIO = sys.stderr) -> None:
    """Set up structlog and the standard library's logging for this process."""
    console = settings.log_format == "console" or (settings.log_format == "auto" and stream.isatty())
    renderer: Any = (
        # Its own tracebacks show the values of all variables: secrets, and megabytes that take their time.
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if console
        else structlog.processors.JSONRenderer()
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_whose,
    ]
    last = [] if console else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*shared, _send, *last, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, _send],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


class LineSender:
    """Hands log lines to the collector, each under the name of its service."""

    def __init__(self, resources: Resources, processor: LogRecordProcessor) -> None:
        self._resources = resources
        self._processor = processor
        self._providers: dict[str, LoggerProvider] = {}

    def send(self, event: structlog.typing.EventDict) -> None:
        """Send one line."""
        service = str(event.get("service", ""))
        provider = self._providers.get(service)
        if provider is None:
            provider = LoggerProvider(self._resources.of(service), shutdown_on_exit=False)
            provider.add_log_record_processor(self._processor)
            self._providers[service] = provider
        level = str(event.get("level", "info"))
        attributes = {
            key: value if isinstance(value, (str, bool, int, float)) else str(value)
            for key, value in event.items()
            if key not in _NOT_ATTRIBUTES and key != "exc_info"
        }
        provider.get_logger("meshery").emit(
            LogRecord(
                timestamp=time.time_ns(),
                severity_text=level,
                severity_number=_SEVERITIES.get(level, SeverityNumber.INFO),
                body=str(event.get("event", "")),
                attributes=attributes,
                exception=_exception_of(event),
            )
        )


_sender: LineSender | None = None


def send_with(sender: LineSender | None) -> None:
    """Send lines with this from now on, or not at all."""
    global _sender
    _sender = sender


def _send(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    record = event.get("_record")
    if _sender is not None and not (record is not None and record.name.startswith(_SENDERS)):
        _sender.send(event)
    return event


def _add_whose(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    service = current_service()
    if service:
        event.setdefault("service", service)
    trace = trace_id()
    if trace:
        event["trace_id"] = trace
    return event


def _exception_of(event: structlog.typing.EventDict) -> BaseException | None:
    found = event.get("exc_info")
    if found is True:
        found = sys.exc_info()
    if isinstance(found, tuple):
        found = found[1]
    return found if isinstance(found, BaseException) else None
