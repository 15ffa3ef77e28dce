"""`syncer conference`: meetings as they are kept in step."""

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter, validators

from syncer.cli import connect, output, progress, story
from syncer.cli import history as told
from syncer.cli.output import AsJson

if TYPE_CHECKING:
    from syncer.store.overview import ConferenceView, LinkView
    from syncer.store.particulars import Particulars

Slug = Annotated[str, Parameter(help="The tenant's name.")]
ConferenceState = Literal["live", "watched", "leaving", "held", "deleted", "gone", "detached"]
MeetingId = Annotated[str, Parameter(help="The meeting's id at its provider.")]


async def list_all(
    tenant: Slug | None = None,
    /,
    *,
    state: Annotated[ConferenceState | None, Parameter(help="Only those in this state.")] = None,
    limit: Annotated[int, Parameter(help="At most so many.", validator=validators.Number(gte=1, lte=100_000))] = 1000,
    as_json: AsJson = False,
) -> None:
    """List the conferences of all tenants, or of one, newest first.

    Example: syncer conference list acme
    """
    from syncer.store import overview

    async with connect.store() as database:
        with progress.shown("Reading"):
            found = await overview.conferences(database, tenant, most=limit, state=state)
    if as_json:
        output.document(found)
    else:
        output.table(
            ("tenant", "meeting", "state", "in step", "events", "calendar", "reason"),
            [
                (one.tenant, one.meeting_id, one.state, story.step(one), one.links, one.driver, one.reason)
                for one in found
            ],
            last_may_break=True,
        )
    if len(found) == limit:
        output.say(f"These are the first {limit}; --limit shows more.")
    if not as_json and found:
        output.advise(f"syncer conference history {found[0].tenant} {found[0].meeting_id}")


async def show(tenant: Slug, meeting_id: MeetingId, /, *, as_json: AsJson = False) -> None:
    """Show one conference: what its events want, and how its meeting was left.

    Example: syncer conference show acme 81234567890
    """
    from syncer.store import overview, particulars

    async with connect.store() as database:
        found = await overview.conference(database, tenant, meeting_id)
        links = await overview.links(database, found)
        more = await particulars.of(database, found)
    if as_json:
        output.document({"conference": found, "links": links, "particulars": more})
        return
    output.fields(_fields(found, links) | _particulars(found, more))
    output.advise(f"syncer conference history {tenant} {meeting_id}")


async def retry(
    tenant: Slug,
    meeting_id: Annotated[
        str | None, Parameter(help="The meeting's id at its provider; without it all that were refused or failed.")
    ] = None,
    /,
    *,
    as_json: AsJson = False,
) -> None:
    """Have a provider asked again at once about what it refused or failed; never about held deletions.

    Example: syncer conference retry acme 81234567890
    """
    from syncer.store import retries

    async with connect.store() as database:
        done = await retries.retry(database, tenant, meeting_id)
    if as_json:
        output.document({"tenant": tenant, "meeting": meeting_id, "retried": done.retried, "guarded": done.guarded})
        return
    what = f"meeting {meeting_id}" if meeting_id else output.counted(done.retried, "meeting")
    if done.retried:
        output.lines([f"The provider is asked again at once about {what}."])
    else:
        output.lines(["Nothing is to be tried again; nothing was changed."])
    if done.guarded:
        held = output.counted(done.guarded, "deletion is", "deletions are")
        output.lines([f"{held.capitalize()} held by the guard and left alone; `syncer calendar release` is for that."])
    output.advise(f"syncer conference {f'history {tenant} {meeting_id}' if meeting_id else f'list {tenant}'}")


async def history(tenant: Slug, meeting_id: MeetingId, /, *, as_json: AsJson = False) -> None:
    """Tell what was done to a meeting, when and why.

    Example: syncer conference history acme 81234567890
    """
    from syncer.store import overview

    async with connect.store() as database:
        found = await overview.conference(database, tenant, meeting_id)
        happenings = await overview.history(database, found)
    if as_json:
        output.document(happenings)
        return
    output.lines(told.lines(happenings))
    if not happenings:
        output.say(f"Nothing was done to meeting {meeting_id} yet.")
    output.advise(f"syncer conference show {tenant} {meeting_id}")


def _fields(found: "ConferenceView", links: "list[LinkView]") -> dict[str, object]:
    return {
        "meeting": found.meeting_id,
        "tenant": found.tenant,
        "state": found.state,
        "reason": found.reason,
        "in step": story.step(found),
        "title": found.title,
        "starts": story.time_of(found.starts),
        "ends": story.time_of(found.ends),
        "join URL": found.join_url,
        "driven by": f"{found.driver} {found.driver_event_id}" if found.driver else None,
        "events": [f"{link.google_id} {link.event_id}" for link in links],
        "failures in a row": found.failures,
        "next try": found.next_try_at,
        "last event went": found.unlinked_at,
        "deleted not before": found.delete_after,
        "deleted": found.deleted_at,
        "read back": found.read_back_at,
        "first seen": found.created_at,
    }


def _particulars(found: "ConferenceView", more: "Particulars") -> dict[str, object]:
    is_driven = found.driver is not None and found.links > 0
    return {
        "owned by": story.owned(found.tenant, more.owner),
        "why this driver": story.DRIVES if is_driven else None,
        "not held there": output.listed([told.named(name) for name in more.not_held]) if more.not_held else None,
        "rules not read": [f"{one.event_id}: {one.reason}" for one in more.unread],
    }
