"""`syncer project`: Google Cloud projects, one request budget each."""

from typing import Annotated

from cyclopts import Parameter

from syncer.cli import connect, output
from syncer.cli.output import AsJson


async def add(
    slug: Annotated[str, Parameter(help="Name for it: lower-case letters, digits, dashes.")],
    /,
    *,
    per_minute: Annotated[int, Parameter(help="Requests a minute that Google grants the project.")] = 10_000,
    per_user_minute: Annotated[int, Parameter(help="… and for one user.")] = 600,
    per_day: Annotated[int, Parameter(help="Requests a day.")] = 1_000_000,
    as_json: AsJson = False,
) -> None:
    """Add a Google Cloud project, with its request limits.

    Example: syncer project add main --per-minute 10000
    """
    from syncer.store import tenants

    async with connect.store() as database:
        project_id = await tenants.add_project(
            database, slug, per_minute=per_minute, per_user_minute=per_user_minute, per_day=per_day
        )
    if as_json:
        output.document({"project": slug, "project_id": project_id})
        return
    output.lines([f"Project {slug} is added."])
    output.advise(
        f"syncer tenant add NAME --project {slug} --credential file:NAME "
        "--provider-url URL --provider-credential file:NAME"
    )


async def list_all(*, as_json: AsJson = False) -> None:
    """List the projects.

    Example: syncer project list
    """
    from syncer.store import overview

    async with connect.store() as database:
        found = await overview.projects(database)
    if as_json:
        output.document(found)
        return
    output.table(
        ("project", "tenants", "calendars", "a minute", "a day", "worker"),
        [
            (
                one.slug,
                one.tenants,
                one.calendars,
                one.per_minute,
                one.per_day,
                "serves it" if one.is_served else "none",
            )
            for one in found
        ],
    )
    output.advise("syncer tenant list" if found else "syncer project add NAME")


async def show(slug: Annotated[str, Parameter(help="The project's name.")], /, *, as_json: AsJson = False) -> None:
    """Show one project.

    Example: syncer project show main
    """
    from syncer.store import overview

    async with connect.store() as database:
        found = await overview.project(database, slug)
    if as_json:
        output.document(found)
        return
    output.fields(
        {
            "project": found.slug,
            "requests a minute": found.per_minute,
            "… for one user": found.per_user_minute,
            "requests a day": found.per_day,
            "… spent today": found.spent_today,
            **({"pace": f"{found.pace:.0%} of what is granted, for Google has refused more"} if found.pace < 1 else {}),
            "tenants": found.tenants,
            "calendars": found.calendars,
            "worker": "serves it now" if found.is_served else "none serves it now",
            "added": found.created_at,
        }
    )
    output.advise("syncer tenant list" if found.is_served else "syncer run")
