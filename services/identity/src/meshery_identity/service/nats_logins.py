"""Integrators who connect to NATS themselves: the server asks here whether their token is good (ADR-26)."""

from __future__ import annotations

import structlog

from meshery_common.clock import Clock, utc_now
from meshery_common.nats_permissions import ACCOUNT, integrator_permissions
from meshery_contracts.errors import ProblemError
from meshery_identity.domain import nats_logins, nkeys
from meshery_identity.service.credentials import Credentials

log = structlog.get_logger()


class NATSLogins:
    """Answers the auth callout. `issuer_seed` is the seed of the account key that the servers trust (SA...).

    Raises ValueError when it is no such seed.
    """

    def __init__(self, credentials: Credentials, issuer_seed: str, clock: Clock = utc_now) -> None:
        self._credentials = credentials
        try:
            self._issuer = nkeys.signer_of(issuer_seed, nkeys.ACCOUNT)
        except ValueError as error:
            raise ValueError(
                f"IDENTITY_NATS_ISSUER_SEED is no seed of an account NKey (SA...): {error}"
            ) from error
        self._clock = clock

    async def answer(self, question: bytes) -> bytes | None:
        """Let the holder of a valid token in, until it expires; turn everybody else away.

        None, and thereby no answer, for what no server asked. What he may then do is decided request by request,
        by the assertion he exchanges his token for.
        """
        now = self._clock()
        try:
            login = nats_logins.read_login(question.decode(), now)
        except (nats_logins.NotFromServerError, UnicodeDecodeError) as error:
            log.warning("an auth callout that no server asked", reason=str(error))
            return None
        if not login.token:
            return nats_logins.turn_away(login, self._issuer, "no token was shown", now).encode()
        try:
            holder = await self._credentials.holder(login.token)
        except ProblemError as error:
            # Also when the database is away: an answer, even this one, is better than to let the server wait.
            log.info("turned away at NATS", reason=error.problem.code)
            return nats_logins.turn_away(login, self._issuer, error.problem.title, now).encode()
        inbox = nats_logins.inbox_of(holder.token.token_id)
        return nats_logins.admit(
            login,
            self._issuer,
            account=ACCOUNT,
            # What a server knows the connection by, so that all of a token's are found when it is revoked.
            name=str(holder.token.token_id),
            permissions=integrator_permissions(inbox).as_claims(),
            expires_at=holder.token.expires_at,
            now=now,
        ).encode()
