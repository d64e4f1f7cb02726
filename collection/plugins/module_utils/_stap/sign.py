# SPDX-License-Identifier: GPL-3.0-or-later
"""Sign modules for kernels that load no others."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule


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
