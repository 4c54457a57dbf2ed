//! Shards of `mqtt bench` as jobs of GNU parallel and of Slurm, where these are installed: the scripts of `tests/engines`.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::bench::count;
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::{program, skip_here};

/// Whether a program is there; packages install daemons where only root looks for programs.
fn is_installed(name: &str) -> bool {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&own).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.into_iter().any(|folder| folder.join(name).is_file())
}

/// Runs a script with an embedded broker, and reads the merged report that it makes.
fn merged_by(script: &str) -> Value {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines").join(script);
    let output = Command::new(script)
        .arg(program())
        .arg(broker.port().to_string())
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&std::fs::read(folder.path().join("run.json")).unwrap()).unwrap()
}

fn is_whole(report: &Value) {
    let merged = &report["merged"];
    assert_eq!(
        (&merged["shards"], &merged["missing"], &merged["failed"]),
        (&json!(4), &json!([]), &json!([]))
    );
    assert_eq!((count(report, "sent"), count(report, "delivered"), count(report, "lost")), (400, 3200, 0));
}

#[test]
fn gnu_parallel_runs_shards() {
    if !is_installed("parallel") {
        return skip_here("GNU parallel is not installed");
    }
    is_whole(&merged_by("parallel.sh"));
}

/// Its daemons run as root here: they start each task as the user of the job.
#[test]
fn slurm_runs_shards() {
    if !["slurmctld", "slurmd", "sbatch", "munged"].into_iter().all(is_installed) {
        return skip_here("Slurm and munge are not installed");
    }
    if !rustix::process::geteuid().is_root() {
        return skip_here("slurmd needs root");
    }
    is_whole(&merged_by("slurm.sh"));
}

/// The manifests for Kubernetes are valid by the published schemas of its API.
#[test]
fn kubernetes_manifests_are_valid() {
    if !is_installed("kubernetes-validate") {
        return skip_here("kubernetes-validate is not installed");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/kubernetes");
    let files = ["namespace.yaml", "reports.yaml", "shards.yaml", "merge.yaml"].map(|name| folder.join(name));
    let output = Command::new("kubernetes-validate").arg("--strict").args(files).output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches(" passed for resource ").count(), 4, "{said}");
}
