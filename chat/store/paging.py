"""Load a session of any length page by page, so that nothing else waits long."""

from collections.abc import AsyncIterator
from uuid import UUID

from chat.schemas import Session
from chat.store import sessions
from chat.store.client import AsyncStore
from chat.store.sessions import Page, PageEnd

# Each page occupies the event loop for two or three milliseconds.
SMALL_PAGE = Page(messages=50, bytes=16 * 1024, end=PageEnd.OLDEST)


async def session_pages(
    store: AsyncStore, session: str, after: int = 0, known: UUID | None = None
) -> AsyncIterator[Session]:
    """Yield a session with each page of its messages after `after`, oldest first.

    `known` is the id that the caller has for the message `after`. If `recovered` is false in any
    page, that page starts at the first message again.
    Raises SessionUnknown, StoreUnavailable.
    """
    while True:
        page = await store.run(sessions.load(session, after, known=known, page=SMALL_PAGE))
        yield page
        if not page.is_truncated:
            return
        after, known = page.messages[-1].seq, page.messages[-1].id
