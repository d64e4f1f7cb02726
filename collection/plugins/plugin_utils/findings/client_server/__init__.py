# SPDX-License-Identifier: GPL-3.0-or-later
"""Both sides of one request, where a client and its server were probed.

In: the evidence of both probes, and the addresses of all hosts. Out: a table of requests with what each side took of
them, and a finding for what takes most of a slow answer.
"""
