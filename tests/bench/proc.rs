//! What the kernel says of a process.

use std::fs::read_to_string;

/// Processor seconds used so far, user and system, in the kernel's hundredths.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    // The name in parentheses may hold spaces.
    let (_, after) = stat.rsplit_once(')').expect("a stat line");
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) / 100.0
}

fn status_mb(pid: u32, key: &str) -> f64 {
    let status = read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a known key");
    let kilobytes: f64 = line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().expect("kilobytes");
    kilobytes * 1024.0 / 1e6
}

/// Resident memory now, in MB (10⁶ bytes).
pub fn resident_mb(pid: u32) -> f64 {
    status_mb(pid, "VmRSS")
}

/// The most it ever was.
pub fn peak_mb(pid: u32) -> f64 {
    status_mb(pid, "VmHWM")
}
