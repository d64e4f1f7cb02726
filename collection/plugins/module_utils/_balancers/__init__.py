# SPDX-License-Identifier: GPL-3.0-or-later
"""Lower weights of load balancers' servers with a record, and give them back by it.

    policy    what weight, and whether a server may be lowered at all; pure
    record    what was lowered, on disk
    swap      lower all or none, give back by compare-and-swap, wait for sessions to fall
    timer     the balancer's own timer, which gives back whatever became of the controller
    command   what the modules *_weight do
    driver    what a kind of balancer brings; haproxy and lvs are drivers, and nothing else here knows a kind

Standard library only, for the Python of balancers (3.9 and later). Private: it may change at any time.
"""
