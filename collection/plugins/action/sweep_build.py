# SPDX-License-Identifier: GPL-3.0-or-later
"""Have modules for one kernel compiled that are not in the controller's store yet. Delegate it to the builder."""

from __future__ import annotations

import base64
import hashlib
import shlex
import zlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.action_base import FleetdiagAction, shown
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base import untrusted
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.text import printable
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import (
    compatibility,
    failover,
    module_cache,
    outcome,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import (
    sources as sweeprun,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.assignment import Build
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.failover import Turn
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.module_cache import ModuleStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.programs import ProgramStore
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build.sources import SMOKE, Source
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir import read, write
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.builds import (
    FAILED,
    KernelBuild,
    ModuleBuild,
)
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.program_files import ProgramsRecord
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.rundir.records import SweepRecord

MAX_MODULE_BYTES = 64 << 20
WAITING = "another sweep compiles the same modules; waiting for it"

display = Display()


class BuilderError(FleetdiagError):
    """A fault of this builder: another one may do better."""


class ActionModule(FleetdiagAction):
    ARGS: ClassVar = {
        "run_dir": {"type": "str", "required": True},
        "build": {
            "type": "dict",
            "required": True,
            "options": {
                "kernel": {"type": "str", "required": True},
                "build_id": {"type": "str", "default": ""},
                "builders": {"type": "list", "elements": "str", "required": True},
                "leader": {"type": "str", "default": ""},
                "names": {"type": "list", "elements": "str", "required": True},
                "whole": {"type": "bool", "default": True},
                "target_mode": {"type": "bool", "default": False},
                "stapruns": {"type": "list", "elements": "str", "default": []},
                "programs": {"type": "dict", "default": {}},
                "machine": {"type": "str", "default": ""},
            },
        },
        "builder": {"type": "str", "required": True},
        "stap": {"type": "str", "default": ""},
        "machine": {"type": "str", "default": ""},
        "lacks": {"type": "str", "default": ""},
        "cache_dir": {"type": "str", "default": ""},
        "sign_key": {"type": "str", "default": "", "no_log": False},
        "sign_cert": {"type": "str", "default": ""},
        "signer": {"type": "str", "default": ""},
        "store_mb": {"type": "int", "default": module_cache.DEFAULT_LIMIT_MB},
        "builder_mb": {"type": "int", "default": 0},
        "kernel_info": {"type": "str", "default": ""},
        "kernel_info_trouble": {"type": "str", "default": ""},
        "programs_trouble": {"type": "list", "elements": "str", "default": []},
    }
    TOUCHES_HOSTS = True

    def work(self, args: dict[str, Any]) -> dict[str, Any]:
        run, build = Path(args["run_dir"]), _asked(args)
        sweep = read.open_run(run).request
        turn = self._turn(sweep, build, args)
        wanting = outcome.leave_for_kernel_info(turn)
        with write.locked(run):  # another builder may be at work on other modules of this kernel
            record, following = failover.recorded(
                read.build_of(run, build.kernel),
                turn,
                build.builders,
                kernel=build.kernel,
                whole=build.whole,
            )
            write.build(run, replace(record, signer=args["signer"]))
        if following:
            display.warning(f"kernel {build.kernel}: {turn.builder}: {turn.why}; {following} takes over")
        counts: dict[str, int] = {}
        for module in turn.entries.values():
            counts[module.status] = counts.get(module.status, 0) + 1
        return {
            "changed": counts.get("built", 0) > 0,
            "kernel": build.kernel,
            "counts": counts,
            "errors": {name: module.error for name, module in turn.entries.items() if module.error},
            "builder": turn.builder,
            "next": following,
            "kernel_info": wanting,
            "btf": self._btf,
        }

    def would(self, args: dict[str, Any]) -> dict[str, Any]:
        """Return what is compiled for this kernel, and keep what the store has, for the hosts to be told."""
        run, build = Path(args["run_dir"]), _asked(args)
        sweep = read.open_run(run).request
        sources = sweeprun.sources(
            sweep,
            stap=args["stap"],
            kernel=build.kernel,
            build_id=build.build_id,
            signer=args["signer"],
            chosen=build.programs,
        )
        wanted = [source for source in sources if source.name in build.names]
        held = sweeprun.held(ModuleStore(limit_mb=args["store_mb"]), wanted) if args["stap"] else {}
        if held:
            with write.locked(run):
                known = read.build_of(run, build.kernel) or KernelBuild(build.kernel)
                write.build(run, replace(known, probes={**known.probes, **held}))
        absent = [name for name in build.names if name not in held]
        kept = f"; kept from before: {', '.join(held)}" if held else ""
        compiled = f"{args['builder']} would compile {', '.join(absent)}" if absent else "nothing to compile"
        more = "" if args["stap"] else ", after SystemTap was installed there"
        return {
            **shown(f"for {build.kernel}: {compiled}{more}{kept}"),
            "would_run": True,
            "would_compile": absent,
            "changed": bool(absent),
        }

    def _turn(self, sweep: SweepRecord, build: Build, args: dict[str, Any]) -> Turn:
        """Return this builder's turn: what it makes of the modules wanted that no builder before it has made."""
        stap = args["stap"]
        turn = Turn(args["builder"], stap)
        self._btf = False  # whether the headers on the builder carry the kernel's types
        sources = sweeprun.sources(
            sweep,
            stap=stap,
            kernel=build.kernel,
            build_id=build.build_id,
            signer=args["signer"],
            chosen=build.programs,
        )
        done = (read.build_of(Path(args["run_dir"]), build.kernel) or KernelBuild()).probes
        test = sweeprun.self_test(
            stap=stap, kernel=build.kernel, build_id=build.build_id, signer=args["signer"]
        )
        wanted = [source for source in sources if source.name in build.names and source.name not in done]
        turn.wanted = [source.name for source in wanted]
        usable = compatibility.builder_usable(stap, build.kernel)
        if usable.ok:
            usable = compatibility.runnable(stap, build.stapruns, build.kernel)
        if usable.ok:
            usable = compatibility.machine_usable(args["machine"], build.machine)
        if not usable.ok:
            turn.trouble, turn.remedy = printable(args["lacks"]) or usable.reason, usable.remedy
            return turn
        try:
            turn.entries = self._modules(args, build, wanted)
            self._test_types(args, build, turn, done, test)
        except AnsibleConnectionFailure as error:
            turn.trouble = f"the connection was lost while it compiled: {printable(str(error).strip())[:300]}"
        except BuilderError as error:
            turn.trouble = str(error)
        except FleetdiagError as error:
            turn.trouble, turn.ours = str(error), True
            turn.remedy = "put that right on the controller, then sweep again"
        probes = {probe.name: probe for probe in sweeprun.probes(sweep)}
        outcome.explain(turn, probes, _kernel_info(args, build), lacks=args["lacks"])
        return turn

    def _test_types(
        self, args: dict[str, Any], build: Build, turn: Turn, done: Mapping[str, ModuleBuild], test: Source
    ) -> None:
        """Put the module that tests what the kernel tells of itself into the smoke module's place, if it is needed.

        done: of earlier turns.
        """
        if not outcome.built_with_kernel_info(turn, done):
            return
        if not _kernel_info(args, build).may_be_asked:
            outcome.tested(turn, done, self._modules(args, build, [test])[SMOKE])
        elif held := sweeprun.held(ModuleStore(limit_mb=args["store_mb"]), [test]):
            turn.entries.update(held)
        else:
            turn.wanting.append(SMOKE)

    def _modules(self, args: dict[str, Any], build: Build, sources: list[Source]) -> dict[str, ModuleBuild]:
        """Return {probe: its entry in builds/<kernel>.json}; compile only what the store lacks."""
        modules = ModuleStore(limit_mb=args["store_mb"])
        entries = sweeprun.held(modules, sources)
        entries.update(outcome.without_programs(sources, args["programs_trouble"], entries))
        absent = [source for source in sources if source.name not in entries]
        if absent:
            with modules.locked((source.key for source in absent), lambda: display.display(WAITING)):
                entries.update(sweeprun.held(modules, absent))  # another sweep may just have had them built
                absent = [source for source in absent if source.name not in entries]
                compiled = self._compile(args, build, absent) if absent else {}
                for source in absent:
                    built = compiled[source.name]
                    entries[source.name] = self._fetched(modules, source, built, build.kernel)
        for sentence in modules.dropped:
            display.warning(sentence)
        return entries

    def _compile(
        self, args: dict[str, Any], build: Build, sources: list[Source]
    ) -> dict[str, dict[str, Any]]:
        kernel = build.kernel
        info = self._send(Path(args["kernel_info"]), "kernel_info") if args["kernel_info"] else ""
        files = {file.sha256 for source in sources for file in source.programs.values()}
        sent = {sha256: self._send(_kept_program(sha256), sha256) for sha256 in sorted(files)}
        answer = self._execute_module(
            module_name="fleetdiag.systemtap.stap_compile",
            module_args={
                "kernel": kernel,
                "machine": build.machine,
                "tapset": sweeprun.tapset(),
                "sources": [_as_argument(source, sent) for source in sources],
                **({"kernel_info": info, "build_id": build.build_id} if info else {}),
                **({"max_mb": args["builder_mb"]} if args["builder_mb"] else {}),
                **({"cache_dir": args["cache_dir"]} if args["cache_dir"] else {}),
                **({name: args[name] for name in ("sign_key", "sign_cert")} if args["sign_key"] else {}),
            },
            task_vars=self.task_vars,
        )
        if answer.get("unreachable"):
            raise AnsibleConnectionFailure(str(answer.get("msg", "")))
        for warning in answer.get("warnings", []):
            display.warning(f"{args['builder']}: {printable(str(warning))}")
        if answer.get("failed"):
            raise BuilderError(
                f"compiling for kernel {kernel} failed: {printable(str(answer.get('msg', '')))}"
            )
        self._btf = bool(answer.get("btf"))
        return {entry["name"]: entry for entry in answer["modules"]}

    def _send(self, path: Path, name: str) -> str:
        """Copy what a host handed over to the builder; return where it is there."""
        folder = self._make_tmp_path()
        there = self._connection._shell.join_path(folder, name)
        self._transfer_file(str(path), there)
        self._fixup_perms2((folder, there))
        return str(there)

    def _fetched(
        self, modules: ModuleStore, source: Source, built: dict[str, Any], kernel: str
    ) -> ModuleBuild:
        told = ModuleBuild.from_json(built)
        if told.failed:
            seconds = told.seconds or 0.0
            return ModuleBuild(FAILED, seconds=seconds, error=printable_lines(told.error), line=told.line)
        data = self._read_module(str(built["path"]))
        if hashlib.sha256(data).hexdigest() != told.sha256:
            raise BuilderError(
                f"the module of {source.name} changed between the builder and here; sweep again"
            )
        origin = module_cache.origin(built)
        sha256 = modules.put(source.key, data, {"probe": source.name, "kernel": kernel, **origin})
        seconds = told.seconds or 0.0
        return ModuleBuild(told.status, sha256, len(data), seconds, programs=source.programs, **origin)

    def _read_module(self, path: str) -> bytes:
        code, out, err = self.on_host(f"gzip -1c {shlex.quote(path)} | base64 | tr -d '\\n'")
        try:
            packed = base64.b64decode(out.strip(), validate=True)
            data = zlib.decompressobj(wbits=31).decompress(packed, MAX_MODULE_BYTES)
        except (ValueError, zlib.error):
            data = b""
        if code or not data:
            raise BuilderError(
                f"the module {printable(path)} could not be read from the builder: {printable(err[-300:])}"
            )
        return data


def _asked(args: dict[str, Any]) -> Build:
    """Return what is to be built. Other steps decided that, of what hosts said."""
    build = Build(**args["build"])
    untrusted.KERNEL.check(build.kernel, "a host says that its kernel is")
    untrusted.MACHINE.check(build.machine, "a host says that its machine is")
    return replace(build, programs=ProgramsRecord.from_json({"files": dict(build.programs)}).files)


def _kernel_info(args: dict[str, Any], build: Build) -> outcome.KernelInfo:
    """Return what is known of the kernel beside its headers; a host that has a build id can be asked once."""
    given, trouble = bool(args["kernel_info"]), args["kernel_info_trouble"]
    may_be_asked = not given and not trouble and not args["lacks"] and bool(build.build_id)
    return outcome.KernelInfo(given, trouble, may_be_asked)


def _kept_program(sha256: str) -> Path:
    path = ProgramStore().get(sha256)
    if path is None:
        raise FleetdiagError(f"the program with checksum {sha256[:12]} is not kept any more; sweep again")
    return path


def _as_argument(source: Source, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return a source as stap_compile takes it. sent: {checksum of a program: where it is on the builder}."""
    files = [
        {"path": file.path, "real": file.real, "file": sent[file.sha256]} for file in source.programs.values()
    ]
    return {**asdict(source), "programs": files}


def printable_lines(text: str) -> str:
    """Return a compiler's message, its lines kept, every other control character made visible."""
    return "\n".join(printable(line) for line in text.splitlines())
