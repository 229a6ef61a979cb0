"""Jobs: handing in, looking at, canceling, going on from."""

from __future__ import annotations

from typing import Annotated, Literal

import anyio
from fastapi import APIRouter, Path, Query, Request, Response

from text2art.studio.api import handing_in, shapes, wishes
from text2art.studio.api.bodies import json_body
from text2art.studio.api.context import Context, Ctx, Who, require_admin
from text2art.studio.api.shapes import JobList, JobShape, Likes
from text2art.studio.faults import about
from text2art.studio.model import State

router = APIRouter(tags=["jobs"])
JobId = Annotated[
    str,
    Path(
        description="Id of a job.",
        json_schema_extra={"pattern": "^[0-7][0-9a-hjkmnp-tv-z]{25}$"},  # others are not found
    ),
]
Cursor = Annotated[str | None, Query(max_length=100, description="`next` of the page before.")]
PageSize = Annotated[int, Query(ge=1, le=200, description="Jobs of a page.")]


@router.post("/jobs", status_code=202, openapi_extra=wishes.body())
async def submit(
    request: Request,
    response: Response,
    context: Ctx,
    caller: Who,
    key: wishes.IdempotencyKey = None,
) -> JobShape:
    """Hand in a picture to be drawn, or several of one batch.

    The body holds settings, of which only `prompts` is needed, and beside them options. The answer
    is the first job; `batch` names all of them.
    """
    wish = wishes.read(await json_body(request))
    made = await handing_in.hand_in(context, caller, wish, key)
    shape = await _shape(context, made[0].id, caller.owner_id, [job.id for job in made])
    response.headers["Location"] = shape.url
    return shape


@router.get("/jobs")
def list_mine(
    context: Ctx,
    caller: Who,
    state: Annotated[shapes.StateName | None, Query(description="Only of this state.")] = None,
    batch_id: Annotated[str | None, Query(max_length=40, description="Only of a batch.")] = None,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> JobList:
    """Return your jobs, newest first."""
    with about("cursor"):
        page = context.studio.list_mine(
            caller.owner_id,
            state=State(state) if state else None,
            batch_id=batch_id,
            cursor=cursor,
            limit=limit,
        )
    return JobList(jobs=[shapes.job(view) for view in page.jobs], next=page.next)


@router.get("/jobs/{job_id}")
def get(job_id: JobId, context: Ctx, caller: Who) -> JobShape:
    """Return a job of yours, or one that was published, with the frames of its making."""
    return shapes.job(context.studio.get(job_id, caller.owner_id))


@router.delete("/jobs/{job_id}")
def cancel(
    job_id: JobId,
    context: Ctx,
    caller: Who,
    mode: Annotated[
        Literal["cancel", "delete"],
        Query(description="cancel keeps the last picture; delete also takes the job away."),
    ] = "cancel",
) -> JobShape:
    """Cancel a job, or delete it; a deletion can be undone for some days."""
    if mode == "delete":
        view = context.studio.get(job_id, caller.owner_id)
        context.studio.delete(job_id, caller.owner_id)
        return shapes.job(view)
    context.studio.cancel(job_id, caller.owner_id)
    return shapes.job(context.studio.get(job_id, caller.owner_id))


@router.post("/jobs/{job_id}/undelete")
def undelete(job_id: JobId, context: Ctx, caller: Who) -> JobShape:
    """Undo a deletion."""
    context.studio.undelete(job_id, caller.owner_id)
    return shapes.job(context.studio.get(job_id, caller.owner_id))


@router.post("/jobs/{job_id}/retry", status_code=202)
def retry(job_id: JobId, context: Ctx, caller: Who) -> JobShape:
    """Hand a failed or canceled job in again; it goes on from its last checkpoint."""
    handing_in.enter(context, caller, 1)
    context.studio.retry(job_id, caller.owner_id)
    return shapes.job(context.studio.get(job_id, caller.owner_id))


@router.post("/jobs/{job_id}/continue", status_code=202, openapi_extra=wishes.body(continuing=True))
async def go_on(
    job_id: JobId,
    request: Request,
    response: Response,
    context: Ctx,
    caller: Who,
    key: wishes.IdempotencyKey = None,
) -> JobShape:
    """Hand in a job that goes on from another's picture, with other settings where given.

    Without `step` it goes on losslessly where there is a checkpoint; `iterations` are further ones.
    """
    wish = wishes.read(await json_body(request, optional=True), continuing=True)
    made = await handing_in.go_on(context, caller, job_id, wish, key)
    shape = await _shape(context, made.id, caller.owner_id, [made.id])
    response.headers["Location"] = shape.url
    return shape


@router.post("/jobs/{job_id}/like")
def like(job_id: JobId, context: Ctx, caller: Who) -> Likes:
    """Like a picture; once counts."""
    owner_id = handing_in.owner_of(context, caller)
    return Likes(liked=True, likes=context.studio.like(job_id, owner_id))


@router.delete("/jobs/{job_id}/like")
def unlike(job_id: JobId, context: Ctx, caller: Who) -> Likes:
    """Like a picture no longer."""
    owner_id = handing_in.owner_of(context, caller)
    return Likes(liked=False, likes=context.studio.like(job_id, owner_id, liked=False))


@router.post("/jobs/{job_id}/publish")
def publish(job_id: JobId, context: Ctx, caller: Who) -> JobShape:
    """Show a job to others: in the gallery, and to whoever has its link."""
    return _published(context, job_id, caller.owner_id, public=True)


@router.delete("/jobs/{job_id}/publish")
def unpublish(job_id: JobId, context: Ctx, caller: Who) -> JobShape:
    """Show a job to nobody else."""
    return _published(context, job_id, caller.owner_id, public=False)


@router.post("/jobs/{job_id}/hide", tags=["administration"])
def hide(job_id: JobId, context: Ctx, caller: Who) -> dict[str, bool]:
    """Take a job out of others' sight, whatever its owner says."""
    require_admin(caller)
    return {"hidden": context.studio.hide(job_id).hidden}


@router.delete("/jobs/{job_id}/hide", tags=["administration"])
def show(job_id: JobId, context: Ctx, caller: Who) -> dict[str, bool]:
    """Let a hidden job be seen again, if it is published."""
    require_admin(caller)
    return {"hidden": context.studio.hide(job_id, hidden=False).hidden}


@router.get("/gallery", tags=["gallery"])
def gallery(
    context: Ctx,
    caller: Who,
    q: Annotated[
        str, Query(max_length=200, description="Words that all occur in prompt, drawer or styles.")
    ] = "",
    drawer: Annotated[str, Query(max_length=64, description="Only of this drawer.")] = "",
    liked: Annotated[bool, Query(description="Only what you like.")] = False,
    cursor: Cursor = None,
    limit: PageSize = 50,
) -> JobList:
    """Return published pictures, newest first."""
    with about("cursor"):
        page = context.studio.gallery(
            caller.owner_id, words=q, drawer=drawer, liked=liked, cursor=cursor, limit=limit
        )
    return JobList(jobs=[shapes.job(view) for view in page.jobs], next=page.next)


def _published(context: Context, job_id: str, owner_id: str, *, public: bool) -> JobShape:
    context.studio.publish(job_id, owner_id, public=public)
    return shapes.job(context.studio.get(job_id, owner_id))


async def _shape(context: Context, job_id: str, owner_id: str, batch: list[str]) -> JobShape:
    view = await anyio.to_thread.run_sync(context.studio.get, job_id, owner_id)
    return shapes.job(view, batch)
