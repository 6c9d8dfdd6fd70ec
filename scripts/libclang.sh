# shellcheck shell=sh
# Whether the build will find a libclang, and one that works. `needs.sh` reads this in.

# has_libclang: whether the crate clang-sys, by which the module's build reads redismodule.h, will
# find a libclang that can read C. It takes the newest and tries no other, so where one of several
# cannot be used it is told of one that can.
has_libclang() {
    fault="there is no C compiler to try libclang with"
    if [ ! -x "$tools/probe.$$" ]; then return 1; fi
    fault="there is no libclang"
    if [ -n "${LIBCLANG_PATH:-}" ]; then fault="it is no libclang and no folder with one"; else unset LIBCLANG_PATH; fi
    class=$(elf_class /bin/sh)
    good=
    bad=
    files=$(libclang_files)
    while read -r file; do
        if [ "$(elf_class "$file")" != "$class" ]; then
            if [ -n "$file" ]; then fault="$file is no library of this machine"; fi
        elif said=$(try_libclang "$file"); then
            good=$file
        else
            bad=$file
            fault="$file cannot be used: ${said:-it ends the program that tries}"
        fi
    done <<EOF
$files
EOF
    if [ -z "$good" ]; then
        # clang-sys looks nowhere else then.
        [ -z "${LIBCLANG_PATH:-}" ] || die "LIBCLANG_PATH is $LIBCLANG_PATH: $fault. Unset it, or name a" \
            "libclang.so or its folder"
        return 1
    fi
    if [ -n "$bad" ]; then
        say "$fault; using $good"
        LIBCLANG_PATH=$good
        export LIBCLANG_PATH
    fi
}

# libclang_files: what clang-sys 1.9 may load, each file once, though it may have many names.
libclang_files() {
    if [ -n "${LIBCLANG_PATH:-}" ]; then
        set -- "$LIBCLANG_PATH" "$LIBCLANG_PATH"/libclang[.-]*
    else
        prefix=$("${LLVM_CONFIG_PATH:-llvm-config}" --prefix 2>/dev/null | head -n 1)
        IFS=:
        # Both are lists, split on purpose.
        # shellcheck disable=SC2086
        set -- ${LD_LIBRARY_PATH:-} ${LIBRARY_PATH:-}
        unset IFS
        for folder in ${prefix:+"$prefix/bin" "$prefix/lib" "$prefix/lib64"} "$@"; do
            set -- "$@" "${folder:-.}"/libclang[.-]*
        done
        set -- "$@" "$root"/usr/local/llvm*/lib*/libclang[.-]* "$root"/usr/local/lib*/libclang[.-]* \
            "$root"/usr/local/lib*/*/libclang[.-]* "$root"/usr/local/lib*/*/*/libclang[.-]* \
            "$root"/usr/lib*/libclang[.-]* "$root"/usr/lib*/*/libclang[.-]* "$root"/usr/lib*/*/*/libclang[.-]*
    fi
    for file in "$@"; do
        shift
        case ${file##*/} in
            *-cpp.*) ;;
            libclang.so | libclang-*.so | libclang.so.* | libclang-*.so.*) set -- "$@" "$file" ;;
        esac
    done
    if [ $# -eq 0 ]; then return 0; fi
    # Links that lead nowhere are left out by ls.
    # shellcheck disable=SC2012
    ls -1diL -- "$@" 2>/dev/null | sort -u -k 1,1 | sed 's/^ *[0-9]* //'
}

# elf_class FILE: its first five bytes, by which clang-sys tells a library for 64 bits from others.
elf_class() { od -An -tx1 -N5 "$1" 2>/dev/null; }

# try_libclang FILE: whether it can be loaded and finds the headers that belong to it, or those of
# a clang, which bindgen asks for them; says what is wrong.
try_libclang() {
    # What is in the variable is split as bindgen does, at spaces.
    # shellcheck disable=SC2086
    "$tools/probe.$$" "$1" ${BINDGEN_EXTRA_CLANG_ARGS:-} 2>&1 && return 0
    headers=$("${CLANG_PATH:-clang}" -print-resource-dir 2>/dev/null) || return 1
    # shellcheck disable=SC2086
    "$tools/probe.$$" "$1" ${BINDGEN_EXTRA_CLANG_ARGS:-} -isystem "$headers/include" >/dev/null 2>&1
}

probe_source() {
    cat <<'C'
#include <dlfcn.h>
#include <stdio.h>
struct text { const void *data; unsigned flags; };
struct file { const char *name, *contents; unsigned long length; };
int main(int count, char **args) {
    if (count < 2) return 0;
    void *library = dlopen(args[1], RTLD_LAZY);
    if (!library) return puts(dlerror()), 1;
    void *(*index)(int, int) = dlsym(library, "clang_createIndex");
    void *(*parse)(void *, const char *, char **, int, struct file *, unsigned, unsigned) =
        dlsym(library, "clang_parseTranslationUnit");
    void *(*diagnostic)(void *, unsigned) = dlsym(library, "clang_getDiagnostic");
    struct text (*format)(void *, unsigned) = dlsym(library, "clang_formatDiagnostic");
    const char *(*string)(struct text) = dlsym(library, "clang_getCString");
    if (!index || !parse || !diagnostic || !format || !string) return puts("it lacks functions of libclang"), 1;
    const char *header = "#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n";
    struct file probe = {"probe.h", header, 0};
    while (header[probe.length]) probe.length++;
    void *unit = parse(index(0, 0), probe.name, args + 2, count - 2, &probe, 1, 0);
    if (!unit) return puts("it cannot read C"), 1;
    void *first = diagnostic(unit, 0);
    if (first) return puts(string(format(first, 0))), 1;
    return 0;
}
C
}
