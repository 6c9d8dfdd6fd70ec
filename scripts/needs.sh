# shellcheck shell=sh
# What a machine must have to build and test Rollcall, and how it gets there. `dev` reads this in.
#
# A file of the right name may be another library, too old, or a stub, so each thing is tried for
# what it is used for. Where the first in PATH does not serve, one behind it does; then the
# system's package is tried; and then a sentence says what was found, where, and what is needed.

oldest_redis=7.0
oldest_node=18
oldest_python=3.9
# In place of / in tests.
root=
tools=$target/tools
# What was last found wanting.
fault=
lists_are_new=
. scripts/libclang.sh

say() { printf 'dev: %s\n' "$*" >&2; }

die() {
    say "$@"
    rm -f "$tools/probe.$$"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# at_least HAVE WANT: whether version HAVE is WANT or newer, by its first two numbers.
at_least() {
    printf '%s %s\n' "$1" "$2" | awk '{
        split($1, have, "."); split($2, want, ".")
        exit !(have[1] + 0 > want[1] + 0 || (have[1] + 0 == want[1] + 0 && have[2] + 0 >= want[2] + 0))
    }'
}

# need_packages WORD…: what building needs, and what the words need beyond it.
need_packages() {
    mkdir -p "$tools" || die "the build needs to write to $target"
    missing=
    for word in cc libclang "$@"; do
        if has_word "$word"; then continue; fi
        case $fault in "there is no"*) ;; *) say "$fault" ;; esac
        missing="$missing $(packages_of "$word")"
    done
    if [ -n "$missing" ]; then
        # Words are split on purpose: each is one package.
        # shellcheck disable=SC2086
        install_packages $missing
        for word in cc libclang "$@"; do
            has_word "$word" || die "$fault$(source_of "$word")"
        done
    fi
    rm -f "$tools/probe.$$"
}

has_word() {
    case $1 in
        libclang) has_libclang ;;
        redis) find_tool redis-server ;;
        node) find_tool node && find_tool npm ;;
        python) find_tool python3 ;;
        ca-certificates) has_certificates ;;
        *) find_tool "$1" ;;
    esac
}

# packages_of WORD: what Debian calls it.
packages_of() {
    case $1 in
        cc) echo gcc libc6-dev ;;
        libclang) echo libclang-dev ;;
        redis) echo redis-server ;;
        redis-cli) echo redis-tools ;;
        node) echo nodejs npm ;;
        # Debian ships Python's own `venv` module without what it needs to work.
        python) echo python3 python3-venv ;;
        *) echo "$1" ;;
    esac
}

# source_of WORD: where to get what this system is too old for.
source_of() {
    case $1 in
        redis) echo " (https://redis.io/docs/latest/operate/oss_and_stack/install/)" ;;
        node) echo " (https://nodejs.org)" ;;
        python) echo " (https://www.python.org)" ;;
    esac
}

# === Tools ===

# find_tool NAME: whether a program NAME in PATH serves. If it is not the first of its name, it is
# linked into a folder before all others.
find_tool() {
    first=
    first_fault=
    IFS=:
    for folder in $PATH; do
        unset IFS
        program=${folder:-.}/$1
        if [ ! -f "$program" ] || [ ! -x "$program" ]; then continue; fi
        if serves "$1" "$program"; then
            if [ -n "$first" ]; then use_tool "$1" "$program"; fi
            return 0
        fi
        if [ -z "$first" ]; then first=$program first_fault=$fault; fi
    done
    unset IFS
    fault=${first_fault:-"there is no $1"}
    return 1
}

use_tool() {
    say "$first_fault; using $2"
    ln -sf "$2" "$tools/$1"
    case $PATH in "$tools":*) ;; *) PATH=$tools:$PATH ;; esac
    export PATH
}

# serves NAME PROGRAM: whether PROGRAM does what a NAME is needed for.
serves() {
    case $1 in
        cc) can_compile "$2" ;;
        # Valkey's says its version in the same words.
        redis-server) is_recent "$1" "$2" "$oldest_redis" \
            "$("$2" --version </dev/null 2>/dev/null | sed -n 's/.*v=\([0-9.]*\).*/\1/p')" ;;
        node) is_recent "$1" "$2" "$oldest_node" \
            "$("$2" --version </dev/null 2>/dev/null | sed -n 's/^v\([0-9.]*\).*/\1/p')" ;;
        cargo | rustc) is_recent "$1" "$2" "$wanted" \
            "$("$2" --version </dev/null 2>/dev/null | awk -v name="$1" '$1 == name { print $2 }')" ;;
        python3) has_venv "$2" ;;
        *)
            fault="the $1 at $2 does not even tell its version"
            "$2" --version </dev/null >/dev/null 2>&1
            ;;
    esac
}

# is_recent NAME PROGRAM OLDEST VERSION
is_recent() {
    fault="the $1 at $2 is ${4:-of unknown version}: $3 or newer is needed"
    at_least "${4:-0}" "$3"
}

has_venv() {
    is_recent python3 "$1" "$oldest_python" \
        "$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' </dev/null 2>/dev/null)" || return 1
    fault="the python3 at $1 lacks its modules venv and ensurepip"
    "$1" -c 'import ensurepip, venv' </dev/null 2>/dev/null
}

has_certificates() {
    fault="there is no file with the certificates of authorities"
    for file in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
        /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
        if [ -n "$file" ] && [ -s "$root$file" ]; then return 0; fi
    done
    return 1
}

# can_compile PROGRAM: builds the program that tries libclang, with the libraries that every Rust
# program is linked with, and starts it.
can_compile() {
    if ! said=$(probe_source | "$1" -x c -o "$tools/probe.$$" - -lgcc_s -lutil -lrt -lpthread -lm -ldl 2>&1); then
        fault="the C compiler $1 cannot build a program: $(printf '%s\n' "$said" | grep -m 1 -i error || echo "$said")"
        return 1
    fi
    fault="what the C compiler $1 builds does not run here"
    "$tools/probe.$$" >/dev/null 2>&1
}

# === Packages of the system ===

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        die "installing packages needs root: become root or install sudo, then run this again"
    fi
}

# install_packages PACKAGE…: those that are not there yet, through apt-get. What is there is left
# alone: it may serve others, and be a daemon that runs.
install_packages() {
    has apt-get || die "this system has no apt-get; please install what Debian calls: $*"
    for package in "$@"; do
        shift
        is_installed "$package" || set -- "$@" "$package"
    done
    if [ $# -eq 0 ]; then return 0; fi
    say "installing $*"
    forbid_daemons
    if [ -z "$lists_are_new" ]; then
        apt update -qq || say "the package lists could not all be brought up to date; trying all the same"
        lists_are_new=yes
    fi
    apt install -y -qq --no-install-recommends --no-remove "$@" || die "installing failed: $*"
    allow_daemons
    case " $* " in
        *" redis-server "*)
            if [ -d "$root/run/systemd/system" ]; then as_root systemctl disable --quiet redis-server || true; fi
            ;;
    esac
}

# Debian starts a daemon as soon as its package is installed, and again at boot; ours only needs
# the redis-server program. policy-rc.d is the documented way to forbid the first
# (deb-systemd-invoke(1p), invoke-rc.d(8)). Should this process be killed, its file allows
# everything from then on, and the next run takes it away.
forbid_daemons() {
    guard=$root/usr/sbin/policy-rc.d
    mark="# Rollcall's dev installs packages"
    if [ -e "$guard" ] && { ! grep -qsx "$mark" "$guard" || ! sh "$guard"; }; then
        # Another's, or that of a run beside this one.
        guard=
        return 0
    fi
    trap allow_daemons EXIT
    trap 'exit 130' HUP INT TERM
    printf '#!/bin/sh\n%s\nif grep -qs dev /proc/%s/cmdline; then exit 101; fi\n' "$mark" $$ \
        | as_root tee "$guard" >/dev/null
    as_root chmod 755 "$guard"
}

allow_daemons() {
    trap - EXIT HUP INT TERM
    if [ -n "$guard" ]; then as_root rm -f "$guard"; fi
}

# Status words are dpkg's own.
# shellcheck disable=SC2016
is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# has_candidate PACKAGE: whether apt-get could install it. (`apt-cache show` also knows packages
# that others merely mention.)
has_candidate() {
    apt-cache policy "$1" 2>/dev/null | grep 'Candidate:' | grep -qv '(none)'
}

apt() {
    # A fresh machine often updates itself at first boot: wait for its lock.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2
}

# === Rust ===

need_rust() {
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    cargo_bin=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
    if has_rust; then return 0; fi
    if [ -x "$cargo_bin/cargo" ] || [ -x "$cargo_bin/rustup" ]; then
        PATH=$cargo_bin:$PATH
        export PATH
        if has_rust; then return 0; fi
    fi
    case $fault in "there is no"*) ;; *) say "$fault" ;; esac
    # Debian's rustup takes the place of its cargo, which stays.
    if ! has rustup && has apt-get && ! is_installed cargo && ! is_installed rustc && has_candidate rustup; then
        install_packages rustup
    fi
    if has rustup; then
        say "installing Rust's stable toolchain with rustup"
        rustup toolchain install stable --profile minimal --component clippy --component rustfmt >&2 \
            || no_rust "rustup could not fetch a toolchain"
        # Before a cargo that is a stub or another's.
        PATH=$(dirname "$(RUSTUP_TOOLCHAIN=stable rustup which cargo)"):$PATH
        export PATH
    else
        install_rustup
    fi
    has_rust || no_rust "$fault"
}

# has_rust: whether the cargo and the rustc that come first serve: they have to be of one kind.
has_rust() {
    for name in cargo rustc; do
        fault="there is no $name"
        has "$name" && serves "$name" "$(command -v "$name")" || return 1
    done
}

install_rustup() {
    if ! has curl && ! has apt-get; then no_rust "there is no cargo, and no curl to fetch it with"; fi
    need_packages curl ca-certificates
    say "installing Rust with rustup into ${cargo_bin%/bin}"
    script=$(mktemp)
    if ! curl --proto '=https' --tlsv1.2 -fsS -o "$script" https://sh.rustup.rs; then
        rm -f "$script"
        no_rust "https://sh.rustup.rs cannot be reached"
    fi
    RUSTUP_INIT_SKIP_PATH_CHECK=yes sh "$script" -y -q --no-modify-path --profile minimal \
        --default-toolchain stable -c clippy -c rustfmt >&2 || no_rust "the rustup installer failed"
    rm -f "$script"
    PATH=$cargo_bin:$PATH
    export PATH
}

no_rust() {
    die "$1. Please install Rust $wanted or newer yourself (https://rustup.rs, or rust and cargo" \
        "from your system), make sure that 'cargo' is found, and run this again"
}

need_component() {
    if cargo "$1" --version >/dev/null 2>&1; then return 0; fi
    say "installing Rust's $2"
    { has rustup && rustup component add "$2" >&2; } || die "'cargo $1' is missing: please install $2"
}
