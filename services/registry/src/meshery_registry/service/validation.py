"""Validating values against schemas that the caller sends along, in the process beside the service."""

from __future__ import annotations

import asyncio

from meshery_common.processes import WorkerProcess
from meshery_contracts.caller import Caller
from meshery_contracts.definitions import ValidateValues, ValidationResult, ValidationResults
from meshery_contracts.errors import TooLarge
from meshery_registry.domain.validation import validated


class ValidationService:
    """Use cases that compute and keep nothing."""

    def __init__(self, worker: WorkerProcess, *, seconds: float) -> None:
        self._worker = worker
        self._seconds = seconds

    async def validate(self, request: ValidateValues, _: Caller) -> ValidationResults:
        """One result for each item. Raises TooLarge when it takes too long."""
        items = {
            key: (one.json_schema, one.value, one.value_type) for key, one in request.validation_items.items()
        }
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._worker.run(validated, items)
        except TimeoutError:
            raise TooLarge(
                f"Validating took longer than {self._seconds:g} seconds.",
                code="validation_too_long",
                remedy="Send smaller values or schemas.",
            ) from None
        return ValidationResults(
            result={
                key: ValidationResult(is_valid=not errors, errors=errors) for key, errors in found.items()
            }
        )
