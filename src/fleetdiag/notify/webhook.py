# SPDX-License-Identifier: GPL-3.0-or-later
"""A webhook: the message as JSON, or in the form of Slack. The whole delivery has a limit outside of this process."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.notify.message import Message

TIMEOUT_S = 20
MAX_ANSWER = 4096


def send(settings: Mapping[str, Any], message: Message) -> str:
    """Post the message; return the answer. FleetdiagError, without the address, unless it is taken."""
    data = slack(message) if settings.get("form") == "slack" else message.as_dict()
    headers = {"Content-Type": "application/json", "Idempotency-Key": message.key, "User-Agent": "fleetdiag"}
    if "token_file" in settings:
        headers["Authorization"] = f"Bearer {_first_line(settings['token_file'])}"
    return post(settings, json.dumps(data).encode(), headers)


def post(
    settings: Mapping[str, Any], body: bytes | None, headers: Mapping[str, str], suffix: str = ""
) -> str:
    """Call the address of `url` or `url_file`, with `suffix` behind it; return the beginning of the answer."""
    address = str(settings["url"]) if "url" in settings else _first_line(settings["url_file"])
    try:
        request = urllib.request.Request(f"{address}{suffix}", data=body, headers=dict(headers))  # noqa: S310
        if request.type not in ("http", "https"):
            raise FleetdiagError("its address is neither http:// nor https://; correct it")
        with urllib.request.build_opener(_NoRedirect()).open(request, timeout=TIMEOUT_S) as answer:
            said: str = answer.read(MAX_ANSWER).decode("utf-8", "replace")
            return said
    except urllib.error.HTTPError as error:
        said = error.read(MAX_ANSWER).decode("utf-8", "replace").strip()
        raise FleetdiagError(f"HTTP {error.code}: {said or error.reason}") from error
    except ValueError as error:
        raise FleetdiagError("its address is none; correct url or url_file") from error
    except OSError as error:
        raise FleetdiagError(f"cannot be reached: {getattr(error, 'reason', error)}") from error


def slack(message: Message) -> dict[str, Any]:
    """Return the message as Slack takes it: every text is plain, so no name of a host or file can mention anybody."""
    text = defused(f"{message.subject}\n{message.body}")
    plain = {"type": "plain_text", "text": text[:2900], "emoji": False}
    return {"text": defused(message.subject), "mrkdwn": False, "blocks": [{"type": "section", "text": plain}]}


def defused(text: str) -> str:
    """Return a text in which Slack and its kin see no markup and no mention."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("@", "@\N{ZERO WIDTH SPACE}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A secret address is not told to another server, and a POST would become a GET."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _first_line(name: str) -> str:
    try:
        lines = Path(name).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise FleetdiagError(f"{name}: cannot be read ({error}); correct it") from error
    return lines[0].strip()
