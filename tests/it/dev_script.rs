//! `dev` and look-alikes: what has the right name and does not serve is not taken for the thing.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// Programs of the real machine that the script and a C compiler need.
const REAL: &[&str] = &[
    "sh", "as", "awk", "cat", "cc", "chmod", "env", "grep", "head", "ld", "ln", "ls", "mkdir",
    "mv", "od", "rm", "sed", "sort", "tee",
];

/// A machine whose PATH has only what a test puts there. Its `apt-get` says what it was asked
/// for, and takes programs from the folder `packages`.
struct Machine {
    dir: TempDir,
}

// === impl Machine ===

impl Machine {
    fn new() -> Self {
        let machine =
            Self { dir: tempfile::tempdir().expect("there is a folder for temporary files") };
        for dir in ["local", "usr/bin", "usr/sbin", "packages", "target"] {
            fs::create_dir_all(machine.path(dir)).expect("it is new");
        }
        for name in REAL {
            symlink(real(name), machine.path("usr/bin").join(name)).expect("it is new");
        }
        machine.program("usr/bin/id", "echo 0");
        machine.program("usr/bin/dpkg-query", "exit 1");
        let root = machine.dir.path().display().to_string();
        machine.program(
            "usr/bin/apt-get",
            &format!("echo \"asked: $*\"\n[ \"$3\" != install ] || mv '{root}'/packages/* '{root}/usr/bin'"),
        );
        machine
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn program(&self, path: &str, text: &str) {
        fs::write(self.path(path), format!("#!/bin/sh\n{text}\n")).expect("the folder is there");
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755))
            .expect("it is ours");
    }

    /// A library with these first bytes.
    fn library(&self, path: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be made");
        fs::write(&path, bytes).expect("the folder is there");
        path
    }

    /// What `script` says when it runs with the functions of `dev`.
    fn shell(&self, script: &str, variables: &[(&str, &Path)]) -> String {
        let output = self.output(script, variables);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).expect("messages are text");
        format!("{text}{}", output.status.code().expect("it ends by itself"))
    }

    fn output(&self, script: &str, variables: &[(&str, &Path)]) -> Output {
        let read = "set -eu; root=; target=$1; . scripts/needs.sh; root=$2";
        Command::new("/bin/sh")
            .args(["-c", &format!("{read}; {script}"), "dev"])
            .args([self.path("target").as_path(), self.dir.path()])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .stdin(Stdio::null())
            .env_clear()
            .env(
                "PATH",
                std::env::join_paths([self.path("local"), self.path("usr/bin")]).expect("no colon"),
            )
            .envs(variables.iter().copied())
            .output()
            .expect("there is a shell")
    }
}

/// Where the machine has a program.
fn real(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("there is a PATH");
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is in PATH"))
}

/// A libclang of the machine: the tests run where the module was built.
fn real_libclang(machine: &Machine) -> PathBuf {
    let script = "root=; mkdir -p \"$tools\"; can_compile cc; unset IFS; libclang_files";
    let own = std::env::var_os("LIBCLANG_PATH").map(PathBuf::from);
    let own: Vec<_> = own.iter().map(|path| ("LIBCLANG_PATH", path.as_path())).collect();
    let found = String::from_utf8(machine.output(script, &own).stdout).expect("paths are text");
    PathBuf::from(found.lines().next().expect("the machine has a libclang"))
}

const LIBCLANG: &str = "mkdir -p \"$tools\"; can_compile cc; \
    if has_libclang; then echo found; else echo \"not: $fault\"; fi; echo \"${LIBCLANG_PATH:-}\"";

#[test]
fn a_libclang_cpp_is_no_libclang() {
    let machine = Machine::new();
    machine.library("usr/lib/llvm-14/lib/libclang-cpp.so.14", b"\x7fELF\x02");
    machine.library("usr/lib/libclangAST.so", b"\x7fELF\x02");
    symlink("nowhere", machine.path("usr/lib/libclang-9.so")).expect("it is new");
    assert_eq!(machine.shell(LIBCLANG, &[]), "not: there is no libclang\n\n0");
}

#[test]
fn a_libclang_of_another_machine_is_named() {
    let machine = Machine::new();
    let class = if cfg!(target_pointer_width = "64") { b"\x7fELF\x01" } else { b"\x7fELF\x02" };
    let file = machine.library("usr/lib/other-linux-gnu/libclang-14.so.1", class);
    let expected = format!("not: {} is no library of this machine\n\n0", file.display());
    assert_eq!(machine.shell(LIBCLANG, &[]), expected);
}

#[test]
fn a_libclang_that_cannot_be_loaded_is_passed_over() {
    let machine = Machine::new();
    let broken = machine.library("usr/lib/llvm-99/lib/libclang-99.so", b"\x7fELF\x02");
    assert!(
        machine
            .shell(LIBCLANG, &[])
            .starts_with(&format!("not: {} cannot be used", broken.display()))
    );
    let good = real_libclang(&machine);
    let folder = good.parent().expect("it has a folder");
    // clang-sys would take the newer one.
    let said = machine.shell(LIBCLANG, &[("LD_LIBRARY_PATH", folder)]);
    assert!(said.contains(&format!("found\n{}/libclang", folder.display())), "{said}");
}

#[test]
fn libclang_path_is_a_file_or_a_folder_or_wrong() {
    let machine = Machine::new();
    let good = real_libclang(&machine);
    for path in [good.as_path(), good.parent().expect("it has a folder")] {
        let found = format!("found\n{}\n0", path.display());
        assert_eq!(machine.shell(LIBCLANG, &[("LIBCLANG_PATH", path)]), found);
    }
    let wrong = machine.path("packages");
    machine.library("packages/libclang-cpp.so.14", b"\x7fELF\x02");
    let said = machine.shell(LIBCLANG, &[("LIBCLANG_PATH", &wrong)]);
    assert!(
        said.contains(&format!("LIBCLANG_PATH is {}: it is no libclang", wrong.display())),
        "{said}"
    );
    assert!(said.ends_with('1'), "{said}");
}

const REDIS: &str = "has_libclang() { :; }; need_packages redis; command -v redis-server";

#[test]
fn a_redis_server_that_does_not_serve_gives_way_to_the_systems() {
    let old = "echo 'Redis server v=6.2.1 sha=00000000:0'";
    for (found, version) in [(old, "6.2.1"), ("exit 1", "of unknown version")] {
        let machine = Machine::new();
        machine.program("local/redis-server", found);
        machine.program("packages/redis-server", "echo 'Redis server v=7.0.15 sha=00000000:0'");
        let said = machine.shell(REDIS, &[]);
        let named = format!(
            "the redis-server at {} is {version}: 7.0 or newer is needed",
            machine.path("local/redis-server").display()
        );
        assert!(said.contains(&named), "{said}");
        assert!(
            said.contains("install -y -qq --no-install-recommends --no-remove redis-server"),
            "{said}"
        );
        assert!(
            said.contains(&format!("{}\n", machine.path("target/tools/redis-server").display())),
            "{said}"
        );
        assert!(said.ends_with('0'), "{said}");
        // The next time nothing is asked for.
        assert!(!machine.shell(REDIS, &[]).contains("asked"));
    }
}

#[test]
fn a_system_that_has_nothing_better_is_told_what_is_needed() {
    let machine = Machine::new();
    machine.program("usr/bin/redis-server", "echo 'Redis server v=6.2.1 sha=00000000:0'");
    // Its package is there already, and perhaps somebody's running server.
    machine.program("usr/bin/dpkg-query", "printf installed");
    let said = machine.shell(REDIS, &[]);
    assert!(said.contains("is 6.2.1: 7.0 or newer is needed"), "{said}");
    assert!(!said.contains("asked"), "{said}");
    assert!(said.ends_with('1'), "{said}");
}

#[test]
fn stubs_are_told_from_tools() {
    for (name, word, package) in [
        ("node", "node", "nodejs npm"),
        ("npm", "node", "nodejs npm"),
        ("python3", "python", "python3 python3-venv"),
        ("curl", "curl", "curl"),
        ("cc", "", "gcc libc6-dev"),
    ] {
        let machine = Machine::new();
        machine.program("usr/bin/node", "echo v20.1.0");
        machine.program("usr/bin/npm", "echo 9");
        fs::remove_file(machine.path("usr/bin").join(name)).ok();
        machine.program(&format!("usr/bin/{name}"), "echo 'no version is set' >&2; exit 126");
        let said = machine.shell(&format!("has_libclang() {{ :; }}; need_packages {word}"), &[]);
        assert!(
            said.contains(&format!("{} ", machine.path("usr/bin").join(name).display())),
            "{said}"
        );
        assert!(
            said.contains(&format!(
                "install -y -qq --no-install-recommends --no-remove {package}\n"
            )),
            "{said}"
        );
        assert!(said.ends_with('1'), "{said}");
    }
}

#[test]
fn an_old_node_and_a_python_without_venv_are_named() {
    let machine = Machine::new();
    machine.program("local/node", "echo v16.20.2");
    machine.program("local/python3", "case $2 in *version_info*) echo 3.11 ;; *) exit 1 ;; esac");
    let script = |word: &str| format!("find_tool {word} || echo \"$fault\"");
    let node = machine.path("local/node");
    let expected = format!("the node at {} is 16.20.2: 18 or newer is needed\n0", node.display());
    assert_eq!(machine.shell(&script("node"), &[]), expected);
    let python = machine.path("local/python3");
    let expected =
        format!("the python3 at {} lacks its modules venv and ensurepip\n0", python.display());
    assert_eq!(machine.shell(&script("python3"), &[]), expected);
}

#[test]
fn a_cargo_that_is_a_stub_is_not_taken() {
    let machine = Machine::new();
    machine.program("local/cargo", "echo 'error: no default toolchain' >&2; exit 1");
    machine.program("local/rustc", "echo 'rustc 1.99.0 (abc 2030-01-01)'");
    let script = "wanted=1.88; has_rust && echo yes || echo \"$fault\"";
    let cargo = machine.path("local/cargo");
    let expected = format!(
        "the cargo at {} is of unknown version: 1.88 or newer is needed\n0",
        cargo.display()
    );
    assert_eq!(machine.shell(script, &[]), expected);
    machine.program("local/cargo", "echo 'cargo 1.88.0 (abc 2025-01-01)'");
    assert_eq!(machine.shell(script, &[]), "yes\n0");
}

#[test]
fn what_forbids_daemons_to_start_goes_when_installing_ends() {
    let guard = "usr/sbin/policy-rc.d";
    for how in ["exit 0", "exit 1", "kill -TERM $PPID", "kill -HUP $PPID"] {
        let machine = Machine::new();
        machine.program("usr/bin/apt-get", &format!("[ \"$3\" != install ] || {{ {how}; }}"));
        machine.shell("install_packages something", &[]);
        assert!(!machine.path(guard).exists(), "after {how}");
    }
    // One that was killed leaves it: it forbids nothing from then on, and the next run removes it.
    let machine = Machine::new();
    machine.program("usr/bin/apt-get", "[ \"$3\" != install ] || kill -KILL $PPID");
    let killed = machine.output("install_packages something", &[]);
    assert!(killed.status.code().is_none() && machine.path(guard).exists());
    assert!(Command::new("sh").arg(machine.path(guard)).status().expect("a shell").success());
    machine.program("usr/bin/apt-get", "exit 0");
    machine.shell("install_packages something", &[]);
    assert!(!machine.path(guard).exists());
    // Another's stays.
    machine.program(guard, "exit 101");
    machine.shell("install_packages something", &[]);
    assert!(machine.path(guard).exists());
}
