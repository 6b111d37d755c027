#!/bin/sh
# Give https://chat.example a name, a certificate of an authority that this machine trusts, and a
# proxy that terminates TLS and forwards to the site on port 8080.
set -eu
cd /opt/proxy
[ ! -f site.crt ] || exit 0
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Test authority" \
    -addext keyUsage=critical,keyCertSign -keyout ca.key -out ca.crt 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj "/CN=chat.example" -keyout site.key -out site.csr 2>/dev/null
printf "subjectAltName=DNS:chat.example\nauthorityKeyIdentifier=keyid\n" >names
openssl x509 -req -in site.csr -CA ca.crt -CAkey ca.key -days 2 -extfile names -out site.crt 2>/dev/null
cp ca.crt /usr/local/share/ca-certificates/
cat ca.crt >>/etc/ssl/certs/ca-certificates.crt

# Every program of the machine and of its containers asks this name server.
upstream=$(sed -n 's/^nameserver //p' /etc/resolv.conf | head -n 1)
address=$(hostname -I | cut -d' ' -f1)
printf 'no-resolv\nserver=%s\naddress=/chat.example/%s\nbind-interfaces\nlisten-address=%s\n' \
    "$upstream" "$address" "$address" >/etc/dnsmasq.d/site.conf
echo "nameserver $address" >/etc/resolv.conf
systemctl start dnsmasq
cp nginx.conf /etc/nginx/conf.d/tls.conf
rm -f /etc/nginx/sites-enabled/default
systemctl restart nginx
systemctl restart docker
