# SPDX-License-Identifier: GPL-3.0-or-later
# The balancers, one HAProxy each. Set before this text: balancers (lines: NAME PORT), servers (lines: NAME ADDRESS),
# sockets (a folder).
mkdir -p "$sockets"
echo "$balancers" | while read -r balancer port; do
    config=/etc/haproxy/$balancer.cfg
    cat >"$config" <<CONFIG
global
    stats socket $sockets/$balancer.sock mode 600 level admin
    maxconn 200
defaults
    mode http
    timeout connect 20s
    timeout client 60s
    timeout server 60s
    timeout check 20s
frontend site
    bind :$port
    default_backend web
backend web
    balance roundrobin
    option httpchk GET /health.html
CONFIG
    # A machine that shares its core with others may answer late once: five times is down.
    # shellcheck disable=SC2001 # it is a line for each server
    echo "$servers" | sed 's/\(.*\) \(.*\)/    server \1 \2:80 weight 100 check inter 6s fall 4/' >>"$config"
    systemctl -q is-active "$balancer.service" \
        || systemd-run -q --collect --unit="$balancer" haproxy -W -db -f "$config"
done
