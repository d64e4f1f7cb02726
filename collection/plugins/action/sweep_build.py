# SPDX-License-Identifier: GPL-3.0-or-later
"""Have one kernel's modules compiled where they are not in the controller's store yet. Delegate it to the builder."""

from __future__ import annotations

import base64
import binascii
import shlex
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils import buildfault, skew, store, sweeprun
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.ansible_action import FleetdiagAction
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.model import Probe
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.modulestore import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.parse.decode import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.sweeprun import Source

MAX_MODULE_BYTES = 64 << 20


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "kernel": {"type": "str", "required": True},
        "build_id": {"type": "str", "default": ""},
        "builder": {"type": "str", "required": True},
        "stap": {"type": "str", "default": ""},
        "lacks": {"type": "str", "default": ""},
        "stapruns": {"type": "list", "elements": "str", "default": []},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run = Path(args["run_dir"])
        record: dict[str, Any] = {key: args[key] for key in ("kernel", "builder", "stap")}
        record.update(probes={}, error="")
        usable = skew.builder_usable(args["stap"], args["kernel"])
        if usable.ok:
            usable = skew.runnable(args["stap"], args["stapruns"], args["kernel"])
        if usable.ok:
            record.update(self._build(run, args))
        else:
            record.update(error=args["lacks"] or usable.reason, remedy=usable.remedy)
        store.write_json(run, f"builds/{args['kernel']}.json", record)
        counts: dict[str, int] = {}
        for entry in record["probes"].values():
            counts[entry["status"]] = counts.get(entry["status"], 0) + 1
        errors = {name: entry["error"] for name, entry in record["probes"].items() if entry["error"]}
        return {
            "changed": counts.get("built", 0) > 0,
            "kernel": args["kernel"],
            "counts": counts,
            "errors": errors,
        }

    def _build(self, run: Path, args: dict[str, Any]) -> dict[str, Any]:
        """`probes` of the record, or its `error`. What the builder lacks may not matter to every probe."""
        sweep = store.open_run(run).sweep
        sources = sweeprun.sources(sweep, stap=args["stap"], kernel=args["kernel"], build_id=args["build_id"])
        try:
            entries = self._modules(args, sources)
        except FleetdiagError as error:
            return {"error": str(error), "remedy": "see to the builder, then sweep again"}
        probes = {probe.name: probe for probe in sweeprun.probes(sweep)}
        for name, entry in entries.items():
            if entry["status"] == "failed" and name in probes:
                _explain(entry, probes[name])
            if entry["status"] == "failed" and args["lacks"]:
                entry["error"] += f"\nThe builder lacks something: {printable(args['lacks'])}"
        return {"probes": entries}

    def _modules(self, args: dict[str, Any], sources: list[Source]) -> dict[str, dict[str, Any]]:
        """{probe: its entry in builds/<kernel>.json}; compiles only what the store lacks."""
        modules = ModuleStore()
        held = {source.name: modules.get(source.key) for source in sources}
        absent = [source for source in sources if held[source.name] is None]
        compiled = self._compile(args["kernel"], absent) if absent else {}
        entries = {}
        for source in sources:
            path = held[source.name]
            if path is not None:
                entries[source.name] = _entry("cached", sha256=path.stem, size=path.stat().st_size)
            else:
                entries[source.name] = self._fetched(modules, source, compiled[source.name], args["kernel"])
        return entries

    def _compile(self, kernel: str, sources: list[Source]) -> dict[str, dict[str, Any]]:
        answer = self._execute_module(
            module_name="fleetdiag.systemtap.stap_compile",
            module_args={
                "kernel": kernel,
                "tapset": sweeprun.tapset(),
                "sources": [asdict(source) for source in sources],
            },
            task_vars=self.task_vars,
        )
        if answer.get("failed"):
            raise FleetdiagError(
                f"compiling for kernel {kernel} failed: {printable(str(answer.get('msg', '')))}"
            )
        return {entry["name"]: entry for entry in answer["modules"]}

    def _fetched(
        self, modules: ModuleStore, source: Source, built: dict[str, Any], kernel: str
    ) -> dict[str, Any]:
        if built["status"] == "failed":
            return _entry("failed", error=built["error"], line=built["line"], seconds=built["seconds"])
        data = self._read_module(str(built["path"]))
        sha256 = modules.put(source.key, data, {"probe": source.name, "kernel": kernel})
        if sha256 != built["sha256"]:
            return _entry("failed", error="the module changed between the builder and here; sweep again")
        return _entry(built["status"], sha256=sha256, size=len(data), seconds=built["seconds"])

    def _read_module(self, path: str) -> bytes:
        code, out, err = self.on_host(f"gzip -1c {shlex.quote(path)} | base64 | tr -d '\\n'")
        try:
            packed = base64.b64decode(out.strip(), validate=True)
            data = zlib.decompressobj(wbits=31).decompress(packed, MAX_MODULE_BYTES)
        except (binascii.Error, zlib.error):
            data = b""
        if code or not data:
            raise FleetdiagError(
                f"the module {printable(path)} could not be read from the builder: {printable(err[-300:])}"
            )
        return data


def _entry(
    status: str,
    *,
    sha256: str = "",
    size: int = 0,
    seconds: float = 0.0,
    error: str = "",
    line: int | None = None,
) -> dict[str, Any]:
    return {
        "status": status,
        "sha256": sha256,
        "bytes": size,
        "seconds": seconds,
        "error": printable_lines(error),
        "line": line,
    }


def _explain(entry: dict[str, Any], probe: Probe) -> None:
    """A known reason in place of SystemTap's message, which is kept beside it."""
    known = buildfault.explain(
        entry["error"], debuginfo=probe.requires_debuginfo, unmodified=probe.unmodified
    )
    if known:
        entry.update(said=entry["error"], error=printable(known), line=None)


def printable_lines(text: str) -> str:
    """A compiler's message, its lines kept, every other control character made visible."""
    return "\n".join(printable(line) for line in text.splitlines())
