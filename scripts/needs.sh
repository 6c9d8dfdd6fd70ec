# shellcheck shell=sh
# What a machine must have to build and test Rollcall, and how it gets there. `dev` reads this in.

oldest_redis=7.0
oldest_node=18
lists_are_new=

say() { printf 'dev: %s\n' "$*" >&2; }

die() {
    say "$@"
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

# install_packages PACKAGE…: through apt-get. Debian starts a daemon as soon as its package is
# installed, and again at boot; ours only needs the redis-server program. policy-rc.d is the
# documented way to forbid the first (deb-systemd-invoke(1p), invoke-rc.d(8)).
install_packages() {
    has apt-get || die "this system has no apt-get; please install what Debian calls: $*"
    say "installing $*"
    guard=/usr/sbin/policy-rc.d
    if [ -e "$guard" ]; then guard=; fi
    if [ -n "$guard" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
        as_root chmod 755 "$guard"
        trap 'as_root rm -f "$guard"' EXIT
        trap 'exit 130' INT TERM
    fi
    if [ -z "$lists_are_new" ]; then
        apt update -qq || say "the package lists could not all be brought up to date; trying all the same"
        lists_are_new=yes
    fi
    apt install -y -qq --no-install-recommends "$@" || die "installing failed: $*"
    if [ -n "$guard" ]; then
        as_root rm -f "$guard"
        trap - EXIT INT TERM
    fi
    case " $* " in
        *" redis-server "*)
            if [ -d /run/systemd/system ]; then as_root systemctl disable --quiet redis-server || true; fi
            ;;
    esac
}

# has_candidate PACKAGE: whether apt-get could install it. (`apt-cache show` also knows packages
# that others merely mention.)
has_candidate() {
    apt-cache policy "$1" 2>/dev/null | grep 'Candidate:' | grep -qv '(none)'
}

apt() {
    # A fresh machine often updates itself at first boot: wait for its lock.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2
}

can_compile() {
    has cc && printf '#include <stdio.h>\nint main(void) { return 0; }\n' \
        | cc -x c -o /dev/null - 2>/dev/null
}

has_libclang() {
    if [ -n "${LIBCLANG_PATH:-}" ]; then return 0; fi
    for library in /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*/libclang*.so* /usr/lib/libclang*.so* \
        /usr/lib64/libclang*.so*; do
        if [ -e "$library" ]; then return 0; fi
    done
    return 1
}

# need_packages WORD…: what building needs, and what the words need beyond it.
need_packages() {
    missing=
    can_compile || missing="$missing gcc libc6-dev"
    has_libclang || missing="$missing libclang-dev"
    for word in "$@"; do
        case $word in
            redis) has redis-server || missing="$missing redis-server" ;;
            node)
                has node || missing="$missing nodejs"
                has npm || missing="$missing npm"
                ;;
            python)
                has python3 || missing="$missing python3"
                # Debian ships Python's own `venv` module without what it needs to work.
                python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
                ;;
            ca-certificates)
                [ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
                ;;
            *) has "$word" || missing="$missing $word" ;;
        esac
    done
    # Words are split on purpose: each is one package.
    # shellcheck disable=SC2086
    if [ -n "$missing" ]; then install_packages $missing; fi
    case " $* " in *" redis "*) check_redis ;; esac
    case " $* " in *" node "*) check_node ;; esac
}

check_redis() {
    version=$(redis-server --version | sed -n 's/.*v=\([0-9.]*\).*/\1/p')
    at_least "${version:-0}" "$oldest_redis" || die "redis-server ${version:-of unknown version} is too old:" \
        "Rollcall needs $oldest_redis or newer (https://redis.io/docs/latest/operate/oss_and_stack/install/)"
}

check_node() {
    version=$(node --version | sed 's/^v//')
    at_least "$version" "$oldest_node" || die "Node $version is too old for the tests: they need $oldest_node" \
        "or newer (https://nodejs.org)"
}

# === Rust ===

need_rust() {
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    cargo_bin=${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
    if rust_is_new_enough; then return 0; fi
    if [ -x "$cargo_bin/cargo" ] || [ -x "$cargo_bin/rustup" ]; then
        PATH=$cargo_bin:$PATH
        export PATH
        if rust_is_new_enough; then return 0; fi
    fi
    if ! has cargo && ! has rustup && has apt-get; then
        if has_candidate rustup; then install_packages rustup; fi
    fi
    if has rustup; then
        say "installing Rust's stable toolchain with rustup"
        rustup toolchain install stable --profile minimal --component clippy --component rustfmt >&2 \
            || no_rust "rustup could not fetch a toolchain"
        RUSTUP_TOOLCHAIN=stable
        export RUSTUP_TOOLCHAIN
    else
        install_rustup
    fi
    rust_is_new_enough || no_rust "the installed cargo is still older than $wanted"
}

rust_is_new_enough() {
    version=$(cargo --version 2>/dev/null | awk '{ print $2 }') || return 1
    [ -n "$version" ] && at_least "$version" "$wanted"
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
