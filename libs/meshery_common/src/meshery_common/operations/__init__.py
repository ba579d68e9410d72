"""Operations: work that outlasts a request, and the process that does it.

A command writes an operation in its transaction and answers with the id. A worker of any replica claims it under
a lease, saves checkpoints, and ends it in one transaction together with the facts about it. When the worker is
lost another goes on from the last checkpoint. Must not know what the work is about.
"""

from meshery_common.operations.records import (
    Operation,
    OperationStatus,
    get,
    list_for,
    request_cancel,
    start,
)
from meshery_common.operations.run import OperationCancelled, OperationLost, Run
from meshery_common.operations.worker import Announce, Handler, Worker

__all__ = [
    "Announce",
    "Handler",
    "Operation",
    "OperationCancelled",
    "OperationLost",
    "OperationStatus",
    "Run",
    "Worker",
    "get",
    "list_for",
    "request_cancel",
    "start",
]
