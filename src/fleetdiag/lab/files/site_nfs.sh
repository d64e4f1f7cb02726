# SPDX-License-Identifier: GPL-3.0-or-later
# The file server. Set before this text: root (what it exports).
mkdir -p "$root" /etc/nfs.conf.d
echo '<p>site</p>' >"$root/index.html"
echo 'ok' >"$root/health.html"
# Version 4 alone needs no rpcbind. Nobody has locks to reclaim: a long grace period would only delay the first opens.
cat >/etc/nfs.conf.d/fleetdiag-lab.conf <<'CONFIG'
[nfsd]
vers3=n
threads=8
grace-time=5
lease-time=10
CONFIG
# No delegations: clients ask for a file each time they open it, as they do where many read and few write.
sysctl -q -w fs.leases-enable=0
echo "$root 10.77.0.0/24(ro,no_subtree_check,crossmnt)" >/etc/exports
systemctl start nfs-server.service
exportfs -ra
