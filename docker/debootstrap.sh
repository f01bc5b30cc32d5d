# Sourced by the scripts that build images: a base image from the Debian packages of this machine's own mirror.
# mirror SUITE: where this machine gets its packages from: the first http(s) source of its distribution
mirror() {
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -nE 's/^deb (\[[^]]*\] )?(https?:[^ ]+) '"$1"' .*/\2/p'
      sed -nE 's/^URIs: *(https?:[^ ]+).*/\1/p' /etc/apt/sources.list.d/{debian,ubuntu}.sources 2>/dev/null; } | head -n 1
}

# import_base NAME PACKAGES: prints the name of an image made by debootstrap with these packages; the engine may have it already
import_base() {
    [ "$(id -u)" = 0 ] || die "debootstrap needs root: sudo $0, or give a base: $0 --base debian:bookworm-slim"
    command -v debootstrap >/dev/null || die "debootstrap is missing: sudo apt-get install debootstrap"
    local name=$1 packages=$2 suite root url
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:?}")
    # the packages are in its name: the same ones are fetched once
    name=$name:$suite-$(printf '%s' "$packages" | sha256sum | cut -c1-8)
    if docker image inspect "$name" >/dev/null 2>&1; then
        echo "$name"
        return
    fi
    url=$(mirror "$suite")
    root=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "umount -l '$root' 2>/dev/null; rm -rf --one-file-system '$root'" EXIT
    mount -t tmpfs -o size=3g,mode=0755 none "$root" || true # dpkg syncs every file: minutes on a disk
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" "${url:-http://deb.debian.org/debian}" >&2
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/debootstrap
    rm -rf "$root"/usr/share/{doc,man,info}/* "$root"/dev/* "$root"/proc/* "$root"/sys/*
    tar -C "$root" --numeric-owner -c . | docker import - "$name" >&2
    echo "$name"
}
