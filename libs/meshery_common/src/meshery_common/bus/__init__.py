"""The bus: typed request-reply, facts and live deltas over NATS. The only package that may import nats.

It speaks the NATS service protocol (ADR-32), so `nats micro ls` lists every service. Handlers run concurrently
under a limit, drain on stop, and answer what is in flight. While the connection is lost the bus refuses to send
instead of buffering; a client that nats-py has closed for good is replaced with all its subscriptions.
"""

from meshery_common.bus.bus import Bus
from meshery_common.bus.consuming import Received
from meshery_common.bus.headers import Header, new_request_id
from meshery_common.bus.servers import Servers
from meshery_common.bus.settings import BusSettings

__all__ = ["Bus", "BusSettings", "Header", "Received", "Servers", "new_request_id"]
