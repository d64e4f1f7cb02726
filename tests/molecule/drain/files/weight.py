# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what HAProxy says of the weights of these servers."""

import socket
import sys

for name in sys.argv[1:]:
    with socket.socket(socket.AF_UNIX) as admin:
        admin.connect("/run/haproxy/admin.sock")
        admin.sendall(f"get weight web/{name}\n".encode())
        print(admin.makefile().read().strip())
