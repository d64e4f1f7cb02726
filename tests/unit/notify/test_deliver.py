# SPDX-License-Identifier: GPL-3.0-or-later
"""Each kind of receiver with a real one on loopback, in the process of its own that a sweep uses."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from receivers import Http, Smtp, serving

from fleetdiag.notify import apprise, deliver, mail, webhook
from fleetdiag.notify.message import Message

HOSTILE = "<!channel> <@U123> @everyone </p><script>x</script> \\x1b[2J & `code` *bold*"
MESSAGE = Message(
    "k1", f"[fleetdiag web] 1 new: {HOSTILE}", f"NEW  warning  {HOSTILE}\n", {"schema": "fleetdiag.news/1"}
)


@pytest.fixture
def http() -> Iterator[Http]:
    server = Http()
    with serving(server):
        yield server


@pytest.fixture
def smtp() -> Iterator[Smtp]:
    server = Smtp()
    with serving(server):
        yield server


def run(kind: str, settings: Any, limit_s: float = 60) -> tuple[bool, str]:
    return deliver.run(kind, settings, MESSAGE.as_dict(), limit_s)


# --- webhook ---


def test_a_webhook_gets_the_message_as_json(http: Http, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{http.url}\n")
    (tmp_path / "token").write_text("s3cret\n")
    settings = {"url_file": str(tmp_path / "url"), "token_file": str(tmp_path / "token")}
    assert run("webhook", settings) == (True, "ok")
    ((path, headers, body),) = http.requests
    assert path == "/hook"
    assert json.loads(body) == MESSAGE.as_dict()
    assert headers["Idempotency-Key"] == "k1"
    assert headers["Authorization"] == "Bearer s3cret"


def test_slack_sees_no_mention_and_no_markup(http: Http) -> None:
    assert run("webhook", {"url": http.url, "form": "slack"}) == (True, "ok")
    sent = json.loads(http.requests[0][2])
    assert sent["blocks"][0]["text"]["type"] == "plain_text"
    for text in (sent["text"], sent["blocks"][0]["text"]["text"]):
        assert "<" not in text
        assert "@everyone" not in text
        assert "&lt;!channel&gt;" in text


def test_an_error_says_the_answer_and_not_the_address(http: Http) -> None:
    http.statuses, http.answer = [500], b"over\x1b[2J quota" + b"x" * 100_000
    taken, said = run("webhook", {"url": f"{http.url}/s3cret"})
    assert not taken
    assert said.startswith("HTTP 500: over\\x1b[2J quota")
    assert len(said) <= deliver.MAX_SAID
    assert "s3cret" not in said


def test_a_redirect_is_not_followed(http: Http) -> None:
    http.statuses = [302]
    taken, said = run("webhook", {"url": http.url})
    assert not taken
    assert "HTTP 302" in said
    assert len(http.requests) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "file:///etc/passwd", "nonsense"])
def test_an_address_that_cannot_be_called(url: str) -> None:
    taken, said = run("webhook", {"url": url})
    assert not taken
    assert "root:" not in said
    assert "Traceback" not in said


def test_an_answer_that_never_ends_is_ended(http: Http) -> None:
    """urllib's own time limit is for each read; a slow drip would hang for ever."""
    http.drips = True
    taken, said = run("webhook", {"url": http.url}, limit_s=5)
    assert (taken, said) == (False, "no answer within 5 s; it was ended")


# --- mail ---


def test_mail_by_smtp(smtp: Smtp) -> None:
    settings = {
        "to": ["ops@example.org", "b@example.org"],
        "via": "smtp",
        "host": "127.0.0.1",
        "port": smtp.server_address[1],
    }
    taken, said = run("mail", settings)
    assert taken, said
    ((recipients, sent),) = smtp.mails
    assert recipients == ["ops@example.org", "b@example.org"]
    assert sent["Subject"] == MESSAGE.subject
    assert sent.get_content_type() == "text/plain"
    assert sent.get_content().splitlines()[0] == MESSAGE.body.strip()
    assert sent["Message-ID"].startswith("<k1@")
    assert sent["Auto-Submitted"] == "auto-generated"


def test_a_refused_recipient_is_no_success(smtp: Smtp) -> None:
    smtp.refused = {"b@example.org"}
    settings = {"to": ["b@example.org"], "via": "smtp", "host": "127.0.0.1", "port": smtp.server_address[1]}
    taken, said = run("mail", settings)
    assert not taken
    assert "b@example.org" in said


def test_mail_by_the_local_program(tmp_path: Path) -> None:
    program = tmp_path / "sendmail"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/args\ncat >{tmp_path}/mail\n')
    program.chmod(0o700)
    taken, said = run("mail", {"to": ["ops@example.org"], "sendmail": str(program)})
    assert (taken, said) == (True, "accepted by the local mail program")
    assert (tmp_path / "args").read_text() == "-t\n-oi\n"
    assert "To: ops@example.org" in (tmp_path / "mail").read_text()
    assert not run("mail", {"to": ["ops@example.org"], "sendmail": str(tmp_path / "none")})[0]


def test_a_subject_cannot_forge_a_header() -> None:
    made = mail.composed({"to": ["a@b"]}, Message("k", "x\r\nBcc: evil@example.org\n\nbody", "body"))
    assert made["Bcc"] is None
    assert made["Subject"] == "x Bcc: evil@example.org body"


# --- command ---


def script(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "hook.py"
    path.write_text(text)
    return [sys.executable, str(path)]


def test_a_command_gets_json_on_standard_input_only(tmp_path: Path) -> None:
    words = script(
        tmp_path,
        "import json, os, sys\n"
        "seen = json.dumps([json.load(sys.stdin), sys.argv[1:], dict(os.environ)])\n"
        f"open({str(tmp_path / 'out')!r}, 'w').write(seen)\n"
        "print('done')",
    )
    assert run("command", [*words, "arg"]) == (True, "done")
    document, argv, environment = json.loads((tmp_path / "out").read_text())
    assert document == MESSAGE.as_dict()
    assert argv == ["arg"]
    assert "everyone" not in json.dumps(environment)


def test_a_command_that_fails_or_is_not_there(tmp_path: Path) -> None:
    words = script(tmp_path, "import sys\nsys.stderr.write('no \\x1b[31mroute\\n')\nsys.exit(3)")
    taken, said = run("command", words)
    assert not taken
    assert said.endswith("exit code 3: no \\x1b[31mroute")
    assert (
        run("command", ["/nowhere/hook"])[1]
        == "/nowhere/hook: No such file or directory; correct the receiver's command"
    )


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    words = script(
        tmp_path,
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "child.wait()",
    )
    taken, said = run("command", words, limit_s=5)
    assert (taken, said) == (False, "no answer within 5 s; it was ended")
    for pid in (tmp_path / "pid").read_text().split():
        until = time.monotonic() + 30
        while is_running(pid):
            assert time.monotonic() < until, f"process {pid} still runs"
            time.sleep(0.02)


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_that_prints_without_end_costs_nothing(tmp_path: Path) -> None:
    words = script(tmp_path, "import os\nwhile True: os.write(1, b'x' * 65536)")
    taken, said = run("command", words, limit_s=30)
    assert not taken
    assert len(said) <= deliver.MAX_SAID


# --- apprise ---


def test_services_of_apprise_get_plain_text_without_mentions(http: Http, tmp_path: Path) -> None:
    pytest.importorskip("apprise", reason="of the extra fleetdiag[notify]")
    urls = tmp_path / "urls"
    place = f"127.0.0.1:{http.server_address[1]}"
    urls.write_text(f"# ours\n\njson://{place}/hook\nmmost://{place}/{'a' * 24}\n")
    assert run("apprise", {"urls_file": str(urls)}) == (True, "taken by all services")
    bodies = [json.loads(body) for _, _, body in http.requests]
    texts = sorted(
        " ".join(str(body.get(key, "")) for key in ("title", "message", "text")) for body in bodies
    )
    assert len(texts) == 2
    for text in texts:
        assert "[fleetdiag web] 1 new" in text
        assert "NEW  warning" in text
        assert "*bold*" in text
        assert not any(mention in text for mention in ("<!", "<@", "@everyone"))


def test_a_service_of_apprise_that_is_down_or_none(http: Http, tmp_path: Path) -> None:
    pytest.importorskip("apprise", reason="of the extra fleetdiag[notify]")
    urls = tmp_path / "urls"
    http.statuses = [500]
    urls.write_text(f"json://127.0.0.1:{http.server_address[1]}/hook\n")
    assert run("apprise", {"urls_file": str(urls)}) == (
        False,
        "a service did not take it; apprise says no more",
    )
    urls.write_text("json://127.0.0.1/x\nnonsense\n")
    assert "urls:2: is no address that apprise knows" in run("apprise", {"urls_file": str(urls)})[1]


def test_mentions_are_defused_and_text_stays_readable() -> None:
    assert webhook.defused("a < b & c") == "a &lt; b &amp; c"
    assert "channel" in apprise.defused("<!channel>")
