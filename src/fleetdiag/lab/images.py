# SPDX-License-Identifier: GPL-3.0-or-later
"""Disk images of the emulated machines: stock Debian, built without mounting anything."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from fleetdiag.lab import cache, commands, machines_data, mirror, paths, rights
from fleetdiag.lab.keys import Keys
from fleetdiag.lab.log import step

# Runs where the files' owners can be kept. $1: the entry's folder, $2: the size of the disk in GB.
_TO_DISK = """
set -eu
cd "$1"
mkdir root
tar --extract --numeric-owner --file root.tar --directory root --exclude './dev/*'
: > root/etc/machine-id
for modules in root/usr/lib/modules/*; do release=${modules##*/}; done
echo "$release" > release
cp "root/boot/vmlinuz-$release" vmlinuz
cp "root/boot/initrd.img-$release" initrd
chmod 0644 vmlinuz initrd
tar --create --file modules.tar --directory root --exclude '*/build' --exclude '*/source' \\
    "usr/lib/modules/$release"
# Newer than /usr: systemd then has nothing to bring up to date at the first boot.
touch root/etc/.updated root/var/.updated
truncate -s "${2}G" disk.img
mkfs.ext4 -q -F -L lab -E lazy_itable_init=0,lazy_journal_init=0 -d root disk.img
rm -rf root root.tar
"""


@dataclass(frozen=True)
class BuiltImage:
    """One complete image in the cache."""

    folder: Path

    @property
    def suite(self) -> str:
        return self.folder.name.split("-")[1]

    @property
    def architecture(self) -> str:
        return machines_data.ARM64 if "-arm-" in self.folder.name else machines_data.AMD64

    @property
    def disk(self) -> Path:
        return self.folder / "disk.img"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def modules(self) -> Path:
        """Return the path of a tar of usr/lib/modules/RELEASE."""
        return self.folder / "modules.tar"

    @property
    def release(self) -> str:
        """Return the kernel release, as `uname -r` prints it."""
        return (self.folder / "release").read_text().strip()


def name(image: machines_data.Image, keys: Keys) -> str:
    """Return the name of the image's cache entry: changes with everything that decides its content."""
    foreign = "-arm" if image.architecture == machines_data.ARM64 else ""
    return cache.key(
        f"image-{image.suite}{foreign}",
        {
            "format": machines_data.FORMAT,
            "packages": image.all_packages(),
            "size": image.size_gb,
            "apache": image.apache,
            "scripts": [_script("target_early.sh"), _script("target_late.sh"), _TO_DISK],
            "keys": [path.with_suffix(".pub").read_text() for path in (keys.client, keys.host)],
        },
    )


def ensure(image: machines_data.Image, keys: Keys) -> BuiltImage:
    """Return the image from the cache, built when missing (needs the mirror; about a minute)."""
    return BuiltImage(
        cache.entry(paths.cache_dir(), name(image, keys), lambda folder: _make(image, keys, folder))
    )


def cached(image: machines_data.Image, keys: Keys) -> BuiltImage | None:
    """Return the image when it is in the cache, else None."""
    folder = paths.cache_dir() / name(image, keys)
    return BuiltImage(folder) if folder.is_dir() else None


def _make(image: machines_data.Image, keys: Keys, folder: Path) -> None:
    log = folder / "build.log"
    settings = {
        "client_key": keys.client.with_suffix(".pub").read_text().strip(),
        "host_key": keys.host.read_text().strip(),
        "host_key_public": keys.host.with_suffix(".pub").read_text().strip(),
        "apache": "yes" if image.apache else "no",
    }
    assignments = "".join(f"{key}={shlex.quote(value)}\n" for key, value in settings.items())
    hooks = [
        f"--essential-hook={_script('target_early.sh')}",
        f"--customize-hook={assignments}{_script('target_late.sh')}",
        "--skip=cleanup/apt/lists",
    ]
    what = f"image {image.suite}" + (
        "" if image.architecture == machines_data.AMD64 else f" ({image.architecture})"
    )
    with step(f"{what}: packages"):
        root_tar = folder / "root.tar"
        command = mmdebstrap([image.suite], image.all_packages(), hooks, image.architecture)
        commands.logged(what, command, log, stdout=root_tar)
    with step(f"{what}: disk"):
        command = [*rights.prefix(), "sh", "-c", _TO_DISK, "to-disk", str(folder), str(image.size_gb)]
        commands.logged(what, command, log)


def mmdebstrap(
    suites: list[str], packages: list[str], hooks: list[str], architecture: str = machines_data.AMD64
) -> list[str]:
    """Return the command that writes a root file system of the first suite, as a tar, to its standard output."""
    uri = mirror.find()
    options = [
        f"--mode={rights.mmdebstrap_mode()}",
        "--variant=minbase",
        f"--architectures={architecture}",
        "--format=tar",
        # The index of a suite that moves may be past its date on a mirror that follows slowly.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--include={','.join(packages)}",
    ]
    sources = [f"deb {uri} {suite} main" for suite in suites]
    return ["mmdebstrap", *options, *hooks, suites[0], "-", *sources]


def _script(file: str) -> str:
    # Handed over as text: the helper's user may not read this folder.
    return (paths.files_dir() / file).read_text()
