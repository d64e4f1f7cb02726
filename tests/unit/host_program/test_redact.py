# SPDX-License-Identifier: GPL-3.0-or-later
"""What redact.sed takes out of a session's output, what it leaves, and that nothing is sent that did not pass it."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import encode
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.model import SessionResult
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.protocol import MAX_LINE, read_lines
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.session import parse_session
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes.catalog import probe_from_manifest
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.host_program import FILES
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl import Guard
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep.hostctl_replies import Session

RULES = FILES / "redact.sed"
NONCE = "0123456789abcdef"
SWEEP = "20261123_071502_1f3a"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nq8Zc+/=\n-----END RSA PRIVATE KEY-----"


def redacted(text: bytes) -> tuple[bytes, int]:
    """What the filter makes of some text, and how many lines it says it changed."""
    command = ["sed", "-E", "-f", str(RULES)]
    done = subprocess.run(
        command, input=text, capture_output=True, check=True, timeout=60, env={"LC_ALL": "C"}
    )
    assert set(done.stderr) <= set(b"r\n"), done.stderr
    return done.stdout, done.stderr.count(b"r")


def one(line: str) -> str:
    return redacted(line.encode() + b"\n")[0].decode()[:-1]


# --- R1 to R5


@pytest.mark.parametrize(
    ("printed", "sent"),
    [
        pytest.param("mysqld --password=hunter2 --port=3306", "mysqld --password=*** --port=3306", id="R1"),
        pytest.param("psql postgres://u:p%40ss@db:5432/x", "psql postgres://u:***@db:5432/x", id="R2"),
        pytest.param("mysql -uroot -phunter2 db", "mysql -uroot -p*** db", id="R3-mysql"),
        pytest.param("curl -u bob:s3cr3t https://x", "curl -u bob:*** https://x", id="R3-curl"),
        pytest.param(
            "java -Djavax.net.ssl.trustStorePassword=changeit x",
            "java -Djavax.net.ssl.trustStorePassword=*** x",
            id="R4-java",
        ),
        pytest.param("env API_KEY=abc123 run", "env API_KEY=*** run", id="R4-env"),
        pytest.param("Authorization: Bearer abc.def", "Authorization: Bearer ***", id="R4-header"),
        pytest.param("aws AKIAIOSFODNN7EXAMPLE x", "aws *** x", id="R4-aws"),
        pytest.param(f"curl {JWT} x", "curl *** x", id="R4-jwt"),
        pytest.param("git ghp_abcdefghijklmnopqrstuvwxyz0123456789 x", "git ghp_*** x", id="R4-github"),
        pytest.param("git glpat-abcdefghij0123456789 x", "git glpat-*** x", id="R4-gitlab"),
        pytest.param("bot xoxb-123456789012-abcdefghij x", "bot xoxb-*** x", id="R4-slack"),
        pytest.param(
            PEM,
            "-----BEGIN RSA PRIVATE KEY-----\n***\n***\n-----END RSA PRIVATE KEY-----",
            id="R4-pem-lines",
        ),
        pytest.param(
            encode(PEM).decode() + "\tnext",
            "-----BEGIN RSA PRIVATE KEY-----***\tnext",
            id="R4-pem-in-a-field",
        ),
        pytest.param("tar --exclude=passwords.txt /srv", "tar --exclude=passwords.txt /srv", id="R5-tar"),
        pytest.param("sshd: root@pts/0", "sshd: root@pts/0", id="R5-sshd"),
    ],
)
def test_rows_r1_to_r5(printed: str, sent: str) -> None:
    assert one(printed) == sent


@pytest.mark.parametrize(
    ("printed", "sent"),
    [
        ("x --password hunter2 -v", "x --password *** -v"),
        ("x --password -v", "x --password -v"),
        ("x PASSWORD=a;b&c", "x PASSWORD=***"),
        ('x --password="two words" -v', "x --password=*** -v"),
        ("x --password='two words' -v", "x --password=*** -v"),
        (r"x --password=\"two words\" -v", "x --password=*** -v"),
        (r"x password=back\\slash\ttab\303\251 y", "x password=*** y"),
        (
            "MYSQL_PWD=a DB_PASS=b client_secret=c PGPASSWORD=d",
            "MYSQL_PWD=*** DB_PASS=*** client_secret=*** PGPASSWORD=***",
        ),
        ("AWS_SECRET_ACCESS_KEY=a/b+c AccountKey=a==;x", "AWS_SECRET_ACCESS_KEY=*** AccountKey=***"),
        ("https://h/?user=a&token=b&x=1", "https://h/?user=a&token=***"),
        ("redis://:pw@h ftp://u:p/w@h", "redis://:***@h ftp://u:***@h"),
        ("postgres://u:p@ss@db/x", "postgres://u:***@db/x"),
        ("Authorization: Basic dTpw", "Authorization: Basic ***"),
        ('-H "Authorization: Digest username=u, response=r"', '-H "Authorization: Digest ***'),
        ("Cookie: a=b; c=d", "Cookie: ***"),
        ("openssl -passin pass:hunter2 x", "openssl -passin pass:*** x"),
        ("sshpass -p hunter2 ssh x", "sshpass -p *** ssh x"),
        ("redis-cli -a hunter2 ping", "redis-cli -a *** ping"),
        ("ldapsearch -x -w hunter2 -b dc=x", "ldapsearch -x -w *** -b dc=x"),
        ("smbclient -U bob%hunter2 //h/x", "smbclient -U bob%*** //h/x"),
        ("/srv/api_key=abc.dat", "/srv/api_key=***"),
        ("password=a password=b", "password=*** password=***"),
    ],
)
def test_other_shapes_of_secrets(printed: str, sent: str) -> None:
    assert one(printed) == sent


@pytest.mark.parametrize(
    "line",
    [
        "PWD=/root OLDPWD=/srv",
        "http://h:8080/p?mail=a@b",
        "ssh://git@host/x",
        "mysql -P3306 -p -h db",
        "/etc/passwd /etc/ssl/private/key.pem",
        "keyword monkey=1",
        "     3 key_task_permission(7): ->security_key_alloc",
        f"{NONCE}\t7\tfiles\t31\tpasswd\t9\t/etc/passwd\t1",
        "***",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert redacted(line.encode() + b"\n") == (line.encode() + b"\n", 0)


LINES = Path(__file__).parent / "redact"


def test_of_command_lines_with_a_secret_as_people_write_them_few_keep_it() -> None:
    lines = (LINES / "secret.txt").read_text().splitlines()
    assert len(lines) == 89
    sent = redacted((LINES / "secret.txt").read_bytes())[0].decode().splitlines()
    kept = [line for line in sent if "hunter2Secret" in line]
    assert len(lines) - len(kept) >= 85, kept


def test_counters_paths_and_ports_are_no_secrets() -> None:
    lines = (LINES / "harmless.txt").read_bytes()
    assert len(set(lines.splitlines())) == 200
    sent, changed = redacted(lines)
    wrong = [
        after for before, after in zip(lines.splitlines(), sent.splitlines(), strict=True) if before != after
    ]
    assert (wrong, changed) == ([], 0)


def test_the_first_rule_skips_no_line_that_another_would_change(tmp_path: Path) -> None:
    """Its words are also those without which the host does not start the filter at all."""
    rules = RULES.read_text()
    (words,) = re.findall(r"^/.*/I!b\n", rules, re.MULTILINE)
    (tmp_path / "all.sed").write_text(rules.replace(words, ""))
    text = (LINES / "secret.txt").read_bytes() + (LINES / "harmless.txt").read_bytes()
    command = ["sed", "-E", "-f", str(tmp_path / "all.sed")]
    done = subprocess.run(command, input=text, capture_output=True, check=True, env={"LC_ALL": "C"})
    assert done.stdout == redacted(text)[0]


# --- the forms of output


def test_a_record_keeps_its_fields_and_control_records_stay() -> None:
    output = (
        f"{NONCE}\t1\t@armed\t0\t1790000000000\n"
        f"{NONCE}\t2\t@start\t0\t1790000004000\n"
        f"{NONCE}\t3\texec\t5\tmysql --password=\t7\tmysql -phunter2 \\u65e5 token:\t8\n"
        f"{NONCE}\t4\t@end\t30000\t1790000034000\twindow\n"
    )
    sent, changed = redacted(output.encode())
    assert sent.decode() == output.replace("hunter2", "***")
    assert changed == 1


def test_the_lines_of_a_call_trace_stay_lines_of_a_call_trace() -> None:
    trace = (
        "     0 token=abc(31): ->ext4_readdir\n"
        "     5 token=abc(31):  ->ext4_map\n"
        "     9 token=abc(31):  <-ext4_map\n"
        "    12 token=abc(31): <-ext4_readdir\n"
    )
    sent, changed = redacted(trace.encode())
    assert sent.decode() == trace.replace("abc", "***")
    assert changed == 4
    manifest = {"description": "A.", "question": "A?", "output": "calltrace", "cost": "low"}
    session = parse_session(probe_from_manifest("p", manifest), NONCE, io.BytesIO(sent))
    assert list(session) == []
    (tree,) = session.result.calltrees
    assert (tree.process, session.result.rejected_lines) == ("token=***", 0)


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ('{"password":"two words","n":1}', '{"password":"***","n":1}'),
        ('{"comm": "x --token=abc", "n": 1}', '{"comm": "x --token=***", "n": 1}'),
        (r'[{"a": "password=a\"b"}, 2]', '[{"a": "password=***"}, 2]'),
        ('{"token": 51234}', '{"token": ***'),
        ('{"token": 5}', '{"token": 5}'),
    ],
)
def test_a_line_of_json_stays_one(line: str, sent: str) -> None:
    assert one(line) == sent


def test_a_key_without_an_end_hides_only_what_looks_like_one() -> None:
    text = f"-----BEGIN PRIVATE KEY-----\r\nMIIEvQ==\r\n\r\nAAAA\n{NONCE}\t9\t@end\t1\t2\tttl\nMIIEvQ==\n"
    sent, _ = redacted(text.encode())
    assert sent.decode().split("\n")[1:] == [
        "***",
        "***",
        "***",
        f"{NONCE}\t9\t@end\t1\t2\tttl",
        "MIIEvQ==",
        "",
    ]


PIECES = st.sampled_from(
    [b"password", b"token=", b": ", b"-p", b"mysql ", b'"', b"\\", b"\\n", b"://", b"u:p@", b"curl -u ", b"eyJ",
     b"a" * 20, b"AKIA", b"ghp_", b"-----BEGIN PRIVATE KEY-----", b"{", b"(7): ->", b"Bearer ", b"Digest ", b" ", b"***"]
)  # fmt: skip


@given(
    st.lists(
        st.lists(st.lists(PIECES | st.binary(max_size=8), max_size=8), min_size=1, max_size=6), max_size=30
    )
)
def test_no_text_changes_how_many_lines_and_fields_there_are(lines: list[list[list[bytes]]]) -> None:
    fields = [[b"".join(pieces).translate(None, b"\t\n") for pieces in line] for line in lines]
    plain = b"".join(b"\t".join([NONCE.encode(), b"7", *line]) + b"\n" for line in fields)
    sent, _ = redacted(plain)
    assert [line.count(b"\t") for line in sent.split(b"\n")] == [
        line.count(b"\t") for line in plain.split(b"\n")
    ]
    assert all(line.startswith(NONCE.encode() + b"\t7\t") for line in sent.split(b"\n")[:-1])


@given(st.lists(PIECES | st.binary(max_size=30), max_size=40))
def test_lines_without_nonce_stay_as_many(pieces: list[bytes]) -> None:
    text = b"".join(pieces)
    sent, _ = redacted(text)
    assert (sent.count(b"\n"), sent.count(b"\t")) == (text.count(b"\n"), text.count(b"\t"))
    assert sent.endswith(b"\n") == text.endswith(b"\n")


SHAPES = ["--password={}", "API_KEY={} x", "mysql -p{}", "psql a://u:{}@h", "token: {}", '{{"secret":"{}"}}']
LETTERS = st.characters(min_codepoint=0x21, max_codepoint=0x17F)


@given(st.sampled_from(SHAPES), st.text(alphabet=LETTERS, min_size=1, max_size=40))
def test_no_secret_survives_in_a_field(shape: str, secret: str) -> None:
    secret = "".join(
        "x" if character in "/'\"{}-\\" or character.isspace() else character for character in secret
    )
    canary = f"Canary{secret}yranac"
    line = NONCE.encode() + b"\t1\tt\t2\t" + encode(shape.format(canary)) + b"\t3\n"
    sent, changed = redacted(line)
    assert b"Canary" not in sent
    assert b"yranac" not in sent
    assert changed == 1


@pytest.mark.parametrize(
    "unit",
    [b"://", b"-", b"pass", b"eyJ", b"token=a ", b'token="a ', b"://a:b ", b"://a:b", b"(1): -> ", b'{"', b"curl -u ",
     b"mysql -p ", b"token ", b"A", b"://a:@", b"smbclient -U ", b"-----BEGIN PRIVATE KEY", b"Authorization: Bearer "],
)  # fmt: skip
def test_no_text_is_expensive(unit: bytes) -> None:
    """Half a megabyte of it takes less than a second; with a rule that tries again and again it would be hours."""
    line = unit * (60_000 // len(unit)) + b" ://u:p@x password=x\n"
    sent, _ = redacted(line * 8)
    assert sent.count(b"\n") == 8


def test_every_rule_says_which_characters_it_takes() -> None:
    """A dot or \\s takes tabs and marks of boundaries; a star behind a class without them can take a whole line."""
    rules = [line for line in RULES.read_text().splitlines() if re.match(r"(/.*/I? )?s[/#](?!\.\*/r/)", line)]
    assert len(rules) > 15
    for rule in rules:
        assert not re.search(r"\[[^]]*\\/", rule), f"a backslash in brackets is one of the characters: {rule}"
        assert not re.search(r"(?<![\\\[])\.[*+{]|\\s|\\S|\\w", re.sub(r"\[[^]]*\]", "C", rule)), rule


# --- on its way


@pytest.fixture
def host(tmp_path: Path) -> Callable[[str, bytes | None], tuple[int, str, str]]:
    """Runs guard.sh here, with a home of its own; there is no session, only what one has left."""

    def run(command: str, data: bytes | None) -> tuple[int, str, str]:
        sent = (data or b"").replace(b"/var/lib/fleetdiag", str(tmp_path / "home").encode())
        # what is installed here is another text than what was sent, so its checksum is another, too
        announced, own = (hashlib.sha256(text).hexdigest()[:16] for text in (data or b"", sent))
        command = command.replace(f" in {announced}*)", f" in {own}*)")
        done = subprocess.run(
            ["/bin/sh", "-c", command.replace("/var/lib/fleetdiag", str(tmp_path / "home"))],
            input=sent,
            capture_output=True,
            check=False,
            start_new_session=True,  # nobody can be asked for a password
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return run


def spool(tmp_path: Path, out: bytes, err: bytes = b"") -> Path:
    folder = tmp_path / "home" / "sweeps" / SWEEP / "tick"
    folder.mkdir(parents=True)
    (folder / "out").write_bytes(out)
    (folder / "err").write_bytes(err)
    (folder / "result").write_text("success 0 120000\n")
    return folder


def collect(host: Callable[[str, bytes | None], tuple[int, str, str]]) -> Session:
    guard = Guard(host)
    guard.install_and_preflight()
    (session,) = guard.collect(SWEEP, {"tick": 1 << 24}).sessions
    return session


def test_what_is_collected_has_passed_the_filter(
    tmp_path: Path, host: Callable[..., tuple[int, str, str]]
) -> None:
    out = b"a --password=hunter2\nb\n"
    folder = spool(tmp_path, out, b"WARNING: token=hunter2 x\n")
    session = collect(host)
    assert gzip.decompress(session.out_gz) == b"a --password=***\nb\n"
    assert session.err == b"WARNING: token=*** x\n"
    assert (session.out_bytes, session.printed_bytes, session.redacted_lines) == (len(out) - 4, len(out), 2)
    assert b"hunter2" not in b"".join(path.read_bytes() for path in folder.iterdir())
    again = collect(host)
    assert (again.sha256, again.redacted_lines) == (session.sha256, 2)


@pytest.mark.parametrize(
    ("out", "sent"),
    [
        (b"nothing here\nPGPASSWORD=hunter2", b"nothing here\nPGPASSWORD=***"),
        (b"psql postgres://u:hunter2@db/x\n", b"psql postgres://u:***@db/x\n"),
        (b"aws AKIAIOSFODNN7EXAMPLE\n", b"aws ***\n"),
        (b"sk-ant-REDACTED\n", b"sk-***\n"),
    ],
)
def test_the_words_that_call_for_the_filter_are_those_of_its_rules(
    tmp_path: Path, host: Callable[..., tuple[int, str, str]], out: bytes, sent: bytes
) -> None:
    spool(tmp_path, out)
    assert gzip.decompress(collect(host).out_gz) == sent == redacted(out)[0]
    (words,) = (tmp_path / "home" / "guard").glob("*.words")
    first_rule = next(line for line in RULES.read_text().splitlines() if line.startswith("/"))
    assert first_rule == "/" + words.read_text().strip().replace("/", "\\/") + "/I!b"


def test_without_redaction_it_is_sent_as_it_is(
    tmp_path: Path, host: Callable[..., tuple[int, str, str]]
) -> None:
    folder = spool(tmp_path, b"a --password=hunter2\n")
    (folder.parent / "unredacted").touch()
    session = collect(host)
    assert gzip.decompress(session.out_gz) == b"a --password=hunter2\n"
    assert session.redacted_lines is None


@pytest.mark.parametrize(
    "out", [b"", b"\n", b"whole\nhalf", b"half", b"x\0y\n\0", b"\xff\xfe\n", b"token=a\ntoken=b", b"a\n\n\n"]
)
def test_a_half_line_stays_half(
    tmp_path: Path, host: Callable[..., tuple[int, str, str]], out: bytes
) -> None:
    spool(tmp_path, out)
    assert gzip.decompress(collect(host).out_gz) == re.sub(b"token=.", b"token=***", out)


def test_a_line_nobody_reads_is_cut_and_still_rejected(
    tmp_path: Path, host: Callable[..., tuple[int, str, str]]
) -> None:
    spool(tmp_path, b"x" * (3 * MAX_LINE) + b"password=hunter2\n" + b"y" * MAX_LINE + b"\nlast\n")
    sent = gzip.decompress(collect(host).out_gz)
    assert [len(line) for line in sent.split(b"\n")] == [MAX_LINE + 1, MAX_LINE, 4, 0]
    result = SessionResult()
    assert [len(line) for line in read_lines(io.BytesIO(sent), result, 1 << 30)] == [MAX_LINE, 4]
    assert (result.rejected_lines, result.truncated) == (1, False)


@pytest.mark.parametrize("kind", ["sed", "words"])
def test_without_its_rules_nothing_is_sent(
    tmp_path: Path, host: Callable[..., tuple[int, str, str]], kind: str
) -> None:
    folder = spool(tmp_path, b"a --password=hunter2\n")
    guard = Guard(host)
    guard.install_and_preflight()
    for rules in (tmp_path / "home" / "guard").glob(f"*.{kind}"):
        rules.write_text("")
    with pytest.raises(FleetdiagError, match="nothing may leave this host"):
        guard.collect(SWEEP, {"tick": 1 << 24})
    assert (folder / "out").read_bytes() == b"a --password=hunter2\n"


def test_what_the_host_says_of_a_failure_passes_too(host: Callable[..., tuple[int, str, str]]) -> None:
    guard = Guard(host)
    guard.install_and_preflight()
    code, out, _ = host(f"/bin/sh {guard.path} redact", b"ERROR: no file /srv/token=hunter2\n")
    assert (code, out) == (0, "ERROR: no file /srv/token=***\n")
