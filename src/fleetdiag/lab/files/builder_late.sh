# SPDX-License-Identifier: GPL-3.0-or-later
# Runs when all packages of the builder are in ($1 = its root).
set -eu
root=$1
mkdir -p "$root/root/.ssh" "$root/root/.systemtap" "$root/var/cache/fleetdiag" "$root/run/sshd"
chmod 0700 "$root/root/.ssh"
rm -f "$root"/etc/ssh/ssh_host_*
echo 'Acquire::Check-Valid-Until "false";' > "$root/etc/apt/apt.conf.d/90fleetdiag-lab"
echo 'APT::Install-Recommends "false";' >> "$root/etc/apt/apt.conf.d/90fleetdiag-lab"
