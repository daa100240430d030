//! Child processes that end with this one, however it ends.
//!
//! Statics are never dropped and a killed process runs no destructor, so `Drop` alone leaks. A [`Lifeline`] is a
//! small shell at the other end of a pipe: when the pipe closes, by drop, exit, abort or SIGKILL, it kills the
//! process group that it watches and removes the group's folder. It is a group of its own, so Ctrl-C on the
//! terminal does not reach it before its work is done.

use std::{
    fs::{self, OpenOptions},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use tokio::time::sleep;

/// A child that writes its output to a log file and is killed on drop.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` in `group` (`None`: at the head of a new one), its output appended to `log`.
    pub(crate) fn spawn(command: &mut Command, group: Option<u32>, log: &Path) -> Self {
        let output = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let child = command
            .process_group(group.unwrap_or(0).try_into().unwrap())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", command.get_program().display()));
        Self { child, log: log.to_owned() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it where it stands, and returns when each of its threads has stopped: the signal reaches one of them,
    /// which has the others stop, and on a busy machine they answer a few more calls until then.
    pub(crate) async fn freeze(&self) {
        self.signal("STOP");
        for _ in 0..2000 {
            if !self.runs() {
                return;
            }
            sleep(Duration::from_millis(1)).await;
        }
        panic!("process {} does not stop", self.id());
    }

    /// Undoes [`Self::freeze`].
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// Sends the signal of this name (`TERM`).
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("sh").args(["-c", r#"kill -s "$0" "$1""#, name, &self.id().to_string()]).status().unwrap();
        assert!(sent.success(), "kill -s {name}: {sent}");
    }

    /// The memory that it holds.
    pub(crate) fn resident_bytes(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    fn runs(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        threads.flatten().any(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            // "<id> (<name>) <state> …"; a name may hold anything.
            stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('T'))
        })
    }

    /// Kills it, without a chance to say goodbye to its clients.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `None` while it runs.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// All that it wrote.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The last lines that it wrote.
    pub(crate) fn log_tail(&self) -> String {
        let text = self.log();
        let lines: Vec<_> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n");
        format!("--- the end of {}\n{tail}\n", self.log.display())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills a process group and removes its folder when dropped, or when this process is no more.
pub(crate) struct Lifeline(Child);

impl Lifeline {
    pub(crate) fn new(leader: &Process, folder: &Path) -> Self {
        let watch = Command::new("sh")
            .args(["-c", r#"read -r _; kill -s KILL -- "-$0"; rm -rf "$1""#])
            .arg(leader.id().to_string())
            .arg(folder)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(watch.unwrap())
    }
}

impl Drop for Lifeline {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
