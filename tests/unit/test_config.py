# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration: every fault is one sentence with file, line and field; values come out as a sweep needs them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from commands import Command

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import config_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag import config
from fleetdiag.schedule import named

WHOLE = """#:schema fleetdiag.schema.json
catalogs = ["probes"]

[defaults]
inventory = ["hosts.yml", "web1,web2,"]
become_password_file = "/etc/fleetdiag/become"
keep = { last = 50, daily = 30 }
notify = ["ops"]
every = "6h"
parameters.nettop.limit = 3

[sweeps.nightly-web]
limit = "web"
probes = ["slow_open", "./mine/probe"]
parameters.slow_open.threshold_ms = 500
parameters.slow_open.all = true
window = "60s"
schedule = "*-*-* 01:30"
random_delay = "10min"
keep = { last = 10 }
baseline = { sweeps = 30, season = "hour" }

[sweeps."plain.one"]
probes = ["slow_open"]

[receivers.ops]
mail = { to = ["ops@example.org"], via = "sendmail" }
digest = "Mon 08:00"

[receivers.pager]
webhook = { url_file = "hook", form = "slack" }
severity = "critical"
transitions = ["new", "gone"]

[heartbeat]
url_file = "ping"
textfile = "/var/lib/textfile/fleetdiag.prom"
"""


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_whole_configuration(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path / "fleetdiag.toml", WHOLE))
    nightly = loaded.sweep("nightly-web")
    assert nightly.texts("inventory") == [str(tmp_path / "hosts.yml"), "web1,web2,"]
    assert nightly.texts("probes") == ["slow_open", str(tmp_path / "mine/probe")]
    assert nightly.settings["keep"] == {"last": 10, "daily": 30}  # tables are merged key by key
    assert nightly.settings["parameters"] == {
        "nettop": {"limit": 3},
        "slow_open": {"threshold_ms": 500, "all": True},
    }
    assert (nightly.seconds("window"), nightly.seconds("random_delay"), nightly.seconds("max_late")) == (
        60,
        600,
        None,
    )
    assert "every" not in nightly.settings  # its own schedule takes the place of the defaults'
    assert loaded.sweep("plain.one").seconds("every") == 21_600
    pager = loaded.receivers["pager"]
    assert (pager.kind, pager.severity, pager.transitions) == ("webhook", "critical", ("new", "gone"))
    assert pager.settings["url_file"] == str(tmp_path / "hook")
    assert loaded.heartbeat.url_file == tmp_path / "ping"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sweeps.a]\ninventory=['x']\nprobes=['p']\nwindw = '3s'",
         ":4: sweeps.a.windw: is not known here; did you mean window?"),
        ("[sweep.a]", ":1: sweep: is not known here; did you mean sweeps?"),
        ("[defaults]\nwindow = 30", ":2: defaults.window: is not text; correct it"),
        ("[defaults]\nwindow = '3 fortnights'",
         ":2: defaults.window: '3 fortnights' is not possible; write it like 30s"),
        ("[defaults]\nforks = 0", ":2: defaults.forks: '0' is out of range; it must be at least 1"),
        ("[defaults]\nwindow = '2d'", ":2: defaults.window: 2d is out of range; choose 1s to 24h"),
        ("[defaults]\nlead = '0s'", ":2: defaults.lead: 0s is out of range; choose 1s to 24h"),
        ("[defaults]\nevery = '7h'", ":2: defaults.every: 7h does not divide the day evenly; choose"),
        ("[defaults]\nevery = '1h'\nschedule = 'Mon'",
         ":2: defaults.every: is there beside schedule; keep one of them"),
        ("[sweeps.a]\nprobes = ['p']", ":1: sweeps.a.inventory: is missing; add it there or in [defaults]"),
        ("[sweeps.Nightly]\n", ":1: sweeps.Nightly: is not a possible name; use a-z"),
        ("[sweeps.20261129]\ninventory=['x']\nprobes=['p']", ":1: sweeps.20261129: is a name that runs have; choose"),
        ("[sweeps.a]\nprobes=['p']\ninventory=['x']\nnotify = ['opps']\n[receivers.ops]\ncommand = ['x']",
         ":4: sweeps.a.notify: opps is no receiver; did you mean ops?"),
        ("[receivers.ops]\nseverity = 'warning'", ":1: receivers.ops: says not how; give it exactly one of command,"),
        ("[receivers.ops]\ncommand = ['x']\nmail = {to = ['a@b']}",
         ":1: receivers.ops: has command and mail; give it exactly one"),
        ("[receivers.ops]\nwebhook = {form = 'slack'}", ":2: receivers.ops.webhook: needs one address; give it url"),
        ("[receivers.ops]\nwebhook = {url = 'ftp://x'}",
         ":2: receivers.ops.webhook.url: 'ftp://x' is not possible; write http://"),
        ("[receivers.ops]\nmail = {to = ['a@b'], via = 'smtp'}",
         ":2: receivers.ops.mail: names no SMTP server; add host"),
        ("[receivers.ops]\nmail = {}", ":2: receivers.ops.mail.to: is missing; add it"),
        ("[receivers.ops]\nmail = {to = ['a@b']}\nseverity = 'warnin'",
         ":3: receivers.ops.severity: 'warnin' is not possible; did you mean warning?"),
        ("[defaults]\nquiet = ['Sunday']",
         ":2: defaults.quiet.0: 'Sunday' is not possible; write it like 'Sun 02:00..04:00'"),
        ("a = \"\"\"\n[sweeps.x]\n\"\"\"\n[defaults]\nforks = 'x'", ":1: a: is not known here; it can be catalogs"),
        ("[defaults]\nlimit = \"\"\"\\\nforks = 3\"\"\"\nforks = 'x'",
         ":4: defaults.forks: is not a whole number; correct it"),
        ("[defaults\n", ":1: TOML: "),
    ],
)  # fmt: skip
def test_a_fault_names_file_line_and_field(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path / "x.toml", text)
    with pytest.raises(FleetdiagError) as caught:
        config.load(path)
    assert str(caught.value).startswith(f"{path}{said}")
    assert "\n" not in str(caught.value)


def test_all_faults_are_named_in_the_order_of_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "x.toml", "[receivers.a]\nmial = 1\n[defaults]\nforks = 0\nwindw = 3\n")
    lines = [fault.split(":")[1] for fault in config.faults(config_file.read(path))]
    assert lines == ["2", "4", "5"]


def test_a_file_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "fleetdiag.toml", "")
    for mode in (0o620, 0o602):
        path.chmod(mode)
        with pytest.raises(FleetdiagError, match=r"others may write to it, so it is not read.*chmod go-w"):
            config.load(path)
    path.chmod(0o644)
    assert config.load(path).sweeps == {}
    tmp_path.chmod(0o777)
    with pytest.raises(FleetdiagError, match=r"others may replace it.*chmod o-w"):
        config.load(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "fleetdiag.toml", "")
    os.chown(path, 65534, -1)
    with pytest.raises(FleetdiagError, match=r"belongs to another user \(uid 65534\)"):
        config.load(path)


def test_the_order_in_which_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(config_file.VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(config_file, "SYSTEM", tmp_path / "etc/config.toml")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert config_file.find() is None
    assert config.load() == config.Config()
    for path in (
        "etc/config.toml",
        "home/.config/fleetdiag/config.toml",
        "work/fleetdiag.toml",
        "named.toml",
    ):
        written(tmp_path / path, "")
        if path == "named.toml":
            monkeypatch.setenv(config_file.VARIABLE, "../named.toml")
        assert config_file.find() == tmp_path / path


def test_an_unknown_sweep(tmp_path: Path) -> None:
    loaded = config.load(written(tmp_path / "x.toml", WHOLE))
    with pytest.raises(FleetdiagError, match=r"x\.toml: sweeps\.nightly-wep: .* did you mean nightly-web\?"):
        loaded.sweep("nightly-wep")
    with pytest.raises(
        FleetdiagError, match=r"there is no configuration that names it; write .*, or name a file"
    ):
        config.Config().sweep("x")


# --- as options ---


def test_a_named_sweep_as_options(tmp_path: Path) -> None:
    nightly = config.load(written(tmp_path / "x.toml", WHOLE)).sweep("nightly-web")
    words = named.words(nightly, ["--slot=2026-11-29T01:30:00Z", "-v"])
    assert words[0] == "--name=nightly-web"
    assert words[-2:] == ["--slot=2026-11-29T01:30:00Z", "-v"]
    for word in ("--probe=slow_open", "--limit=web", "--window=60s", "--param=slow_open.threshold_ms=500",
                 "--param=slow_open.all=true", "--baseline=30"):  # fmt: skip
        assert word in words
    (memory,) = (json.loads(word.partition("=")[2]) for word in words if word.startswith("--memory="))
    assert memory == {"season": "hour", "per_week": 7.0}


def test_options_given_by_hand_win_and_take_the_name_away(tmp_path: Path) -> None:
    nightly = config.load(written(tmp_path / "x.toml", WHOLE)).sweep("nightly-web")
    words = named.words(nightly, ["--probe", "nettop", "-i", "other,", "--param=slow_open.threshold_ms=5"])
    assert not [word for word in words if word.startswith(("--name", "--probe=", "--inventory="))]
    assert [word for word in words if "threshold_ms" in word] == ["--param=slow_open.threshold_ms=5"]
    assert words.index("--window=60s") < words.index("--probe")


@pytest.mark.parametrize(
    ("given", "named_still"),
    [
        (["-u", "ops", "--private-key=key", "-K", "--quiet"], True),
        (["--become-password-file", "file", "--fail-on", "critical", "-f", "5"], True),
        (["-u", "ops", "--limit", "web1"], False),
        (["--dry-run"], False),  # what is not swept is no part of the baseline
    ],
)
def test_options_to_log_in_leave_the_name(tmp_path: Path, given: list[str], named_still: bool) -> None:
    nightly = config.load(written(tmp_path / "x.toml", WHOLE)).sweep("nightly-web")
    assert ("--name=nightly-web" in named.words(nightly, given)) is named_still


# --- the command ---


def test_config_check(fleetdiag: Command, home: Path) -> None:
    assert "there is no configuration" in fleetdiag("config", "check").stderr
    path = written(
        home / "fleetdiag.toml",
        "[sweeps.a]\ninventory = ['hosts.yml']\nprobes = ['slow_open']\nwindw = '3s'\n",
    )
    faulty = fleetdiag("config", "check")
    assert (faulty.returncode, faulty.stderr) == (2, "")
    assert faulty.stdout == f"{path}:4: sweeps.a.windw: is not known here; did you mean window?\n"
    written(
        path, path.read_text().replace("windw", "window") + "[receivers.x]\nwebhook = {url_file = 'hook'}\n"
    )
    missing = fleetdiag("--config", "fleetdiag.toml", "config", "check")
    assert missing.returncode == 2
    assert f"receivers.x.webhook.url_file: {home}/hook: there is no such file" in missing.stdout
    written(home / "hook", "https://example.org/x")
    good = fleetdiag("config", "check")
    assert (good.returncode, good.stdout) == (0, f"{path}: 1 sweep (0 with a schedule), 1 receiver\n")


def test_config_schema(fleetdiag: Command) -> None:
    shown = fleetdiag("config", "schema")
    assert shown.returncode == 0
    assert json.loads(shown.stdout) == config.schema()


def test_a_named_sweep_from_the_command_line(fleetdiag: Command, home: Path) -> None:
    written(
        home / "fleetdiag.toml",
        "[sweeps.web]\ninventory = ['hosts.yml']\nprobes = ['slow_open']\nwindow = '5s'\n",
    )
    result = fleetdiag("sweep", "web")
    assert result.returncode == 3, result.stderr  # its host never answers
    (run_dir,) = (home / "state/fleetdiag/runs").glob("2*")
    sweep = json.loads((run_dir / "sweep.json").read_text())
    assert (sweep["name"], sweep["window_s"], sweep.get("slot", "")) == ("web", 5, "")
    assert "did you mean web?" in fleetdiag("sweep", "webb").stderr
