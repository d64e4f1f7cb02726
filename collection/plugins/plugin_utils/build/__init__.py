# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules: from a probe and a kernel to a compiled, signed and cached module on the controller.

In: probes and the kernels of the hosts. Out: modules by content, or the reason why a kernel has none.
"""
