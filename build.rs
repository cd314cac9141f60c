//! How the program is linked.

use std::process::Command;

/// From glibc 2.36 on a program may carry its relocations packed: 1.6 MB that every process reads at its start become
/// a twentieth of that.
fn packs_relocations() -> bool {
    let glibc = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok();
    let glibc = glibc.and_then(|said| String::from_utf8(said.stdout).ok()).unwrap_or_default();
    let mut version = glibc.trim().trim_start_matches("glibc ").split('.').map(str::parse::<u32>);
    matches!((version.next(), version.next()), (Some(Ok(2)), Some(Ok(36..))))
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("HOST") == std::env::var("TARGET") && packs_relocations() {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
