# SPDX-License-Identifier: GPL-3.0-or-later
# Runs when all packages are in ($1 = root of the new image). Set before this text: client_key, host_key,
# host_key_public, apache (yes or no).
set -eu
root=$1

# The runtime is installed from packages that stay in the image as its only apt source: the role `install`
# can remove it and put it back on a machine that has no network.
repository=$root/srv/fleetdiag-lab/apt
mkdir -p "$repository"
rm -f "$root"/var/cache/apt/archives/*.deb
chroot "$root" apt-get -qq -y --no-install-recommends --download-only install systemtap-runtime
cp "$root"/var/cache/apt/archives/*.deb "$repository/"
chroot "$root" apt-get -qq -y --no-install-recommends install systemtap-runtime
for package in "$repository"/*.deb; do
    dpkg-deb --field "$package"
    echo "Filename: ./${package##*/}"
    echo "Size: $(stat -c %s "$package")"
    echo "SHA256: $(sha256sum "$package" | cut -d' ' -f1)"
    echo
done > "$repository/Packages"
rm -f "$root"/var/cache/apt/archives/*.deb "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/fleetdiag-lab/apt ./' > "$root/etc/apt/sources.list.d/fleetdiag-lab.list"
echo 'Acquire::Languages "none";' > "$root/etc/apt/apt.conf.d/90fleetdiag-lab"
chroot "$root" apt-get -qq update

chroot "$root" useradd --create-home --shell /bin/bash fleet
echo 'fleet ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/fleet"
chmod 0440 "$root/etc/sudoers.d/fleet"
for home in root home/fleet; do
    mkdir -p "$root/$home/.ssh"
    printf '%s\n' "$client_key" > "$root/$home/.ssh/authorized_keys"
    chmod 0700 "$root/$home/.ssh"
    chmod 0600 "$root/$home/.ssh/authorized_keys"
done
chroot "$root" chown -R fleet:fleet /home/fleet/.ssh
rm -f "$root"/etc/ssh/ssh_host_*
(umask 077 && printf '%s\n' "$host_key" > "$root/etc/ssh/ssh_host_ed25519_key")
printf '%s\n' "$host_key_public" > "$root/etc/ssh/ssh_host_ed25519_key.pub"

# The address QEMU's user network gives its first guest: no DHCP client to wait for.
cat > "$root/etc/systemd/network/10-eth0.network" <<'NETWORK'
[Match]
Name=eth0
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
DNS=10.0.2.3
LinkLocalAddressing=no
IPv6AcceptRA=no
NETWORK
echo 'nameserver 10.0.2.3' > "$root/etc/resolv.conf"
printf '127.0.0.1 localhost\n127.0.1.1 web1 web2 web3 old1\n' > "$root/etc/hosts"
rm -f "$root/etc/hostname"
echo '/dev/vda / ext4 defaults,noatime 0 0' > "$root/etc/fstab"
mkdir -p "$root/var/log/journal" "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\n' > "$root/etc/systemd/journald.conf.d/fleetdiag-lab.conf"

chroot "$root" systemctl -q enable systemd-networkd.service ssh.service
for unit in apt-daily.timer apt-daily-upgrade.timer man-db.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer dpkg-db-backup.timer systemd-networkd-wait-online.service systemd-firstboot.service \
    getty@tty1.service serial-getty@ttyS0.service systemd-hwdb-update.service systemd-pcrphase.service \
    systemd-pcrmachine.service systemd-timesyncd.service logrotate.timer apache-htcacheclean.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# Started by whoever needs them; every service that a machine boots costs an emulated machine seconds.
for unit in haproxy.service ipvsadm.service nfs-server.service nfs-client.target nfs-blkmap.service rpcbind.service \
    rpcbind.socket rpc-statd.service rpc-statd-notify.service nfsdcld.service; do
    chroot "$root" systemctl -q disable "$unit" 2>/dev/null || true
done

if [ "$apache" = yes ]; then
    # A file that a slow client reads is kept open by the server, not mapped or handed to the kernel at once.
    cat > "$root/etc/apache2/conf-available/fleetdiag-lab.conf" <<'APACHE'
ServerName localhost
EnableMMAP Off
EnableSendfile Off
SendBufferSize 65536
APACHE
    chroot "$root" a2enconf -q fleetdiag-lab
    chroot "$root" systemctl -q disable apache2.service
    echo '<p>lab</p>' > "$root/var/www/html/index.html"
fi
