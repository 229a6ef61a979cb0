"""Putting delivery together from the studio's configuration."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine

from text2art.errors import SettingsError
from text2art.studio.config import StudioConfig
from text2art.studio.keys import kept
from text2art.studio.mail.addresses import AddressBook
from text2art.studio.mail.links import Links
from text2art.studio.mail.mailer import Mailer
from text2art.studio.mail.messages import Sender
from text2art.studio.mail.outbox import Delivery, Describe
from text2art.studio.mail.transports import (
    ConsoleTransport,
    FolderTransport,
    MailTransport,
    NullTransport,
    SmtpTransport,
)
from text2art.studio.mail.webhooks import WebhookSender, check_secret, new_secret
from text2art.studio.net import Web
from text2art.studio.store import Store

_TRIAL_SENDER = Sender("text2art", "studio@localhost")  # of mail that leaves for nowhere


def open_delivery(
    config: StudioConfig, engine: Engine, store: Store, describe: Describe
) -> Delivery:
    """Return what delivers a studio's outbox; `await delivery.run()` in one of its processes.

    Args:
        config: of the studio.
        engine: of its database.
        store: its files.
        describe: gives the JSON of a job that webhooks carry, None where the job is gone.

    Raises:
        SettingsError: the configuration of mail or webhooks is not complete.
    """
    return Delivery(
        engine,
        mailer=_mailer(config, engine, store, Links.of(config)),
        webhooks=WebhookSender(open_web(config), webhook_secret(config)),
        describe=describe,
    )


def open_web(config: StudioConfig) -> Web:
    """Return the way out to addresses that strangers name.

    Raises:
        SettingsError: `allow_hosts` holds something else than hosts and networks.
    """
    return Web(allow=config.allow_hosts, allow_private=config.allow_private_urls)


def open_book(config: StudioConfig) -> AddressBook:
    """Return the book of addresses that may be written to."""
    secret = kept(_folder(config), "session", config.session_secret)
    return AddressBook(secret.encode(), config.mail_allow)


def sends_mail(config: StudioConfig) -> bool:
    """Whether the studio can send mail, so that the form may ask for an address."""
    return bool(config.mail_host) or config.mail_transport != "smtp"


def webhook_secret(config: StudioConfig) -> str:
    """Return the secret that webhooks are signed with, for their receivers.

    Raises:
        SettingsError: the given one is none.
    """
    return check_secret(kept(_folder(config), "webhook", config.webhook_secret, make=new_secret))


def _mailer(config: StudioConfig, engine: Engine, store: Store, links: Links) -> Mailer | None:
    if not sends_mail(config):
        return None
    if config.mail_from:
        sender = Sender.parse(config.mail_from)
    elif config.mail_transport == "smtp":
        raise SettingsError("mail_from: give the sender, as text2art <studio@example.org>")
    else:
        sender = _TRIAL_SENDER
    return Mailer(
        engine,
        store,
        open_book(config),
        _transport(config),
        sender,
        links,
        attachment_bytes=config.mail_attachment_bytes,
    )


def _transport(config: StudioConfig) -> MailTransport:
    if config.mail_transport == "console":
        return ConsoleTransport()
    if config.mail_transport == "folder":
        return FolderTransport(config.data / "mail")
    if config.mail_transport == "null":
        return NullTransport()
    return SmtpTransport(
        config.mail_host,
        config.mail_port,
        security=config.mail_security,
        user=config.mail_user,
        password=config.mail_password.get_secret_value(),
    )


def _folder(config: StudioConfig) -> Path:
    return config.data / "secrets"
