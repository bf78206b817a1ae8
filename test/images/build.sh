#!/usr/bin/env bash
# Builds a small router image for tests: build.sh OUT
#
# OUT is a tar with a kernel and its initial file system, from packages that are installed: linux-image-cloud-amd64,
# busybox-static, bird2 (and cpio for the archive). See README.md here.
set -euo pipefail
out=$(realpath "$1")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

kernel=$(find /boot -maxdepth 1 -name 'vmlinuz-*-cloud-amd64' | sort -V | tail -n 1)
[[ -n $kernel ]] || { echo 'install linux-image-cloud-amd64' >&2; exit 1; }
for program in busybox bird birdc cpio; do
  command -v "$program" > /dev/null || { echo "install busybox-static, bird2 and cpio: there is no $program" >&2; exit 1; }
done
version=${kernel#/boot/vmlinuz-}

work=$(mktemp --directory)
trap 'rm --recursive --force "$work"' EXIT
root=$work/root
mkdir --parents "$root"/{bin,dev,modules}
install "$here/init" "$root/init"
install "$(command -v busybox)" "$root/bin/busybox"

# Each module once, after those that it needs.
for module in virtio_pci virtio_net virtio_blk isofs; do
  modprobe --set-version "$version" --show-depends "$module"
done | sed --quiet 's/^insmod //p' | awk '!seen[$1]++ { print $1 }' | while read -r path; do
  cp "$path" "$root/modules/"
  basename "$path" >> "$root/modules/order"
done

# With the libraries that they load, at the same paths.
for program in bird birdc; do
  path=$(command -v "$program")
  install -D "$path" "$root/usr/sbin/$program"
  ldd "$path" | grep --only-matching '/[^ ]*' | while read -r library; do
    install -D "$library" "$root$library"
  done
done

find "$root" -exec touch --no-dereference --date=@0 {} +
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet --create --format=newc --reproducible --owner=0:0) |
  gzip -9 --no-name > "$work/initrd"
cp "$kernel" "$work/kernel"
echo 'console=ttyS0 quiet net.ifnames=0 panic=1 random.trust_cpu=on nokaslr mitigations=off' > "$work/cmdline"
tar --create --file="$out.part.$$" --directory="$work" --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 \
  --numeric-owner cmdline initrd kernel
mv "$out.part.$$" "$out"
