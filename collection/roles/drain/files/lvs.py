# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of real servers in LVS: lowered with a record, given back by it. Runs on the balancer, with ipvsadm.

    lvs.py '{"state": "lowered", "token": ..., ...}'    what the role asks; the answer is JSON on standard output
    lvs.py RECORD                                       what the timer runs: give back what the record says

A backend is a virtual service (`tcp 10.0.0.1:80`), a server a real one (`10.0.0.2:80`). The record and a copy of this
file are on disk, and the timer is set, before the first weight changes. Giving back is compare-and-swap: a weight that
is not the one set here belongs to somebody else. One that could not be asked for or set is owed: it stays in the
record, and the timer's program tries until none is.
"""

import json
import math
import os
import re
import subprocess
import sys
import time

RETRY_S = 5
KINDS = {"-t": "tcp", "-u": "udp", "--sctp-service": "sctp", "-f": "fwmark"}


class RefusedError(Exception):
    """One sentence: what, where, what to do."""


def ipvsadm(*arguments):
    try:
        done = subprocess.run(["ipvsadm", *arguments], capture_output=True, text=True, check=False)
    except OSError as error:
        raise RefusedError(f"ipvsadm cannot be run ({error.strerror}); install it on the balancer") from error
    if done.returncode:
        raise RefusedError(f"ipvsadm {' '.join(arguments)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def servers():
    """Every real server: its rule as ipvsadm saves it, with the weight apart."""
    found = []
    for line in ipvsadm("-Sn").splitlines():
        words = line.split()
        if words[:1] != ["-a"] or words[1] not in KINDS:
            continue
        backend, server = f"{KINDS[words[1]]} {words[2]}", words[words.index("-r") + 1]
        weight = int(words[words.index("-w") + 1])
        found.append({"backend": backend, "server": server, "weight": weight, "rule": words[1:]})
    return found


def label(server):
    return f"lvs: {server['backend']}/{server['server']}"


def counted(column, *options):
    """{label: a column of the listing}, of the real servers."""
    found, backend = {}, ""
    for line in ipvsadm("-Ln", "--exact", *options).splitlines():
        words = line.split()
        if words[:1] == ["->"] and backend and words[1:2] != ["RemoteAddress:Port"]:
            found[f"lvs: {backend}/{words[1]}"] = int(words[column])
        elif words[:1] and words[0] in ("TCP", "UDP", "SCTP", "FWM"):
            backend = f"{words[0].lower().replace('fwm', 'fwmark')} {words[1]}"
    return found


def sessions():
    return counted(4)


def seen(asked):
    totals, current = counted(2, "--stats"), sessions()
    return {
        "servers": [
            {
                "socket": "lvs",
                **{key: one[key] for key in ("backend", "server", "weight")},
                "current": current.get(label(one), 0),
                "total": totals.get(label(one), 0),
            }
            for one in servers()
            if not asked["backends"] or one["backend"] in asked["backends"]
        ]
    }


def plan(asked):
    """(entries to lower, {server: why not}, servers that are in no service)"""
    known = [one for one in servers() if not asked["backends"] or one["backend"] in asked["backends"]]
    entries, unfit, fit = [], {}, []
    taken = lowered_by(asked["record_dir"])
    for name in asked["servers"]:
        own = [one for one in known if one["server"] == name]
        mine, why = [], ""
        for one in own:
            others = [
                other
                for other in known
                if other["backend"] == one["backend"]
                and other["weight"] > 0
                and label(other) not in taken
                and other["server"] not in (*fit, name)
            ]
            weight = target(one["weight"], asked)
            if label(one) in taken:
                why = (
                    f"{label(one)}: the change {taken[label(one)]} has lowered it and not given it back yet;"
                    " wait for that, or give it back with fleetdiag abort"
                )
            elif one["weight"] and len(others) < asked["min_active"]:
                why = (
                    f"{label(one)}: only {len(others)} other active servers would be left at full weight, "
                    f"{asked['min_active']} are wanted; probe fewer servers at once"
                )
            elif one["weight"] and weight >= one["weight"]:
                why = (
                    f"{label(one)}: its weight {one['weight']} cannot be lowered; give servers larger weights"
                )
            elif one["weight"]:
                mine.append({**one, "before": one["weight"], "set": weight})
        if why:
            unfit[name] = why
        elif own:
            fit.append(name)
            entries += mine
    unknown = [name for name in asked["servers"] if not any(one["server"] == name for one in known)]
    return entries, unfit, unknown


def lowered_by(folder):
    """{label: the token of the change that has lowered it}. A damaged record names none."""
    taken = {}
    for record in records_in(folder):
        try:
            token = os.path.splitext(os.path.basename(record))[0]
            taken.update({label(entry): token for entry in read(record)})
        except RefusedError:
            continue
    return taken


def records_in(folder):
    if not os.path.isdir(folder):
        return []
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".json"))


def target(now, asked):
    found = re.fullmatch(r"([0-9]{1,5})(%?)", asked["weight"])
    if not found or (found[2] and int(found[1]) > 100):
        raise RefusedError(f"weight {asked['weight']!r} is neither a number nor 0% to 100%; correct it")
    wanted = math.floor(now * int(found[1]) / 100) if found[2] else int(found[1])
    least = 1 if found[2] and int(found[1]) else 0  # a share of a weight is not nothing
    return max(wanted, least, math.ceil(now * asked["floor"] / 100))


def lowered(asked):
    record = record_of(asked)
    answer = {"changed": False, "weights": {}, "unfit": {}, "unknown": [], "settled": True}
    if os.path.exists(record):
        return {**answer, "weights": weights(read(record))}
    entries, unfit, unknown = plan(asked)
    if asked["unfit"] == "fail" and (unfit or unknown):
        raise RefusedError(
            next(iter(unfit.values()), f"server {', '.join(unknown)} is in no service; correct its name")
        )
    answer.update(changed=bool(entries), weights=weights(entries), unfit=unfit, unknown=unknown)
    if not entries or asked["check"]:
        return answer
    os.makedirs(asked["record_dir"], mode=0o700, exist_ok=True)
    with open(__file__, encoding="utf-8") as file:
        write(copy_of(record), file.read())
    write(record, json.dumps({"entries": entries}))
    set_timer(record, asked["ttl"])
    before = sessions()
    done = []
    try:
        for entry in entries:
            done.append(entry)
            set_weight(entry, entry["set"])
    except RefusedError as why:
        _, _, owed = give_back(done)
        keep(record, [entry for entry in done if label(entry) in owed])
        raise RefusedError("; ".join([str(why), *sentences(owed)])) from why
    answer["settled"] = settled(entries, before, asked["wait"])
    return answer


def settled(entries, before, seconds):
    """Wait until no server has more connections than its lower weight's share."""
    most = {label(e): math.ceil(before.get(label(e), 0) * e["set"] / e["before"]) for e in entries}
    deadline = time.monotonic() + seconds
    while True:
        now = sessions()
        if all(now.get(name, 0) <= limit for name, limit in most.items()):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.5)


def restored(asked):
    names = [record_of(asked)] if asked["token"] else records_in(asked["record_dir"])
    troubles = []
    answer = {"changed": False, "weights": {}, "left": {}, "owed": {}}
    for record in names:
        try:
            entries = read(record)
        except RefusedError as why:  # costs no other record
            troubles.append(str(why))
            continue
        answer["changed"] = answer["changed"] or bool(entries)
        if asked["check"]:
            continue
        given, left, owed = restore(record)
        answer["weights"].update(given)
        answer["left"].update(left)
        answer["owed"].update(owed)
    troubles += sentences(answer["owed"])
    if troubles:
        answer.update(failed=True, msg="; ".join(troubles))
    return answer


def restore(record):
    """Give back what the record says; it keeps what is owed, and goes with its timer when that is nothing."""
    entries = read(record)
    given, left, owed = give_back(entries)
    keep(record, [entry for entry in entries if label(entry) in owed])
    return given, left, owed


def give_back(entries):
    """({label: given back}, {label: why it is somebody else's}, {label: what is owed, and why})"""
    given, left, owed = {}, {}, {}
    for entry in entries:
        try:
            now = next((one["weight"] for one in servers() if label(one) == label(entry)), None)
            if now != entry["set"]:
                left[label(entry)] = f"its weight is {now}, not the {entry['set']} we had set"
                continue
            set_weight(entry, entry["before"])
            given[label(entry)] = {"after": entry["before"]}
        except RefusedError as why:
            owed[label(entry)] = {"weight": entry["before"], "why": str(why)}
    return given, left, owed


def sentences(owed):
    return [
        f"{name}: weight {one['weight']} is not given back yet: {one['why']}; the balancer tries again by itself"
        for name, one in owed.items()
    ]


def set_weight(entry, weight):
    rule = list(entry["rule"])
    rule[rule.index("-w") + 1] = str(weight)
    ipvsadm("-e", *rule)


def weights(entries):
    return {label(entry): {"before": entry["before"], "after": entry["set"]} for entry in entries}


def record_of(asked):
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", asked["token"]):
        raise RefusedError(f"token {asked['token']!r} is not usable; use letters, digits, _ and -")
    return os.path.join(asked["record_dir"], f"{asked['token']}.json")


def copy_of(record):
    return os.path.splitext(record)[0] + ".py"


def unit_of(record):
    return "fleetdiag-lvs-" + os.path.splitext(os.path.basename(record))[0]


def set_timer(record, seconds):
    command = ["systemd-run", "--quiet", "--collect", f"--unit={unit_of(record)}", f"--on-active={seconds}"]
    # The program tries until all is given back; where something kills it, it is started again.
    command += ["--property=Restart=on-abnormal", f"--property=RestartSec={RETRY_S}"]
    command += ["--timer-property=AccuracySec=1", sys.executable, copy_of(record), record]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        forget(record)
        raise RefusedError(
            f"the timer that gives the weights back cannot be set: {done.stderr.strip()}; nothing was changed"
        )


def keep(record, entries):
    """Write the record of these entries, or remove all of it when there are none."""
    if entries:
        write(record, json.dumps({"entries": entries}))
    else:
        forget(record)


def forget(record):
    """Remove a record with its timer. The timer's program, which may be who does so, ends by itself."""
    subprocess.run(["systemctl", "stop", f"{unit_of(record)}.timer"], check=False, capture_output=True)
    for path in (record, copy_of(record)):
        if os.path.exists(path):
            os.unlink(path)


def read(record):
    try:
        with open(record, encoding="utf-8") as file:
            entries = json.load(file)["entries"]
            for entry in entries:
                label(entry), entry["before"], entry["set"], entry["rule"].index("-w")
            return entries
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError(
            f"{record}: is damaged ({error}); look at the weights yourself, then remove it"
        ) from error


def write(path, text):
    with open(
        os.open(f"{path}.tmp", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w"
    ) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.tmp", path)


def keep_giving_back(record):
    """What the timer runs. Tries until none is owed; says a thing once, not at every try."""
    said = []
    while True:
        _, _, owed = restore(record)
        lines = sentences(owed)
        sys.stdout.writelines(f"{line}\n" for line in lines if line not in said)
        sys.stdout.flush()
        said = lines
        if not owed:
            return
        time.sleep(RETRY_S)


def main(argument):
    if not argument.startswith("{"):
        try:
            keep_giving_back(argument)
        except RefusedError as why:
            sys.stderr.write(f"{why}\n")
            return 1
        return 0
    asked = json.loads(argument)
    try:
        answer = {"seen": seen, "lowered": lowered, "restored": restored}[asked["state"]](asked)
    except RefusedError as why:
        answer = {"failed": True, "msg": str(why)}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
