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
      programs:
        description:
          - Programs and libraries that the script probes. Each has C(path), as the script names it, C(real),
            where that leads on the hosts, and C(file), where it is on the builder.
          - They are read by SystemTap for this compilation alone, and never run.
        type: list
        elements: dict
        default: []
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
  machine:
    description:
      - What C(uname -m) says on the targets, for a builder of another machine. On an x86-64 builder V(aarch64) is
        compiled for with the cross compiler that the kernel's headers ask for.
      - Empty for the builder's own.
    type: str
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

import os
import re
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap import kernel_files
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.cache import (
    alone,
    evict,
    no_room,
    origin,
    sha256,
    whole,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.compile import Source, build
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)


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
                    "programs": {"type": "list", "elements": "dict", "default": []},
                    "key": {"type": "str", "required": True, "no_log": False},
                },
            },
            "kernel_info": {"type": "path", "default": ""},
            "machine": {"type": "str", "default": ""},
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


def line_of(error: str, file: str) -> int | None:
    found = re.search(rf"{re.escape(file)}:(\d+)", error)
    return int(found.group(1)) if found else None


if __name__ == "__main__":
    main()
