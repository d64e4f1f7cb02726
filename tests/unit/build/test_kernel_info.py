# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host hands over of its kernel is that of this machine's own kernel here, and of damaged ones."""

from __future__ import annotations

import base64
import gzip
import os
import subprocess
from pathlib import Path

import pytest
from kernelinfo_maker import BUILD_ID, kallsyms, notes

from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo import symbols
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.bundle import (
    Bundle,
    unpack,
)
from ansible_collections.fleetdiag.systemtap.plugins.module_utils._stap.kernelinfo.vmlinux import make_vmlinux
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.base.errors import FleetdiagError
from ansible_collections.fleetdiag.systemtap.plugins.plugin_utils.build import kernel_info

OWN_BTF = Path("/sys/kernel/btf/vmlinux")
KNOWN = Bundle(b"", kallsyms({}), notes())


def sent(**parts: bytes) -> str:
    lines = [f"{name} {base64.b64encode(gzip.compress(value)).decode()}" for name, value in parts.items()]
    return "\n".join(lines) + "\n"


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(OWN_BTF, os.R_OK), reason="needs root and a kernel with BTF"
)
def test_this_machine_hands_over_its_kernel_and_a_file_is_made_of_it() -> None:
    done = subprocess.run(
        ["sh", "-c", kernel_info.command(btf=True)], capture_output=True, text=True, check=True
    )
    own = symbols.build_id(Path("/sys/kernel/notes").read_bytes())
    found = kernel_info.handed_over(0, done.stdout, "", build_id=own, host="web1")
    assert found.btf == OWN_BTF.read_bytes()
    assert b"[" not in found.kallsyms
    made = make_vmlinux(*found)
    assert made.build_id == own
    assert made.counts["with parameters"] > 10_000


def test_a_host_hands_over_no_types_where_the_headers_have_them() -> None:
    assert "send btf" in kernel_info.command(btf=True)
    found = kernel_info.handed_over(
        0, sent(notes=KNOWN.notes, kallsyms=KNOWN.kallsyms), "", build_id=BUILD_ID.hex(), host="web1"
    )
    assert found == KNOWN


@pytest.mark.parametrize(
    ("code", "out", "said"),
    [
        (0, "no-btf\n", "no BTF"),
        (1, "", "could not be asked"),
        (0, "notes\n", "could not be asked"),
        (0, sent(notes=KNOWN.notes, kallsyms=b"0 T _stext\n"), "kptr_restrict"),
        (0, sent(notes=KNOWN.notes, kallsyms=b""), "no _stext"),
        (0, sent(notes=b"", kallsyms=KNOWN.kallsyms), "no build id"),
        (0, sent(notes=notes(b"another1"), kallsyms=KNOWN.kallsyms), "its preflight said 000102"),
        (0, sent(notes=KNOWN.notes, kallsyms=KNOWN.kallsyms)[:-41], "cut off"),
        (0, "notes AAAA\nkallsyms AAAA\n", "damaged"),
        (0, sent(notes=bytes(1 << 20), kallsyms=KNOWN.kallsyms), "more than 65536 bytes"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(code: int, out: str, said: str) -> None:
    with pytest.raises(FleetdiagError, match=said) as error:
        kernel_info.handed_over(code, out, "", build_id=BUILD_ID.hex(), host="web1")
    assert "\n" not in str(error.value)


def test_a_kernel_is_kept_once_and_asked_again_when_it_is_damaged(tmp_path: Path) -> None:
    store = kernel_info.Store(tmp_path)
    assert store.get("ab12", btf=False) is None
    path = store.put("ab12", KNOWN)
    assert store.get("ab12", btf=False) == path
    assert store.get("ab12", btf=True) is None  # it came without types
    assert unpack(path.read_bytes()) == KNOWN
    path.write_bytes(path.read_bytes()[:-9])
    assert store.get("ab12", btf=False) is None


def test_the_kernels_not_used_for_the_longest_time_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_info, "KEPT", 2)
    store = kernel_info.Store(tmp_path)
    for age, name in enumerate(("aa", "bb"), 1):
        os.utime(store.put(name, KNOWN), (age, age))
    store.put("cc", KNOWN)
    assert [store.get(name, btf=False) is not None for name in ("aa", "bb", "cc")] == [False, True, True]
