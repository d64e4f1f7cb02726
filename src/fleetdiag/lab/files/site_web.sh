# SPDX-License-Identifier: GPL-3.0-or-later
# A web server whose document root is on the file server. Set before this text: server, root (what that exports).
mountpoint -q /var/www/html || mount -t nfs -o vers=4.2,ro,noatime,actimeo=3 "$server:$root" /var/www/html
systemctl start apache2.service
