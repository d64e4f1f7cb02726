# SPDX-License-Identifier: GPL-3.0-or-later
"""history.db beside the run directories: an index of them, never the truth; it can be made anew at any time.

One writer at a time (a lock around open, write and close), one transaction for each run, readers read only. Not WAL:
SQLite before 3.51.3 can damage a database that two connections check-point at once, and no reader waits here.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.findings import figures_file
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.memory import (
    news_file,
    references,
    retention,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import history, read
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import SweepRecord

FILE = "history.db"
LOCK = "history.lock"
VERSION = 1
LOCK_S = 10.0
_AGAIN_S = 0.1
_HERE = Path(__file__).parent
MOUNTS = Path("/proc/mounts")
REINDEX = "make it anew: fleetdiag runs reindex"
_DAMAGED = ("malformed", "not a database", "disk image", "corrupt")


def refresh(runs_dir: Path) -> str:
    """Take in what is new or changed, and forget what was deleted. Returns one sentence about what to do, or "".

    Never raises for an index that is locked, damaged, full or newer: the run directories are whole without it.
    """
    try:
        return _refreshed(runs_dir)
    except (sqlite3.Error, OSError, FleetdiagError) as error:
        return _sentence(runs_dir, error)


def _refreshed(runs_dir: Path) -> str:
    try:
        with _writer(runs_dir) as database:
            _update(database, runs_dir)
        return ""
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
    kept = rebuild(runs_dir)
    return f"{runs_dir / FILE}: was damaged and is made anew; the old one is kept as {kept}" if kept else ""


def rebuild(runs_dir: Path) -> str:
    """Make the index anew from the run directories; returns the name that an old one was kept under, if damaged.

    Raises FleetdiagError where that cannot be done.
    """
    path = runs_dir / FILE
    try:
        with _locked(runs_dir):
            kept = _set_aside(path)
            with contextlib.closing(_connect(path)) as database:
                _migrate(database, path)
                _update(database, runs_dir)
            return kept
    except (sqlite3.Error, OSError) as error:
        raise FleetdiagError(_sentence(runs_dir, error)) from error


def _set_aside(path: Path) -> str:
    """Remove the old index, or keep a damaged one under another name."""
    if not path.exists():
        return ""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as old:
            sound = old.execute("PRAGMA quick_check").fetchone() == ("ok",)
    except sqlite3.DatabaseError:
        sound = False
    kept = "" if sound else f"{FILE}.corrupt-{time.strftime('%Y%m%d_%H%M%S')}"
    for suffix in ("", "-journal"):
        old_file = path.with_name(path.name + suffix)
        if kept and not suffix:
            os.replace(old_file, path.with_name(kept))
        else:
            old_file.unlink(missing_ok=True)
    return kept


@contextlib.contextmanager
def reader(runs_dir: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that can only read. FleetdiagError if there is no index, or it cannot be read."""
    path = runs_dir / FILE
    if not path.is_file():
        raise FleetdiagError(f"{path}: there is no index; {REINDEX}")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=LOCK_S)) as database:
        try:
            database.execute("PRAGMA query_only = 1")
            _check_version(database, path)
            database.execute("SELECT 1 FROM runs LIMIT 1")
        except sqlite3.Error as error:
            raise FleetdiagError(_sentence(runs_dir, error)) from error
        yield database


def trouble(runs_dir: Path) -> str:
    """Return one sentence about an index that is damaged, newer or on a network file system; "" if all is well."""
    if not (runs_dir / FILE).exists():
        return ""
    if _is_on_network(runs_dir):
        return (
            f"{runs_dir}: is on a network file system, where locks do not hold; move the runs to a local disk"
        )
    try:
        with reader(runs_dir) as database:
            said = database.execute("PRAGMA quick_check").fetchone()
        return "" if said == ("ok",) else f"{runs_dir / FILE}: is damaged ({said[0]}); {REINDEX}"
    except (FleetdiagError, sqlite3.Error) as error:
        return _sentence(runs_dir, error)


def _is_on_network(path: Path) -> bool:
    """Return True for NFS, CIFS and the like, by the longest mount point above the path."""
    real = os.path.realpath(path)
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
            fields = line.split(" ")
            if len(fields) > 2 and len(fields[1]) >= len(best):
                mount = fields[1].replace("\\040", " ")
                if real == mount or real.startswith(mount.rstrip("/") + "/"):
                    best, kind = mount, fields[2]
    return kind in ("nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs", "fuse.glusterfs")


# --- one writer ---


@contextlib.contextmanager
def _locked(runs_dir: Path) -> Iterator[None]:
    """Be the only writer; the lock ends with its holder. FleetdiagError if another one works for too long."""
    runs_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(runs_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise FleetdiagError(
                        f"{runs_dir / FILE}: another command has been writing it for {LOCK_S:g} s, so the index is"
                        " behind; the next run takes in what is missing"
                    ) from None
                time.sleep(_AGAIN_S)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def _writer(runs_dir: Path) -> Iterator[sqlite3.Connection]:
    with _locked(runs_dir), contextlib.closing(_connect(runs_dir / FILE)) as database:
        _migrate(database, runs_dir / FILE)
        yield database


def _connect(path: Path) -> sqlite3.Connection:
    if path.is_symlink():
        raise FleetdiagError(f"{path}: is a symbolic link, fleetdiag makes none; look who did and remove it")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.close(fd)
    database = sqlite3.connect(path, timeout=LOCK_S, isolation_level=None)
    database.execute("PRAGMA foreign_keys = 1")
    database.execute("PRAGMA synchronous = FULL")
    return database


def _check_version(database: sqlite3.Connection, path: Path) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise FleetdiagError(
            f"{path}: was written by a newer fleetdiag (schema {version}, known here: {VERSION}); use that one, or"
            " move the file away"
        )
    return int(version)


def _migrate(database: sqlite3.Connection, path: Path) -> None:
    """Bring the schema up to date, one numbered file after the other, each in one transaction."""
    for number in range(_check_version(database, path) + 1, VERSION + 1):
        script = (_HERE / f"{number:03}.sql").read_text(encoding="utf-8")
        database.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")


# --- what is taken in ---


def _update(database: sqlite3.Connection, runs_dir: Path) -> None:
    known = dict(database.execute("SELECT id, stamp FROM run"))
    there = references.ids(runs_dir)
    for run_id in sorted(set(known).difference(there)):
        with _transaction(database):
            database.execute("DELETE FROM run WHERE id = ?", (run_id,))
    for run_id in there:
        stamp = _stamp(runs_dir / run_id)
        if known.get(run_id) != stamp:
            with _transaction(database):
                _take(database, runs_dir / run_id, stamp)


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # of a full disk it is rolled back already
            database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _stamp(path: Path) -> str:
    """Return what changes when a run's files do."""
    said = []
    files = [path / name for name in ("sweep.json", history.FIGURES, history.NEWS, retention.KEEP)]
    folders = [part / "hosts" for part in read.parts(path)]
    for item in (*files, *folders):
        try:
            found = os.stat(item, follow_symlinks=False)
            said.append(f"{found.st_mtime_ns}.{found.st_size if item in files else 0}")
        except OSError:
            said.append("-")
    return " ".join(said)


def _take(database: sqlite3.Connection, path: Path, stamp: str) -> None:
    """Take in one run, whatever of it can be read; a damaged one is a line in the list of runs."""
    sweep = _request(path)
    told = news_file.read(path) or {}
    figures = figures_file.read(path.name, _read(path, history.FIGURES))
    hosts = list(dict.fromkeys([*sweep.hosts, *figures.peers]))
    covered = {host for found in figures.sampled.values() for host in found}
    records = news_file.records_of(told)
    severities = [record.severity for record in records if record.told]
    values = {
        "id": path.name,
        "name": references.name_of(path) or "",
        "slot": _storable(sweep.slot),
        "trigger": _storable(sweep.trigger),
        "created": _storable(sweep.created),
        "window_s": sweep.window_s or None,
        "series": _storable(sweep.series),
        "hosts": len(hosts),
        "covered": len(covered),
        **{severity: severities.count(severity) for severity in ("critical", "warning", "info")},
        "news": _words(told),
        "raw": int(read.has_raw(path)),
        "kept": int(retention.is_pinned(path)),
        "stamp": stamp,
    }
    database.execute("DELETE FROM run WHERE id = ?", (path.name,))
    columns = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join("?" * len(values))
    cursor = database.execute(f"INSERT INTO run ({columns}) VALUES ({marks})", tuple(values.values()))  # noqa: S608
    run = cursor.lastrowid
    numbers = _numbers(database, hosts)
    database.executemany(
        "INSERT INTO coverage VALUES (?, ?, ?, ?, ?)",
        [
            (
                run,
                numbers[host],
                figures.peers.get(host, ""),
                figures.kernels.get(host, ""),
                int(host in covered),
            )
            for host in hosts
        ],
    )
    database.executemany(
        "INSERT INTO probe VALUES (?, ?, ?)", [(run, *item) for item in figures.hashes.items()]
    )
    for measure, levels in figures.measures.items():
        database.execute('INSERT OR IGNORE INTO measure (probe, "table", measure) VALUES (?, ?, ?)', measure)
        (number,) = database.execute(
            'SELECT number FROM measure WHERE (probe, "table", measure) = (?, ?, ?)', measure
        ).fetchone()
        database.executemany(
            "INSERT INTO figure VALUES (?, ?, ?, ?)",
            [(number, run, numbers[host], level.value) for host, level in levels.items() if host in numbers],
        )
    _take_findings(database, run, told)


def _take_findings(database: sqlite3.Connection, run: int | None, told: Mapping[str, Any]) -> None:
    changes = {
        str(item.get("fingerprint")): str(item.get("transition"))
        for item in _list(told.get("transitions"))
        if isinstance(item, Mapping)
    }
    records = [*news_file.records_of(told)]
    records += [one for one in news_file.records_of(told, "closed") if changes.get(one.fingerprint)]
    database.executemany(
        "INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                run,
                one.fingerprint,
                one.state,
                changes.get(one.fingerprint, ""),
                one.severity,
                one.kind,
                one.who,
                one.probe,
                one.table,
                one.measure,
                one.sentence,
                one.value,
                one.since,
                one.last_normal,
            )
            for one in records
        ],
    )


def _numbers(database: sqlite3.Connection, hosts: Iterable[str]) -> dict[str, int]:
    names = list(hosts)
    database.executemany("INSERT OR IGNORE INTO host (name) VALUES (?)", [(name,) for name in names])
    known = dict(database.execute("SELECT name, number FROM host"))
    return {name: known[name] for name in names}


def _words(told: Mapping[str, Any]) -> str:
    """Return the transitions of a run in few words: `1 new, 1 gone`."""
    counts: dict[str, int] = {}
    for item in _list(told.get("transitions")):
        if isinstance(item, Mapping) and item.get("transition") not in ("better", "superseded"):
            word = str(item.get("transition")).replace("_", " ")
            counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{many} {word}" for word, many in counts.items())


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        return read.read_json(path, name) or {}
    except FleetdiagError:
        return {}


def _request(path: Path) -> SweepRecord:
    try:
        return read.request(path) or SweepRecord()
    except FleetdiagError:
        return SweepRecord()


def _storable(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def content(runs_dir: Path) -> str:
    """Return a hash of all that the views show, for comparing two indexes."""
    digest = hashlib.sha256()
    with reader(runs_dir) as database:
        for view in ("runs", "coverage_of_hosts", "probes", "figures", "findings"):
            rows = sorted(map(json.dumps, database.execute(f"SELECT * FROM {view}")))  # noqa: S608
            digest.update("\n".join([view, *rows]).encode())
    return digest.hexdigest()


# --- what is said of trouble ---


def _is_damage(error: sqlite3.Error) -> bool:
    return any(word in str(error) for word in _DAMAGED)


def _sentence(runs_dir: Path, error: Exception) -> str:
    path = runs_dir / FILE
    if isinstance(error, FleetdiagError):
        return str(error)
    if isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
        return f"{path}: is damaged ({error}); {REINDEX}"
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return (
            f"{path}: another program has it open, so the index is behind; close it, the next run takes it in"
        )
    if isinstance(error, OSError):
        return f"{path}: {error.strerror}; the runs themselves are whole; put that right, then {REINDEX}"
    return f"{path}: {error}; the runs themselves are whole; make room, then {REINDEX}"
