"""The wiring of the identity service: the only place where its parts meet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib.resources import files

from meshery_common import health, outbox
from meshery_common.bus import Bus
from meshery_common.database import Database
from meshery_common.health import Health
from meshery_common.master_keys import load_master_key
from meshery_common.runtime import supervise
from meshery_identity import subjects, workers
from meshery_identity.service import (
    AssertionsService,
    Credentials,
    Installations,
    NATSLogins,
    PeopleService,
    SigningKeys,
    TokensService,
)
from meshery_identity.settings import IdentitySettings

SERVICE = "identity"


@asynccontextmanager
async def running(settings: IdentitySettings) -> AsyncIterator[Health]:
    """The whole service, ready for requests for the time of the block."""
    needs = Health()
    master_key = load_master_key(
        settings.master_key_file, create=settings.create_master_key, variable="IDENTITY_CREATE_MASTER_KEY"
    )
    async with (
        health.served(settings.health, needs),
        Database.open(
            settings.database, schema=SERVICE, migrations=files("meshery_identity") / "migrations"
        ) as db,
    ):
        needs.need("postgresql", db.healthy)
        installation = await Installations(db).prepare()
        keys = SigningKeys(db, master_key, lifetime=timedelta(days=settings.signing_key_days))
        await keys.refresh()
        async with (
            Bus.connect(
                settings.bus,
                service=SERVICE,
                keys=keys.by_id,
                stop_grace_seconds=settings.stop_grace_seconds,
            ) as bus,
            supervise(SERVICE) as tasks,
        ):
            needs.need("nats", bus.connected)
            credentials = Credentials(db)
            assertions = AssertionsService(
                db,
                credentials,
                keys,
                local_user_id=installation.user_id if settings.local_without_login else None,
            )
            tokens = TokensService(
                db,
                master_key,
                environment=settings.token_environment,
                most_per_user=settings.tokens_per_user,
                nats_url=settings.nats_public_url,
            )
            logins = (
                NATSLogins(credentials, settings.nats_issuer_seed.get_secret_value())
                if settings.nats_issuer_seed is not None
                else None
            )
            await bus.streams.ensure_own_stream()
            if settings.nats_system_seed is not None:
                as_system = settings.bus.model_copy(
                    update={"nkey_seed": settings.nats_system_seed, "user": "", "password": None}
                )
                tasks.start("expulsions", partial(workers.end_revoked_connections, bus, as_system))
            tasks.start("outbox", outbox.Relay(db, bus.streams).run)
            tasks.start("signing keys", partial(workers.keep_keys_fresh, keys))
            tasks.start(
                "token purge", partial(workers.purge_tokens, db, timedelta(days=settings.token_purge_days))
            )
            await subjects.serve(bus, assertions, PeopleService(db), tokens, logins)
            with needs.serving():
                yield needs
