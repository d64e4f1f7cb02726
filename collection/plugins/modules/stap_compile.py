#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile SystemTap scripts into kernel modules on a builder."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stap_compile
short_description: Compile SystemTap scripts into modules for one kernel
version_added: 0.1.0
description:
  - Runs passes 1 to 4 of C(stap) on a builder, for a kernel that need not be the running one.
  - What was compiled before for the same O(sources[].key) is taken from the builder's cache, unless it no longer is what
    its checksum says. Of two runs that want the same module at once, the second waits for the first.
  - Of a kernel's headers in which SystemTap looks for tracepoints, those are compiled that may declare the wanted ones.
  - A script that does not compile never stops the others; its result carries SystemTap's own message.
  - A script of whose probe points only such are left that would always be there (begin, end, timers) is one that does
    not compile, because all it would yield is an empty table. SystemTap drops optional probe points without a word.
author:
  - The fleetdiag maintainers (@fleetdiag)
options:
  kernel:
    description: Kernel release to compile for, as C(uname -r) prints it on the target.
    type: str
    required: true
  tapset:
    description: File names and texts of the tapset that every script may use.
    type: dict
    required: true
  sources:
    description: The scripts to compile.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the probe; the module is called C(fd_00000000_000000_0000_NAME).
        type: str
        required: true
      file:
        description: File name that SystemTap shows in its messages.
        type: str
        required: true
      script:
        description: Text of the script.
        type: str
        required: true
      control:
        description: Text of a second script compiled into the same module.
        type: str
        default: ""
      args:
        description: Arguments of the script (C(@1), C($1), ...).
        type: list
        elements: str
        default: []
      flags:
        description: Options of C(stap).
        type: list
        elements: str
        default: []
      debuginfo:
        description: Whether the script needs the kernel's debuginfo, which may come from a debuginfod server.
        type: bool
        default: false
      key:
        description: Content address of this compilation.
        type: str
        required: true
  kernel_info:
    description:
      - File on the builder with what a host of the kernel handed over (M(fleetdiag.systemtap.sweep_kernel_info)).
      - With it, SystemTap compiles with debuginfo that is made of this. Without it, with what is installed.
    type: path
    default: ""
  build_id:
    description: Build id of the kernel; what a host of another kernel handed over is refused.
    type: str
    default: ""
  cache_dir:
    description: Where modules and SystemTap's own cache are kept, one directory for each kernel.
    type: path
    default: /var/cache/fleetdiag
  timeout:
    description: Seconds one script may take. The first for a kernel takes minutes on a small machine.
    type: int
    default: 1200
  memory_mb:
    description: Memory that each program of a compilation may take, in MB of address space.
    type: int
    default: 8192
  min_free_mb:
    description: Free space that O(cache_dir) must have.
    type: int
    default: 300
  max_mb:
    description:
      - How much the modules in O(cache_dir) and the debuginfo that was made may take together. Beyond that, what was not
        used for the longest time goes.
      - SystemTap's own cache is not part of it. SystemTap keeps that below a limit of its own.
    type: int
    default: 4096
  sign_key:
    description:
      - File on the builder with the private key that modules are signed with for the kernel (Secure Boot).
      - Without it and O(sign_cert) modules are not signed.
    type: path
  sign_cert:
    description: File on the builder with the certificate that the targets have enrolled, in PEM or DER form.
    type: path
attributes:
  check_mode:
    support: full
    description: In check mode nothing is compiled; what is not in the cache has status V(absent).
  diff_mode:
    support: none
    description: There is nothing to compare.
"""

EXAMPLES = r"""
- name: Compile a script for the kernel of a target
  fleetdiag.systemtap.stap_compile:
    kernel: 6.12.107+deb13-amd64
    tapset: {}
    sources:
      - name: hello
        file: hello.stp
        script: 'probe begin { println("hello") exit() }'
        key: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  delegate_to: builder
"""

RETURN = r"""
btf:
  description: Whether the kernel's headers on the builder carry its types (BTF), so that a host need not send them.
  type: bool
  returned: always
stap:
  description: Version of SystemTap on the builder.
  type: str
  returned: always
modules:
  description: One entry for each source.
  type: list
  elements: dict
  returned: always
  contains:
    name:
      description: Name of the probe.
      type: str
    status:
      description: V(built), V(cached), V(failed) or V(absent).
      type: str
    path:
      description: The module on the builder.
      type: str
    sha256:
      description: Checksum of the module.
      type: str
    seconds:
      description: Time the compilation took.
      type: float
    error:
      description: What SystemTap said when it failed.
      type: str
    line:
      description: Line of the script the message is about.
      type: int
    types:
      description: V(btf) if it was compiled with O(kernel_info), else empty.
      type: str
    functions:
      description: Functions of the kernel that it probes, where RV(modules[].types) is V(btf).
      type: list
      elements: str
    small:
      description: Those of them that compilers like to put inline, as they have few bytes or nobody knows how many.
      type: list
      elements: str
    of_modules:
      description: Those of them that are of the kernel's modules.
      type: list
      elements: str
"""

import contextlib
import fcntl
import glob
import hashlib
import itertools
import json
import os
import re
import resource
import shutil
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetdiag.systemtap.plugins.module_utils import tracepoints
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import kernel_files
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import MAKER
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)

Source = dict[str, Any]
"""One of `sources`, see DOCUMENTATION."""

PLACEHOLDER = "00000000_000000_0000"
IN_USE_S = 3600  # a module that was used this recently may belong to a sweep that still runs
DEBUGINFOD_URLS = "/etc/debuginfod/fleetdiag.urls"  # written by the role install
ERROR_BYTES = 6000
KILL_AFTER_S = 20  # after the signal that asks stap to end
NO_MEMORY = re.compile("std::bad_alloc|out of memory|memory exhausted|Cannot allocate memory", re.IGNORECASE)
EMPTY_TALK = re.compile(
    r"^(Keeping temporary directory|Tip: |Rerun with -v|Number of similar ).*\n?", re.MULTILINE
)
# A probe point in SystemTap's C source: what it was resolved to, and file:line:column.
POINT = re.compile(r'STAP_PROBE_INIT\(\d+, &\w+, "((?:[^"\\]|\\.)*)", "(?:[^"\\]|\\.)*", "((?:[^"\\]|\\.)*)"')
FUNCTION = re.compile(r'(kernel|module\(\\"[^"\\]*\\"\))\.function\(\\"([\w.]+)(?:@|\\")')
MAX_MORE_MODULES = 6
MAX_FUNCTIONS = 100  # that are named; a pattern may match thousands
# How a module asks stapio to run a command, or anything else that is not the runtime's own business; and what can do
# without it: see the functions of SystemTap's tapset that need guru mode.
COMMAND = re.compile(r"STP_SYSTEM|_stp_ctl_send\w*|\bcall_usermodehelper\w*|\bpanic *\(")
# timer.profile samples what the processors do; every other timer only tells the time.
ALWAYS_THERE = re.compile(r"(begin|end|error|never|procfs)\b|timer\.(?!profile\b)")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "kernel": {"type": "str", "required": True},
            "tapset": {"type": "dict", "required": True},
            "sources": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "file": {"type": "str", "required": True},
                    "script": {"type": "str", "required": True},
                    "control": {"type": "str", "default": ""},
                    "args": {"type": "list", "elements": "str", "default": []},
                    "flags": {"type": "list", "elements": "str", "default": []},
                    "debuginfo": {"type": "bool", "default": False},
                    "key": {"type": "str", "required": True, "no_log": False},
                },
            },
            "kernel_info": {"type": "path", "default": ""},
            "build_id": {"type": "str", "default": ""},
            "cache_dir": {"type": "path", "default": "/var/cache/fleetdiag"},
            "timeout": {"type": "int", "default": 1200},
            "memory_mb": {"type": "int", "default": 8192},
            "min_free_mb": {"type": "int", "default": 300},
            "max_mb": {"type": "int", "default": 4096},
            "sign_key": {"type": "path", "no_log": False},
            "sign_cert": {"type": "path"},
        },
        required_together=[("sign_key", "sign_cert")],
        supports_check_mode=True,
    )
    stap = module.get_bin_path("stap")
    if not stap:
        module.fail_json(
            msg="SystemTap is not installed on this builder; run the role fleetdiag.systemtap.builder on it"
        )
    modules = [compile_one(module, stap, source) for source in module.params["sources"]]
    module.exit_json(
        changed=any(entry["status"] == "built" for entry in modules),
        stap=stap_version(module, stap),
        btf=bool(kernel_files.headers_btf(module.params["kernel"])),
        modules=modules,
    )


def stap_version(module: AnsibleModule, stap: str) -> str:
    found = re.search(r"version ([0-9.]+)", "".join(module.run_command([stap, "-V"])[1:]))
    return found.group(1) if found else ""


def compile_one(module: AnsibleModule, stap: str, source: Source) -> dict[str, Any]:
    """Return the result of one source: from the cache, freshly compiled, or the reason why not."""
    # stap refuses a TMPDIR with other characters than these
    kernel = re.sub(r"[^a-z0-9._-]", "_", module.params["kernel"].lower())
    home = os.path.join(module.params["cache_dir"], kernel)
    kept = os.path.join(home, "modules", source["key"] + ".ko")
    result = {
        "name": source["name"],
        "status": "cached",
        "path": kept,
        "sha256": "",
        "seconds": 0.0,
        "error": "",
        "line": None,
        "types": "",
        "functions": [],
        "small": [],
        "of_modules": [],
    }
    if not re.match(r"[0-9a-f]{64}$", source["key"]):
        module.fail_json(msg="source {}: key is not a SHA-256".format(source["name"]))
    if module.check_mode:
        held = whole(module, kept, touch=False)
        return dict(result, sha256=held, **origin(kept)) if held else dict(result, status="absent", path="")
    began = time.time()
    error = ""
    try:
        os.makedirs(os.path.dirname(kept), mode=0o700, exist_ok=True)
        with alone(kept + ".lock"):
            held = whole(module, kept)
            if held:
                return dict(result, sha256=held, **origin(kept))
            evict(module.params["cache_dir"], module.params["max_mb"] << 20)
            error = no_room(module.params["cache_dir"], module.params["min_free_mb"]) or build(
                module, stap, source, home, kept
            )
            if not error:
                held = sha256(kept)
                with open(kept + ".sha256", "w") as stream:
                    stream.write(held)
    except OSError as exc:
        error = "{}: {} on the builder".format(
            exc.filename or module.params["cache_dir"], exc.strerror or exc
        )
    except KernelInfoError as exc:
        error = str(exc)
    result["seconds"] = round(time.time() - began, 1)
    if error:
        return dict(result, status="failed", path="", error=error, line=line_of(error, source["file"]))
    return dict(result, status="built", sha256=held, **origin(kept))


def origin(kept: str) -> dict[str, Any]:
    """Return what a kept module was compiled with, as `keep_origin` notes it; {} for one of the installed headers."""
    try:
        with open(kept + ".origin") as stream:
            found = json.load(stream)
        later = {key: found.get(key, []) for key in ("small", "of_modules")}
        return {**{key: found[key] for key in ("types", "functions", "maker")}, **later}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def keep_origin(kept: str, debuginfo: str, probed: set[tuple[str, str]]) -> None:
    """Note beside a module that it was compiled with debuginfo that was made of BTF, or that it was not.

    debuginfo: the folder that SystemTap was pointed at, "" without. probed: ("kernel" or what else, function).
    """
    if not debuginfo:
        with contextlib.suppress(FileNotFoundError):
            os.remove(kept + ".origin")
        return
    functions = sorted({name for _where, name in probed})[:MAX_FUNCTIONS]
    noted = {
        "types": "btf",
        "functions": functions,
        "small": kernel_files.small_functions(debuginfo, functions),
        "of_modules": sorted({name for where, name in probed if where != "kernel"}.intersection(functions)),
        "maker": MAKER,
    }
    with open(kept + ".origin", "w") as stream:
        json.dump(noted, stream)


def whole(module: AnsibleModule, kept: str, touch: bool = True) -> str:
    """Return the kept module's SHA-256, or "" if it is missing or damaged. A damaged one is removed with a warning."""
    try:
        with open(kept + ".sha256") as stream:
            wanted = stream.read().strip()
        found = sha256(kept)
    except OSError:
        return ""
    if origin(kept).get("maker", MAKER) != MAKER:
        return ""
    if found == wanted:
        if touch:
            os.utime(kept)
        return found
    if touch:
        os.remove(kept)
        module.warn(f"{kept}: was damaged, is removed and built again")
    return ""


@contextlib.contextmanager
def alone(path: str) -> Iterator[None]:
    """Let nobody else build the same module meanwhile; the lock ends with its holder, its file is removed."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                break
        except FileNotFoundError:
            pass  # whoever held it has just removed it
        os.close(fd)
    try:
        yield
    finally:
        os.unlink(path)
        os.close(fd)


def evict(cache_dir: str, limit: int) -> None:
    """Remove modules and made debuginfo, first what was not used for the longest time, until the rest fits."""
    kept = []
    patterns = (os.path.join("modules", "*.ko"), *kernel_files.PATTERNS)
    found = [path for pattern in patterns for path in glob.glob(os.path.join(cache_dir, "*", pattern))]
    for path in [path for path in found if not path.endswith(".sha256")]:
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            kept.append((status.st_mtime, status.st_size, path))
    total = sum(size for _used, size, _path in kept)
    for used, size, path in sorted(kept):
        if total <= limit or used > time.time() - IN_USE_S:
            return
        for name in (path, path + ".sha256", path + ".origin"):
            with contextlib.suppress(OSError):
                os.remove(name)
        total -= size


def no_room(path: str, min_free_mb: int) -> str:
    """Return why there is too little room after removing what is not in use, "" if there is enough."""
    free = free_mb(path)
    if free < min_free_mb:
        evict(path, 0)
        free = free_mb(path)
    if free >= min_free_mb:
        return ""
    return f"only {free} MB are free under {path} on the builder, {min_free_mb} are needed: free space there"


def free_mb(path: str) -> int:
    return shutil.disk_usage(path).free // (1 << 20)


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


def build_alone(module: AnsibleModule, stap: str, source: Source, home: str, kept: str, work: str) -> str:
    """Compile in the folder `work`, with nobody else at it; return a message, empty when that worked."""
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
    code, said = run_stap(module, stap, source, name, home, work)
    if code:
        return shortened(said) or f"stap ended with exit code {code}"
    probed = {point for text in c_sources(temporary, name) for point in FUNCTION.findall(text)}
    error = forbidden(temporary, name, source["file"])
    if not error and source["control"]:
        error = lifeless(temporary, name, source["file"])
    if error:
        return error
    made = os.path.join(work, name + ".ko")
    error = sign(module, made)
    if not error:
        keep_origin(kept, kernel_debuginfo(module, stap, source, home, []), probed)
        os.replace(made, kept)
    return error


def narrow(module: AnsibleModule, stap: str, source: Source, work: str) -> str | None:
    """Have SystemTap look for tracepoints only where those of the script can be; return the program that does it."""
    installed = tracepoints.installed_tapset(stap)
    texts = [source["script"], source["control"], *module.params["tapset"].values(), *installed]
    names = tracepoints.names(texts) if installed else None
    if names is None:
        return None
    headers = tracepoints.headers(names, module.params["kernel"])
    return tracepoints.put_before_env(os.path.join(work, "bin"), headers)


def sign(module: AnsibleModule, made: str) -> str:
    """Sign a module for kernels that load no others; return a message, empty when that worked or nobody wants it."""
    key, certificate = module.params["sign_key"], module.params["sign_cert"]
    if not key:
        return ""
    for path in (key, certificate):
        if not os.access(path, os.R_OK):
            return f"{path}: is not on the builder, and modules are to be signed with it (builder_sign_key, _cert)"
    program = "/lib/modules/{}/build/scripts/sign-file".format(module.params["kernel"])
    if not os.access(program, os.X_OK):
        return f"{program}: is missing, and signs modules; install the kernel's headers on the builder"
    code, out, err = module.run_command([program, "sha256", key, certificate, made])
    return f"signing failed: {(err + out).strip()[:500] or code}" if code else ""


def run_stap(
    module: AnsibleModule, stap: str, source: Source, name: str, home: str, work: str
) -> tuple[int, str]:
    """Return (exit code, what stap said); once more with all headers where a tracepoint was not found."""
    cache = os.path.join(home, "systemtap", "cache")
    narrowed = narrow(module, stap, source, work)
    try:
        tracepoints.forget_empty(cache)  # of a run that was killed
        code, said = run_once(module, stap, source, name, home, work)
        if code and narrowed and "no match" in said and "kernel.trace(" in said:
            os.remove(narrowed)
            tracepoints.forget_empty(cache)
            code, said = run_once(module, stap, source, name, home, work)
        more: list[str] = []  # modules that the tapset names, not the script, and those that these need
        while code and module.params["kernel_info"] and len(more) < MAX_MORE_MODULES:
            lacking = [word for word in kernel_files.lacking_modules(said) if word not in more]
            if not lacking:
                break
            more += lacking
            code, said = run_once(module, stap, source, name, home, work, more)
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
    more: Sequence[str] = (),
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
        "-m",
        name,
        "-I",
        os.path.join(work, "tapset"),
    ]
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
    if source["debuginfo"] and os.path.exists(DEBUGINFOD_URLS):
        with open(DEBUGINFOD_URLS) as stream:
            environment["DEBUGINFOD_URLS"] = " ".join(stream.read().split())
    debuginfo = kernel_debuginfo(module, stap, source, home, list(more))
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


def kernel_debuginfo(module: AnsibleModule, stap: str, source: Source, home: str, more: list[str]) -> str:
    """Return the folder with the debuginfo that is made of what a host of the kernel handed over, "" where none did.

    more: modules that are wanted beside those that the script names.
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
            params["kernel_info"], home, params["kernel"], params["build_id"], run, files
        )
        names = kernel_files.module_names(source["script"], source["args"])
        kernel_files.add_modules(folder, params["kernel_info"], params["kernel"], names + more)
        return folder


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


def forbidden(temporary: str, name: str, file: str) -> str:
    """Return what is wrong with a module whose C source has a command run on the host, or cannot be read; else empty.

    The policy and control.stp keep scripts from it. This looks at what has become of them, whatever they were.
    """
    found = list(c_sources(temporary, name))
    if not found:
        return (
            f"{file}: SystemTap left no C source to look through on the builder; use another SystemTap there"
        )
    said = next((match.group() for text in found for match in [COMMAND.search(text)] if match), "")
    if not said:
        return ""
    return f"{file}: its module would run a command on the probed host ({said}); a probe only watches: take it out"


def c_sources(temporary: str, name: str) -> Iterator[str]:
    for path in glob.glob(os.path.join(glob.escape(temporary), "stap*", name + "_src.c")):
        with open(path, errors="replace") as stream:
            yield stream.read()


def lifeless(temporary: str, name: str, file: str) -> str:
    """Return what is wrong with a script that has no live probe point, empty if it has one or the source cannot be read.

    In SystemTap's list the points of the script come first, then those of control.stp (given with -E, so that its file
    is called <input>), then helpers of the tapset.
    """
    points: list[tuple[str, str]] = []
    for text in c_sources(temporary, name):
        points += POINT.findall(text)
    own = [
        point for point, place in itertools.takewhile(lambda pair: not pair[1].startswith("<input"), points)
    ]
    if not points or any(not ALWAYS_THERE.match(point) for point in own):
        return ""
    left = ", ".join(dict.fromkeys(point.replace('\\"', '"') for point in own))
    return (
        "{}: no live probe point: of all that the script probes {} is left for this kernel, so it would run and"
        " yield nothing; points that are optional (?) may need debuginfo (requires.debuginfo in a manifest,"
        " sweep_examples_debuginfo for an example), or this kernel does not have them"
    ).format(file, "only " + left if left else "nothing")


def shortened(said: str) -> str:
    """Return SystemTap's message, each paragraph once: one mistake in a function is told again for every use of it."""
    said = EMPTY_TALK.sub("", said)
    paragraphs = list(dict.fromkeys(part.strip() for part in said.split("\n\n")))
    return "\n\n".join(part for part in paragraphs if part)[:ERROR_BYTES]


def line_of(error: str, file: str) -> int | None:
    found = re.search(rf"{re.escape(file)}:(\d+)", error)
    return int(found.group(1)) if found else None


def sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


if __name__ == "__main__":
    main()
