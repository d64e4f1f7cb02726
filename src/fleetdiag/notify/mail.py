# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail: through the local mail program, or an SMTP server. Plain text, so that nothing in it is markup."""

from __future__ import annotations

import getpass
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.notify.message import Message

TIMEOUT_S = 20
SENDMAIL = "/usr/sbin/sendmail"


def send(settings: Mapping[str, Any], message: Message) -> str:
    """Send the mail; return who has accepted it. FleetdiagError with the reason if nobody has."""
    mail = composed(settings, message)
    if settings.get("via", "sendmail") == "sendmail":
        return _by_program(str(settings.get("sendmail", SENDMAIL)), mail)
    return _by_smtp(settings, mail)


def composed(settings: Mapping[str, Any], message: Message) -> EmailMessage:
    """Return the mail. The same message has the same Message-ID, so that a second delivery can be told."""
    host = socket.getfqdn()
    mail = EmailMessage()
    mail["From"] = settings.get("from", f"fleetdiag <{getpass.getuser()}@{host}>")
    mail["To"] = ", ".join(settings["to"])
    mail["Subject"] = " ".join(message.subject.split())
    mail["Date"] = formatdate(localtime=True)
    mail["Message-ID"] = f"<{message.key}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.body)
    return mail


def _by_program(program: str, mail: EmailMessage) -> str:
    try:
        done = subprocess.run([program, "-t", "-oi"], input=bytes(mail), capture_output=True, check=False)
    except OSError as error:
        raise FleetdiagError(
            f'{program}: {error.strerror}; install a mail program, or say via = "smtp" and a host'
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout)[:4096].decode("utf-8", "replace").strip()
        raise FleetdiagError(f"{program}: exit code {done.returncode}: {said or 'it said nothing'}")
    return "accepted by the local mail program"


def _by_smtp(settings: Mapping[str, Any], mail: EmailMessage) -> str:
    tls = settings.get("tls", "starttls" if "user" in settings else "none")
    host = str(settings["host"])
    port = int(settings.get("port", {"tls": 465, "starttls": 587}.get(tls, 25)))
    context = ssl.create_default_context()
    try:
        server: smtplib.SMTP
        if tls == "tls":
            server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
        with server:
            if tls == "starttls":
                server.starttls(context=context)
            if "user" in settings:
                password = Path(settings["password_file"]).read_text(encoding="utf-8").strip()
                server.login(str(settings["user"]), password)
            refused = server.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        raise FleetdiagError(f"SMTP server {host}:{port}: {error}") from error
    if refused:
        raise FleetdiagError(f"SMTP server {host}:{port}: refused {', '.join(refused)}")
    return f"accepted by {host}:{port}"
