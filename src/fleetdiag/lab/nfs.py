# SPDX-License-Identifier: GPL-3.0-or-later
"""A file server in the lab: a web machine exports a small file system by NFS 4 and mounts it from itself."""

from __future__ import annotations

from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from fleetdiag.lab.model import Lab

#: Where the machine sees its own share as a client.
MOUNT = "/mnt/fleetdiag-nfs"
FAST_FILE = f"{MOUNT}/fast.dat"
SLOW_FILE = f"{MOUNT}/slow.dat"
_EXPORT = "/srv/fleetdiag-nfs"
_DISK = "/var/tmp/fleetdiag-nfs.img"
_QUIET_UDEV = "/run/udev/rules.d/99-nfs.rules"

# A file system of its own, so that it can be stopped while the machine goes on. NFS 4 needs two daemons of the dozen
# that the distribution's services start, and no udev rule that runs a program for each loop device: on an emulated
# machine all that takes minutes. A server that has just started makes clients wait for those of before; here are none,
# and newer kernels have seen that themselves and answer "busy".
_START = f"""
set -eu
mkdir -p {_EXPORT} {MOUNT} /run/udev/rules.d
mountpoint -q {MOUNT} && exit
ln -sf /dev/null {_QUIET_UDEV}
modprobe loop max_loop=1
modprobe nfsd
mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
mountpoint -q {_EXPORT} || {{
    truncate -s 64M {_DISK}
    mkfs.ext4 -q -F {_DISK}
    mount -o loop {_DISK} {_EXPORT}
}}
exportfs -o rw,sync,no_root_squash,no_subtree_check 127.0.0.1:{_EXPORT}
pidof -q rpc.mountd || rpc.mountd -N 3
rpc.nfsd -N 3 4
echo Y >/proc/fs/nfsd/v4_end_grace || true
mount -t nfs -o vers=4.2,soft,timeo=600 127.0.0.1:{_EXPORT} {MOUNT}
head -c 1M /dev/zero >{FAST_FILE}
"""
_STOP = f"""
umount -f -l {MOUNT}
rpc.nfsd 0
kill $(pidof rpc.mountd)
exportfs -u 127.0.0.1:{_EXPORT}
umount {_EXPORT} /proc/fs/nfsd
rm -f {_DISK} {_QUIET_UDEV}
"""
_PATIENCE_S = 300


def start(lab: Lab, name: str) -> None:
    """Export and mount on the machine `name`; nothing happens when it is there already."""
    done = lab.ssh(name, _START, timeout_s=_PATIENCE_S)
    if done.returncode:
        raise FleetdiagError(f"NFS on {name}: status {done.returncode}: {done.stderr.strip()[-300:]}")


def stop(lab: Lab, name: str) -> None:
    """Unmount, stop the server and remove its file system; nothing happens when there is none."""
    lab.ssh(name, _STOP, timeout_s=_PATIENCE_S)
