# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a kernel's debuginfo from what the running kernel tells of itself.

In: bytes of BTF (/sys/kernel/btf/vmlinux or section .BTF), of /proc/kallsyms and of /sys/kernel/notes; for a kernel
module its .ko file. Out: bytes of an ELF file with DWARF that SystemTap takes for the kernel's debuginfo.
Pure functions: all input is untrusted, and what cannot be used ends in one `KernelInfoError`, whose text is a sentence.
"""

from __future__ import annotations

MAKER = "3"
"""Version of what is made: modules that were built with a file of another maker are built anew."""
