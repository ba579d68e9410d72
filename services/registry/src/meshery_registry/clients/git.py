"""Git repositories over HTTP: one commit, without its history."""

from __future__ import annotations

from dataclasses import dataclass

from meshery_contracts.errors import Invalid
from meshery_registry.clients.problems import translated
from meshery_registry.domain import git_protocol
from meshery_registry.domain.git_protocol import Chosen
from meshery_registry.domain.logins import same_origin
from meshery_registry.domain.sources import GitSource
from meshery_web import Fetcher, FetchError, Reason

_MAX_REFS_BYTES = 32 * 1024 * 1024
_SERVICE = "git-upload-pack"


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit as a pack, and which part of it is meant."""

    pack: bytes
    chosen: Chosen


class GitClient:
    """Speaks git's protocol through the guarded fetcher."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    async def checkout(self, source: GitSource, authorization: str = "") -> Checkout:
        """The newest commit of the ref that is meant. Raises Invalid, NotFound, TooLarge, Unavailable."""
        listing = f"/info/refs?service={_SERVICE}"
        with translated():
            answer = await self._fetcher.get(
                source.url + listing, authorization=authorization, max_bytes=_MAX_REFS_BYTES
            )
        if answer.headers.get("content-type", "") != git_protocol.ADVERTISEMENT_TYPE:
            raise Invalid(
                "There is no git repository at this address.",
                code="git_unreadable",
                remedy="Give the address that `git clone` takes, beginning with git+https://.",
            )
        refs = git_protocol.advertised_refs(answer.body)
        chosen = git_protocol.chosen(refs, source.ref, source.path, joined=source.joined)
        # A repository that has moved answers at its new place from now on.
        place = answer.url.removesuffix(listing)
        if not same_origin(place, source.url):
            authorization = ""
        with translated():
            reply = await self._fetcher.request(
                "POST",
                f"{place}/{_SERVICE}",
                headers={"Content-Type": git_protocol.REQUEST_TYPE},
                authorization=authorization,
                body=git_protocol.wanted(chosen.object_id),
            )
            if reply.status != 200:
                raise FetchError(
                    Reason.STATUS, f"The git server answers with status {reply.status}.", status=reply.status
                )
        return Checkout(git_protocol.pack_of(reply.body), chosen)
