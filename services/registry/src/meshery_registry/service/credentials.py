"""Credentials of private sources, while their import waits and fetches: sealed, each for its own import."""

from __future__ import annotations

import secrets
from uuid import UUID

from meshery_common import seals
from meshery_contracts.errors import Internal, Invalid


class SourceCredentialSeals:
    """Seals and opens the `Authorization` headers of imports; without a master key there are none."""

    def __init__(self, master_key: bytes | None) -> None:
        self._master_key = master_key

    def seal(self, authorization: str, import_id: UUID) -> bytes | None:
        """What is stored; None without credentials. Raises Invalid where there is no key to seal them with."""
        if not authorization:
            return None
        if self._master_key is None:
            raise Invalid(
                "This installation takes no credentials for imports.",
                code="source_credentials_refused",
                cause="The registry has no master key to keep them under until they are used.",
                remedy="Have REGISTRY_MASTER_KEY_FILE set, or upload the file instead.",
            )
        nonce = secrets.token_bytes(seals.NONCE_BYTES)
        return seals.seal(self._master_key, authorization.encode(), about=_about(import_id), nonce=nonce)

    def open(self, sealed: bytes | None, import_id: UUID) -> str:
        """The header; empty without credentials. Raises Internal when it does not open."""
        if sealed is None:
            return ""
        try:
            if self._master_key is None:
                raise seals.SealBrokenError("the master key is gone")
            return seals.unseal(self._master_key, sealed, about=_about(import_id)).decode()
        except seals.SealBrokenError as error:
            raise Internal(
                "The credentials of the import cannot be opened.",
                code="source_credentials_sealed",
                cause="The registry's master key was changed or replaced since the import began.",
                remedy="Start the import again.",
            ) from error


def _about(import_id: UUID) -> str:
    return f"import_orders|sealed_authorization|{import_id}"
