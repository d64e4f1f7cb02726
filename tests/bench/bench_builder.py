# SPDX-License-Identifier: GPL-3.0-or-later
"""What compiling costs on the lab's builder: the first probe for a kernel, later ones, one that was compiled before.

    make bench-builder

Two caches are used that did not exist before, so that nothing of the builder's own is touched: in the first a probe is
compiled cold, two more after it, and the first again; in the second SystemTap learns the kernel with the script of
`fleetdiag builder warm`, and then the same probe is compiled. Learning takes as long as a first script takes SystemTap
left to itself: all headers that may declare tracepoints are compiled. Seconds are those of the wall as the builder sees
it; the ratios compare them within one run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / ".collections"), str(ROOT / "src")]

import results
import yaml
from results import Ratio

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import (
    sources as sweeprun,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.probes import (
    catalog,
    parameters,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweep import (
    request,
)
from fleetdiag.lab import (
    boot,
    model,
)

FIRST, LATER = "nettop", ("slow_open", "tcp_connect")
ROLE = ROOT / "collection" / "roles" / "builder"


def main() -> int:
    """Measure, write build/bench/builder.json; 0 when every goal holds."""
    lab = boot.up()
    kernel = next(
        r for r in sorted(lab.ssh("builder", "ls /lib/modules").stdout.split()) if r.startswith("6.12")
    )
    cold, warm = (f"/var/cache/fd-bench-{uuid.uuid4().hex[:8]}" for _ in range(2))
    try:
        first = compiled(lab, kernel, cold, [FIRST])[FIRST]
        later = compiled(lab, kernel, cold, LATER)
        hit = compiled(lab, kernel, cold, [FIRST])[FIRST]
        learnt = learn(lab, kernel, warm)
        after = compiled(lab, kernel, warm, [FIRST])[FIRST]
    finally:
        lab.ssh("builder", f"rm -rf {cold} {warm}")
    typical = median(later.values())
    figures = {
        "kernel": kernel,
        "first_s": first,
        "later_s": later,
        "cache_hit_s": hit,
        "learning_s": learnt,
        "first_after_learning_s": after,
    }
    print(json.dumps(figures, indent=1))
    return results.write(
        results.Result(
            name="builder",
            what="seconds to compile a probe for one kernel on one builder",
            ratios=[
                Ratio("the first probe for a kernel / `builder warm`", round(first / learnt, 3), 0.5),
                Ratio("a later probe / `builder warm`", round(typical / learnt, 3), 0.3),
                Ratio("the first probe after `builder warm` / without it", round(after / first, 3), 0.5),
                Ratio("a probe that was compiled before / the first one", round(hit / first, 3), 0.02),
            ],
            figures=figures,
            versions={"stap": lab.ssh("builder", "stap -V 2>&1 | head -n 1").stdout.strip()},
        )
    )


def compiled(lab: model.Lab, kernel: str, cache: str, names: list[str] | tuple[str, ...]) -> dict[str, float]:
    """{probe: seconds}, through the module that sweeps use."""
    probes = catalog.find(list(names), [catalog.shipped()])
    sweep = request.new_sweep(
        now=datetime.now(UTC),
        version="0",
        probes=probes,
        values={probe.name: parameters.check(probe, {}) for probe in probes},
        window_s=1,
        hosts=["x"],
        peers={},
        conditions={},
    )
    wanted = sweeprun.sources(sweep, stap="5.6", kernel=kernel, build_id="")
    sources = [asdict(source) for source in wanted if source.name in names]
    given = {"kernel": kernel, "tapset": sweeprun.tapset(), "sources": sources, "cache_dir": cache}
    command = [*(sys.executable, "-m", "ansible", "adhoc"), "builder", "-i", str(lab.inventory)]
    command += ["-m", "fleetdiag.systemtap.stap_compile", "-a", json.dumps(given)]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_PIPELINING": "1",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd="/")
    try:
        modules: list[dict[str, Any]] = json.loads(done.stdout.partition("=>")[2])["modules"]
    except (ValueError, KeyError):
        raise SystemExit(
            f"bench-builder: compiling did not work: {done.stdout[-2000:]}{done.stderr[-500:]}"
        ) from None
    for entry in modules:
        if entry["error"]:
            raise SystemExit(f"bench-builder: {entry['name']}: {entry['error']}")
    # A hit reports no time of its own: what it takes is what reading the module takes.
    return {entry["name"]: entry["seconds"] or _reading(lab, entry["path"]) for entry in modules}


def _reading(lab: model.Lab, path: str) -> float:
    said = lab.ssh("builder", f"bash -c 'TIMEFORMAT=%R; time sha256sum {path} >/dev/null' 2>&1").stdout
    return float(said.split()[-1])


def learn(lab: model.Lab, kernel: str, cache: str) -> float:
    """Seconds that the role's script takes in a cache of its own."""
    script = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["_builder_warm_script"].strip()
    home = f"{cache}/{kernel.lower().replace('+', '_')}/systemtap"
    said = lab.ssh(
        "builder",
        f"mkdir -p {home} && cd {cache} && export SYSTEMTAP_DIR={home} LC_ALL=C.UTF-8 && bash -c"
        f" 'TIMEFORMAT=%R; time stap -p4 -r {kernel} -e \"$1\" >/dev/null 2>&1' x '{script}' 2>&1",
        timeout_s=3600,
    ).stdout
    return float(said.split()[-1])


if __name__ == "__main__":
    sys.exit(main())
