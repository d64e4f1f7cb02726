# SPDX-License-Identifier: GPL-3.0-or-later
# First on every machine of the profile `site`: its address beside the others. Set before this text: name, address,
# hosts (lines of /etc/hosts).
set -eu
printf '127.0.0.1 localhost\n%s\n' "$hosts" >/etc/hosts
sysctl -q -w net.ipv6.conf.eth1.disable_ipv6=1
ip address replace "$address/24" dev eth1
ip link set eth1 up
