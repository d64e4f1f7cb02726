# SPDX-License-Identifier: GPL-3.0-or-later
# A file on a disk of its own whose every read is late (dm-delay), and a job that keeps it out of all caches, as one that
# changes all the time. Set before this text: folder, file, kb, delay_ms.
set -eu
modprobe loop
modprobe dm-delay
mkdir -p "$folder"
if ! mountpoint -q "$folder"; then
    truncate -s 32M /srv/slow.img
    loop=$(losetup --find --show /srv/slow.img)
    # Reads are late; writes, which come second, are not.
    dmsetup create slow --table "0 $(blockdev --getsz "$loop") delay $loop 0 $delay_ms $loop 0 0"
    udevadm settle
    mkfs.ext4 -q -F /dev/mapper/slow
    mount -o noatime /dev/mapper/slow "$folder"
    yes 'el informe que nadie espera' | head -c "${kb}K" >"$folder/$file"
    sync -f "$folder"
    exportfs -ra
fi
# Its time of change makes clients forget what they have read of it.
systemctl -q is-active fleetdiag-lab-cold.service || systemd-run -q --collect --unit=fleetdiag-lab-cold sh -c "
    while :; do
        touch '$folder/$file'
        dd if='$folder/$file' iflag=nocache count=0 status=none
        sleep 1
    done"
