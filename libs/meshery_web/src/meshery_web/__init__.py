"""The guarded way out: which addresses may be talked to, and fetching over HTTP within limits."""

from meshery_web.addresses import AddressPolicy
from meshery_web.errors import AddressRefused, FetchError, Reason
from meshery_web.fetching import Fetched, Fetcher, FetchPolicy

__all__ = ["AddressPolicy", "AddressRefused", "FetchError", "FetchPolicy", "Fetched", "Fetcher", "Reason"]
