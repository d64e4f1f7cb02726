# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile one script into a module with SystemTap."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import time
from collections.abc import Iterator
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import (
    cross,
    kernel_files,
    program_root,
    tracepoints,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.cache import alone, keep_origin
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.probe_points import (
    forbidden,
    functions,
    lifeless,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.sign import sign

Source = dict[str, Any]
"""One of `sources`, see the documentation of the module stap_compile."""
PLACEHOLDER = "00000000_000000_0000"
DEBUGINFOD_URLS = "/etc/debuginfod/fleetdiag.urls"  # written by the role install
ERROR_BYTES = 6000
KILL_AFTER_S = 20  # after the signal that asks stap to end
NO_MEMORY = re.compile("std::bad_alloc|out of memory|memory exhausted|Cannot allocate memory", re.IGNORECASE)
EMPTY_TALK = re.compile(
    r"^(Keeping temporary directory|Tip: |Rerun with -v|Number of similar ).*\n?", re.MULTILINE
)
MAX_MORE_MODULES = 6


def build(module: AnsibleModule, stap: str, source: Source, home: str, kept: str) -> str:
    """Compile into `kept`; return a message, empty when that worked."""
    # SystemTap's cache is not right while somebody compiles: one at a time, whatever container each is in.
    with alone(os.path.join(home, "stap.lock")):
        folder = os.path.join(home, "work")
        shutil.rmtree(folder, ignore_errors=True)  # what a compilation that was killed has left
        try:
            return build_alone(module, stap, source, home, kept, os.path.join(folder, source["name"]))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(os.path.join(home, "root"), ignore_errors=True)


def build_alone(module: AnsibleModule, stap: str, source: Source, home: str, kept: str, work: str) -> str:
    """Compile in the folder `work`, with nobody else at it; return a message, empty when that worked."""
    lacking = cross.lacking(module.params["kernel"], module.params["machine"])
    if lacking:
        return lacking
    tapset = os.path.join(work, "tapset")
    temporary = os.path.join(work, "tmp")
    for folder in (tapset, temporary, os.path.join(home, "modules")):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    for name, text in dict(module.params["tapset"], **{"../" + source["file"]: source["script"]}).items():
        with open(os.path.join(tapset, name), "w") as stream:
            stream.write(text)
    name = "fd_{}_{}".format(PLACEHOLDER, source["name"])
    pattern = kernel_files.refused_pattern(source["script"], source["args"])
    if module.params["kernel_info"] and pattern:
        return (
            "{}: {} asks for functions by source file, which the kernel does not tell of itself (BTF): it would match"
            " few and leave out the rest; only the distribution's debuginfo has them (docs/kernel_info.md)"
        ).format(source["file"], pattern)
    debuginfo = kernel_debuginfo(module, stap, source, home)
    root = make_root(module, source, home, debuginfo) if source["programs"] else ""
    code, said = run_stap(module, stap, source, name, home, work, debuginfo, root)
    if code and debuginfo and not root and kernel_files.wants_list(said):
        root = make_root(module, source, home, debuginfo)
        code, said = run_stap(module, stap, source, name, home, work, debuginfo, root)
    if code:
        return (
            shortened(said.replace(os.path.join(home, "root") + "/", "/"))
            or f"stap ended with exit code {code}"
        )
    error = forbidden(temporary, name, source["file"])
    if not error and source["control"]:
        error = lifeless(temporary, name, source["file"])
    if error:
        return error
    made = os.path.join(work, name + ".ko")
    error = sign(module, made)
    if not error:
        keep_origin(kept, debuginfo, functions(temporary, name))
        os.replace(made, kept)
    return error


def make_root(module: AnsibleModule, source: Source, home: str, debuginfo: str) -> str:
    """Return the folder that `stap --sysroot` is given: with the programs that are probed, and the kernel's functions.

    One path for all scripts of a kernel, since it is part of what SystemTap's cache goes by.
    """
    root = os.path.join(home, "root")
    program_root.make_root(root, module.params["kernel"], source["programs"], debuginfo)
    return root


def narrow(module: AnsibleModule, stap: str, source: Source, work: str) -> str | None:
    """Have SystemTap look for tracepoints only where those of the script can be; return the program that does it."""
    installed = tracepoints.installed_tapset(stap)
    texts = [source["script"], source["control"], *module.params["tapset"].values(), *installed]
    names = tracepoints.names(texts) if installed else None
    if names is None:
        return None
    headers = tracepoints.headers(names, module.params["kernel"])
    return tracepoints.put_before_env(os.path.join(work, "bin"), headers)


def run_stap(
    module: AnsibleModule,
    stap: str,
    source: Source,
    name: str,
    home: str,
    work: str,
    debuginfo: str,
    root: str,
) -> tuple[int, str]:
    """Return (exit code, what stap said); once more with all headers where a tracepoint was not found.

    debuginfo: the folder from `kernel_debuginfo`; modules that turn out to be wanted are added to it. root: that from
    `make_root`, "" for the builder's own.
    """
    cache = os.path.join(home, "systemtap", "cache")
    narrowed = narrow(module, stap, source, work)
    try:
        tracepoints.forget_empty(cache)  # of a run that was killed
        code, said = run_once(module, stap, source, name, home, work, debuginfo, root)
        if code and narrowed and "no match" in said and "kernel.trace(" in said:
            os.remove(narrowed)
            tracepoints.forget_empty(cache)
            code, said = run_once(module, stap, source, name, home, work, debuginfo, root)
        more: list[str] = []  # modules that the tapset names, not the script, and those that these need
        while code and debuginfo and len(more) < MAX_MORE_MODULES:
            lacking = [word for word in kernel_files.lacking_modules(said) if word not in more]
            if not lacking:
                break
            more += lacking
            add_modules(module, debuginfo, lacking)
            code, said = run_once(module, stap, source, name, home, work, debuginfo, root)
    finally:
        tracepoints.forget_empty(cache)
    return code, said


def run_once(
    module: AnsibleModule,
    stap: str,
    source: Source,
    name: str,
    home: str,
    work: str,
    debuginfo: str,
    root: str,
) -> tuple[int, str]:
    """Return (exit code, what stap said).

    stap may clean up when its time is over, and is killed if it does not. -g is never given: no embedded C.

    With -k the C source stays, which says what every probe point was resolved to.
    """
    seconds = module.params["timeout"]
    command = ["timeout", "--signal=INT", f"--kill-after={min(KILL_AFTER_S, seconds)}", str(seconds)]
    command += [
        stap,
        "-k",
        "-p4",
        "-r",
        module.params["kernel"],
        *cross.stap_options(module.params["machine"]),
        "-m",
        name,
        "-I",
        os.path.join(work, "tapset"),
    ]
    if root:
        command += ["--sysroot", root]
    command += list(source["flags"])
    if source["control"]:
        command += ["-E", source["control"]]
    command += [source["file"], *list(source["args"])]
    environment = {
        "PATH": os.path.join(work, "bin") + ":" + os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        "SYSTEMTAP_DIR": os.path.join(home, "systemtap"),
        "TMPDIR": os.path.join(work, "tmp"),
        "LC_ALL": "C.UTF-8",
    }
    if (source["debuginfo"] or source["programs"]) and os.path.exists(DEBUGINFOD_URLS):
        with open(DEBUGINFOD_URLS) as stream:
            environment["DEBUGINFOD_URLS"] = " ".join(stream.read().split())
    if debuginfo:
        environment["SYSTEMTAP_DEBUGINFO_PATH"] = debuginfo
    began = time.monotonic()
    with memory_limit(module.params["memory_mb"]):
        code, out, err = module.run_command(
            command, cwd=work, environ_update=environment, errors="backslashreplace"
        )
    if code == 124 or (
        code in (137, -9) and time.monotonic() - began >= seconds
    ):  # -9: timeout(1) kills itself too
        return code, f"compiling took longer than {seconds} s"
    if code and NO_MEMORY.search(err + out):
        return (
            code,
            f"compiling needs more than {module.params['memory_mb']} MB of memory (memory_mb)\n\n{err + out}",
        )
    return code, err + out if code else ""


def kernel_debuginfo(module: AnsibleModule, stap: str, source: Source, home: str) -> str:
    """Return the folder with the debuginfo that is made of what a host of the kernel handed over, "" where none did.

    It has that of the modules that the script names, too.
    """
    params = module.params
    if not params["kernel_info"]:
        return ""
    files = kernel_files.placed_functions(tracepoints.installed_tapset(stap))

    def run(command: list[str], folder: str) -> tuple[int, str]:
        limited = ["timeout", str(params["timeout"]), *command]
        code, out, err = module.run_command(limited, cwd=folder, errors="backslashreplace")
        return code, err + out

    with memory_limit(params["memory_mb"]):
        folder = kernel_files.debuginfo_path(
            params["kernel_info"],
            home,
            params["kernel"],
            params["build_id"],
            run,
            files,
            params["machine"],
        )
    add_modules(module, folder, kernel_files.module_names(source["script"], source["args"]))
    return folder


def add_modules(module: AnsibleModule, folder: str, names: list[str]) -> None:
    """Add the debuginfo of these modules of the kernel to a folder from `kernel_debuginfo`."""
    with memory_limit(module.params["memory_mb"]):
        kernel_files.add_modules(folder, module.params["kernel_info"], module.params["kernel"], names)


@contextlib.contextmanager
def memory_limit(megabytes: int) -> Iterator[None]:
    """Give each program that is started meanwhile no more memory than this: a builder may be somebody's server."""
    before, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = megabytes << 20
    limits = [limit for limit in (wanted, before, most) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, most))


def shortened(said: str) -> str:
    """Return SystemTap's message, each paragraph once: one mistake in a function is told again for every use of it."""
    said = EMPTY_TALK.sub("", said)
    paragraphs = list(dict.fromkeys(part.strip() for part in said.split("\n\n")))
    return "\n\n".join(part for part in paragraphs if part)[:ERROR_BYTES]
