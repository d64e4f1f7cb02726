# SPDX-License-Identifier: GPL-3.0-or-later
# Process 1 of the builder, in its own mount and process namespaces: nothing it mounts is seen outside, and
# everything it started ends with it. Set before this text: tree, layer, keep, keys, port,
# overlay (mount options, each with its comma).
set -eu
root=$tree
mkdir -p "$layer/upper" "$layer/work" "$layer/root" "$keep/systemtap" "$keep/fleetdiag"
# A copy-on-write layer starts every run from the same state; without overlayfs the tree itself serves.
if mount -t overlay overlay -o "${overlay}lowerdir=$tree,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"; then
    root=$layer/root
fi
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
# Compiling is ten times faster with what SystemTap remembers of a kernel: that outlives the run.
mkdir -p "$root/root/.systemtap" "$root/var/cache/fleetdiag"
mount --bind "$keep/systemtap" "$root/root/.systemtap"
mount --bind "$keep/fleetdiag" "$root/var/cache/fleetdiag"
for file in resolv.conf hosts; do
    cat "/etc/$file" > "$root/etc/$file" || true
done
mkdir -p "$root/run/sshd" "$root/etc/ssh" "$root/root/.ssh"
chmod 0755 "$root/run/sshd"
cat "$keys/client.pub" > "$root/root/.ssh/authorized_keys"
(umask 077 && cat "$keys/host" > "$root/etc/ssh/fleetdiag_lab_host")
cat > "$root/etc/ssh/sshd_config" <<CONFIG
Port $port
ListenAddress 127.0.0.1
HostKey /etc/ssh/fleetdiag_lab_host
PidFile none
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
CONFIG
exec chroot "$root" /usr/sbin/sshd -D -e
