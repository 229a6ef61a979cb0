"""From a row of the outbox to a mail that has left."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage

import anyio
from sqlalchemy import Engine, select

from text2art.errors import Text2ArtError
from text2art.media.files import slug
from text2art.studio.db.engine import reading
from text2art.studio.db.rows import job_of
from text2art.studio.db.tables import jobs
from text2art.studio.mail import messages, pictures
from text2art.studio.mail.addresses import CONFIRM_SECONDS, AddressBook
from text2art.studio.mail.failures import Undelivered
from text2art.studio.mail.links import Links
from text2art.studio.mail.messages import Attachment, Envelope, News, Sender
from text2art.studio.mail.rows import Due
from text2art.studio.mail.transports import MailTransport
from text2art.studio.model import Job, NotFound, State
from text2art.studio.store import Store

_PICTURES = ("png", "jpg", "jpeg", "webp", "svg")  # the first that a job has is its picture
_LARGEST_PICTURE = 50_000_000  # bytes that a preview is made of
_WAIT_SECONDS = 600.0  # between looks whether an address was confirmed meanwhile
_KINDS = {"webp": "image/webp", "mp4": "video/mp4", "svg": "image/svg+xml"}


class NotYet(Exception):
    """The recipient has still to agree; try later, it costs no try."""

    seconds = _WAIT_SECONDS


@dataclass(frozen=True)
class Mailer:
    """Writes mails and hands them over.

    Attributes:
        attachment_bytes: of all files that go with one mail; the others are linked.
    """

    engine: Engine
    store: Store
    book: AddressBook
    transport: MailTransport
    sender: Sender
    links: Links
    attachment_bytes: int = 8_000_000

    async def send(self, due: Due) -> None:
        """Send the mail of a row.

        Raises:
            Undelivered: it did not get there.
            NotYet: the recipient has not agreed so far.
        """
        message, recipient = await anyio.to_thread.run_sync(self.compose, due)
        await self.transport.send(message, self.sender.address, recipient)

    def compose(self, due: Due) -> tuple[EmailMessage, str]:
        """Write the mail of a row; return it and whom it is for.

        Raises:
            Undelivered: there is nobody or nothing to write to or about.
            NotYet: the recipient has not agreed so far.
        """
        if due.payload.get("confirm"):
            return self._confirmation(due)
        with reading(self.engine) as connection:
            recipient = self.book.recipient(connection, due.target)
            if recipient is None and self.book.may_still_agree(connection, due.target):
                raise NotYet
            wanted = [str(name) for name in due.payload.get("job_ids", ())]
            rows = connection.execute(select(jobs).where(jobs.c.id.in_(wanted))).all()
        if recipient is None:
            raise Undelivered("the address was not confirmed, or wants no mail", final=True)
        found = {job.id: job for job in map(job_of, rows) if job.deleted_at is None}
        told = [found[name] for name in wanted if name in found]
        if not told:
            raise Undelivered("the pictures were deleted meanwhile", final=True)
        room = 0 if due.payload.get("small") else self.attachment_bytes
        unsubscribe = self.links.unsubscribe(self.book.unsubscribe_token(due.target))
        envelope = Envelope(self.sender, recipient, due.id, due.created, unsubscribe)
        return messages.finished(list(self._news(told, room)), envelope), recipient

    def _confirmation(self, due: Due) -> tuple[EmailMessage, str]:
        with reading(self.engine) as connection:
            asked = self.book.asked(connection, due.target)
        if asked is None:
            raise Undelivered("the address need not be asked any more", final=True)
        address, token = asked
        envelope = Envelope(
            self.sender,
            address,
            due.id,
            due.created,
            self.links.unsubscribe(self.book.unsubscribe_token(due.target)),
        )
        hours = int(CONFIRM_SECONDS // 3600)
        link = self.links.confirm(token)
        return messages.confirmation(link, self.links.base, hours, envelope), address

    # ---- what is said of each job --------------------------------------------------------------

    def _news(self, told: Sequence[Job], room: int) -> Iterator[News]:
        shown = min(len(told), messages.MOST_PICTURES)
        for index, job in enumerate(told):
            page = self.links.page(job.id)
            if job.state is not State.DONE:
                yield News(job.prompt, page, error=job.error or "it failed")
                continue
            picture, files = _files_of(job)
            preview = None
            if picture is not None and index < shown:
                preview = self._preview(files[picture], pictures.MOST_BYTES // shown)
            attached: list[Attachment] = []
            linked: list[tuple[str, str]] = []
            for extension, key in files.items():
                file = self._attachment(job, extension, key, room)
                if file is None:
                    label = "Picture" if extension == picture else "Video"
                    linked.append((f"{label} ({extension})", self.links.result(job.id, extension)))
                else:
                    attached.append(file)
                    room -= len(file.data)
            yield News(job.prompt, page, "", preview, tuple(attached), tuple(linked))

    def _preview(self, key: str, most_bytes: int) -> tuple[bytes, str] | None:
        try:
            return pictures.preview(self.store.get(key, _LARGEST_PICTURE), most_bytes)
        except Text2ArtError:  # the mail goes without it; its page says what is wrong
            return None

    def _attachment(self, job: Job, extension: str, key: str, room: int) -> Attachment | None:
        """Return a file of a job, None where it is too large for the mail or gone."""
        try:
            if self.store.size(key) > room:
                return None
            data = self.store.get(key, room)
        except (NotFound, Text2ArtError):
            return None
        kind = _KINDS.get(extension) or mimetypes.guess_type(f"a.{extension}")[0]
        name = f"{slug(job.prompt, longest=40)}.{extension}"
        return Attachment(name, kind or "application/octet-stream", data)


def _files_of(job: Job) -> tuple[str | None, dict[str, str]]:
    """Return which of a job's files is its picture, and all of them, the picture first."""
    files = (job.result or {}).get("files")
    keys = {str(k): str(v) for k, v in files.items()} if isinstance(files, dict) else {}
    picture = next((extension for extension in _PICTURES if extension in keys), None)
    first = {picture: keys[picture]} if picture is not None else {}
    return picture, {**first, **keys}
