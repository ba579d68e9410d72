"""Makes the database, schema and roles of a service, as a superuser. Safe to run again.

Per service a role that owns the schema and may change it (`<schema>_owner`, used for migrations only) and one
that may only work on rows (`<schema>_app`). Neither can see another service's schema.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg
from pydantic import SecretStr

from meshery_common.database.connecting import EXTENSIONS
from meshery_common.database.settings import DatabaseSettings

DATABASE = "meshery"

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_SCRAM_ITERATIONS = 4096


@dataclass(frozen=True)
class ServiceDatabase:
    """The addresses of one service's two roles. Secret: they carry passwords."""

    database: str
    schema: str
    app_url: str
    owner_url: str

    def settings(self, **more: Any) -> DatabaseSettings:
        """Settings of a service that migrates itself."""
        return DatabaseSettings(app_url=SecretStr(self.app_url), owner_url=SecretStr(self.owner_url), **more)


def schema_of(service: str) -> str:
    """The schema of a service: its name with underscores. Raises ValueError on a name that is none."""
    if _NAME.fullmatch(service) is None:
        raise ValueError(f"{service!r} is no service name: lower case letters, digits and hyphens")
    return service.replace("-", "_")


async def provision(
    admin_url: str,
    service: str,
    *,
    database: str = DATABASE,
    app_password: str | None = None,
    owner_password: str | None = None,
) -> ServiceDatabase:
    """Make what the service needs, and give the addresses of its roles.

    `admin_url` is a superuser's address of any database of the server. A password that is not given is made up
    and replaces the role's former one. Raises OSError or the driver's errors when the server refuses.
    """
    schema = schema_of(service)
    app, owner = f"{schema}_app", f"{schema}_owner"
    passwords = {
        app: app_password or secrets.token_urlsafe(24),
        owner: owner_password or secrets.token_urlsafe(24),
    }
    schema_of(database)
    async with _connected(admin_url) as admin:
        if not await admin.fetchval("select exists (select from pg_database where datname = $1)", database):
            # Another process may be faster.
            with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                await admin.execute(f'create database "{database}" template template0 encoding utf8')
    async with _connected(_with(admin_url, database=database)) as admin, admin.transaction():
        # Services may start at the same time, and roles belong to the whole server.
        await admin.execute("select pg_advisory_xact_lock(hashtextextended('meshery provision', 0))")
        for role, password in passwords.items():
            await _role(admin, role, password, database, schema)
        await admin.execute(
            f"""
            revoke all on database "{database}" from public;
            revoke all on schema public from public;
            create schema if not exists {EXTENSIONS};
            create extension if not exists pg_trgm schema {EXTENSIONS};
            grant usage on schema {EXTENSIONS} to {app}, {owner};
            grant connect on database "{database}" to {app}, {owner};
            create schema if not exists {schema} authorization {owner};
            alter schema {schema} owner to {owner};
            revoke all on schema {schema} from public;
            grant usage on schema {schema} to {app};
            alter default privileges for role {owner} revoke execute on functions from public;
            alter default privileges for role {owner} in schema {schema}
                grant select, insert, update, delete on tables to {app};
            alter default privileges for role {owner} in schema {schema} grant usage, select on sequences to {app};
            alter default privileges for role {owner} in schema {schema} grant execute on functions to {app};
            """
        )
    return ServiceDatabase(
        database=database,
        schema=schema,
        app_url=_with(admin_url, database=database, user=app, password=passwords[app]),
        owner_url=_with(admin_url, database=database, user=owner, password=passwords[owner]),
    )


async def clone(admin_url: str, template: ServiceDatabase, database: str) -> ServiceDatabase:
    """Copy a database nobody is connected to, rows and all; takes some 50 ms when it is small."""
    schema_of(database)
    app, owner = f"{template.schema}_app", f"{template.schema}_owner"
    async with _connected(admin_url) as admin:
        await admin.execute(f'create database "{database}" template "{template.database}" strategy file_copy')
        # A copy has the rights inside, but not those on the database itself.
        await admin.execute(
            f'revoke all on database "{database}" from public; grant connect on database "{database}" to {app}, {owner}'
        )
    return ServiceDatabase(
        database=database,
        schema=template.schema,
        app_url=_with(template.app_url, database=database),
        owner_url=_with(template.owner_url, database=database),
    )


async def drop(admin_url: str, database: str) -> None:
    """Remove a database with everything in it, ending the connections to it."""
    schema_of(database)
    async with _connected(admin_url) as admin:
        await admin.execute(f'drop database if exists "{database}" with (force)')


async def _role(admin: Any, role: str, password: str, database: str, schema: str) -> None:
    exists = await admin.fetchval("select exists (select from pg_roles where rolname = $1)", role)
    # The verifier, not the password: statements end in the server's log.
    await admin.execute(
        f"{'alter' if exists else 'create'} role {role} login nosuperuser nobypassrls nocreatedb nocreaterole "
        f"noreplication inherit password '{scram_verifier(password)}'"
    )
    await admin.execute(
        f'alter role {role} in database "{database}" set search_path = {schema}, {EXTENSIONS}'
    )


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password (SCRAM-SHA-256, RFC 5803); `password` must be ASCII."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")

    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    stored_key = hashlib.sha256(client_key).digest()
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{text(salt)}${text(stored_key)}:{text(server_key)}"


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    raw = await asyncpg.connect(url)
    try:
        yield raw
    finally:
        await raw.close()


def _with(url: str, *, database: str, user: str | None = None, password: str | None = None) -> str:
    """The same server's address with another database, and with another user where one is given."""
    parts = urlsplit(url)
    login, _, place = parts.netloc.rpartition("@")
    if user is not None:
        login = f"{quote(user, safe='')}:{quote(password or '', safe='')}"
    netloc = f"{login}@{place}" if login else place
    return urlunsplit((parts.scheme, netloc, f"/{quote(unquote(database), safe='')}", parts.query, ""))
