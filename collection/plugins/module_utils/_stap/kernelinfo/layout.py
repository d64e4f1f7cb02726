# SPDX-License-Identifier: GPL-3.0-or-later
"""Say in C where BTF has the members of well-known structures: a compiler then compares that with the headers."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import btf as kinds
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.btf import Btf
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.fault import (
    KernelInfoError,
)

HEADERS = (
    *("linux/sched.h", "linux/fs.h", "linux/dcache.h", "linux/cred.h", "linux/mm_types.h", "linux/blkdev.h"),
    *("linux/netdevice.h", "linux/skbuff.h", "net/sock.h"),
)
STRUCTURES = {
    "task_struct": ("pid", "tgid", "comm", "mm", "real_parent", "group_leader", "files", "cred", "flags"),
    "cred": ("uid", "gid", "euid"),
    "file": ("f_op", "f_inode", "f_pos", "f_flags", "f_mode"),
    "inode": ("i_mode", "i_uid", "i_gid", "i_sb", "i_ino", "i_size", "i_op"),
    "dentry": ("d_parent", "d_name", "d_inode", "d_sb", "d_flags"),
    "path": ("mnt", "dentry"),
    "super_block": ("s_dev", "s_type", "s_id", "s_blocksize", "s_magic"),
    "vm_area_struct": ("vm_mm", "vm_file", "vm_pgoff"),
    "sk_buff": ("len", "data_len", "head", "data", "truesize"),
    "sock": ("sk_receive_queue", "sk_wmem_queued", "sk_err"),
    "net_device": ("name", "ifindex", "mtu", "flags"),
    "bio": ("bi_bdev", "bi_opf", "bi_iter", "bi_end_io"),
    "gendisk": ("major", "first_minor", "disk_name"),
}
LEAST = 8  # structures that the BTF of any kernel has, however it was configured


def layout_checks(btf: Btf) -> str:
    """Return a C file that only compiles where sizes and offsets of the structures are those of BTF."""
    lines = [f"#include <{header}>" for header in HEADERS]
    found = 0
    for number in range(1, len(btf)):
        if btf.kinds[number] != kinds.STRUCT or btf.name(number) not in STRUCTURES:
            continue
        name = btf.name(number)
        found += 1
        lines.append(f'_Static_assert(sizeof(struct {name}) == {btf.size(number)}, "sizeof {name}");')
        for member, _type, offset, width in btf.members(number):
            label = btf.text(member)
            if not width and label in STRUCTURES[name]:
                place = f"__builtin_offsetof(struct {name}, {label})"
                lines.append(f'_Static_assert({place} == {offset // 8}, "{name}.{label}");')
    if found < LEAST:
        raise KernelInfoError(
            "the BTF that was handed over lacks structures that every kernel has: it is not a kernel's"
        )
    return "\n".join(lines) + "\n"
