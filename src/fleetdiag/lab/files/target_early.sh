# SPDX-License-Identifier: GPL-3.0-or-later
# Runs before the kernel package is configured ($1 = root of the new image): the initrd holds just what finds
# the root disk, because an emulated machine pays for every megabyte it unpacks.
set -eu
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/etc/initramfs-tools/hooks"
printf 'MODULES=list\nCOMPRESS=gzip\nRESUME=none\n' > "$1/etc/initramfs-tools/conf.d/fleetdiag-lab"
cat > "$1/etc/initramfs-tools/hooks/fleetdiag-lab" <<'HOOK'
#!/bin/sh
[ "${1:-}" = prereqs ] && exit 0
. /usr/share/initramfs-tools/hook-functions
for module in virtio_pci virtio_blk ext4 crc32c crc32c_generic crc32c-intel libcrc32c; do
    manual_add_modules "$module"
done
exit 0
HOOK
chmod 0755 "$1/etc/initramfs-tools/hooks/fleetdiag-lab"
