//! Report: a line for each step as soon as it is known, and at the end a verdict.

use std::io::{self, Write};
use tokio::time::Duration;

/// Width of the column of labels: the longest label, and a gap.
const LABEL_WIDTH: usize = 16;

/// Width of the names of resources in the column behind it.
pub(super) const RESOURCE_WIDTH: usize = 24;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Worth knowing; nothing needs to change.
    Note,
    /// It works, but not well, or not for long.
    Warning,
    /// Requests fail because of it.
    Wrong,
}

impl Severity {
    /// The narrow marks are followed by a space of their own, so that what comes behind them is aligned.
    fn mark(self) -> &'static str {
        match self {
            Self::Fine => "✅",
            Self::Note => "ℹ️ ",
            Self::Warning => "⚠️ ",
            Self::Wrong => "❌",
        }
    }
}

/// Something that the verdict has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its severity.
    pub severity: Severity,
    /// The problem, in plain words.
    pub what: String,
    /// Advice; may have several lines. Empty if there is nothing to change.
    pub change: String,
}

impl Finding {
    pub(super) fn note(what: impl Into<String>, change: impl Into<String>) -> Self {
        Self { severity: Severity::Note, what: what.into(), change: change.into() }
    }

    /// A finding about what works, but not well.
    pub(crate) fn warning(what: impl Into<String>, change: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, what: what.into(), change: change.into() }
    }

    /// A finding that makes requests fail.
    pub(crate) fn wrong(what: impl Into<String>, change: impl Into<String>) -> Self {
        Self { severity: Severity::Wrong, what: what.into(), change: change.into() }
    }
}

/// The worst of `findings`.
pub(super) fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Fine)
}

/// Report that is written while the examination goes on.
pub(crate) struct Report<'a> {
    out: &'a mut dyn Write,
    findings: Vec<Finding>,
}

impl<'a> Report<'a> {
    /// A report that is written to `out`, line by line.
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { out, findings: Vec::new() }
    }

    /// Writes the line of one step. It is marked as badly as it is `severe`.
    pub(crate) fn line(&mut self, severe: Severity, label: &str, text: &str) -> io::Result<()> {
        writeln!(self.out, "{} {label:<LABEL_WIDTH$}{text}", severe.mark())?;
        self.out.flush()
    }

    /// Keeps findings for the verdict, each of them once.
    pub(crate) fn keep(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }

    /// Writes the line of one step, marked as its worst finding, and keeps these for the verdict.
    pub(crate) fn step(&mut self, label: &str, text: &str, findings: Vec<Finding>) -> io::Result<()> {
        self.line(worst(&findings), label, text)?;
        self.keep(findings);
        Ok(())
    }

    /// Writes the verdict, the worst first, and tells how bad it is.
    pub(crate) fn close(mut self) -> io::Result<Severity> {
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let worst = worst(&self.findings);
        let headline = match worst {
            Severity::Fine => "all is well, nothing to change.",
            Severity::Note => "all is well. Worth knowing:",
            Severity::Warning => "it works, with warnings.",
            Severity::Wrong => "something is wrong that makes requests fail.",
        };
        writeln!(self.out, "\nVerdict: {headline}")?;
        for Finding { severity, what, change } in &self.findings {
            writeln!(self.out, "\n{} {what}", severity.mark())?;
            for line in change.lines() {
                writeln!(self.out, "   {line}")?;
            }
        }
        self.out.flush()?;
        Ok(worst)
    }
}

/// `4 ms`, `1.3 s`.
pub(super) fn millis(time: Duration) -> String {
    match time.as_millis() {
        0 => "under 1 ms".to_owned(),
        short @ ..1_000 => format!("{short} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// `310 B`, `9.0 kB`, `4.5 MB`.
pub(super) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits of it are shown")]
    let number = bytes as f64;
    match bytes {
        ..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", number / 1e3),
        _ => format!("{:.1} MB", number / 1e6),
    }
}

/// `1 call`, `3 calls`.
pub(super) fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_tells_the_worst_first_and_leaves_out_what_is_fine() {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        report.line(Severity::Fine, "settings", "checked").unwrap();
        report.step("pods", "slow", vec![Finding::warning("slow", "list.page_size: 100")]).unwrap();
        for resource in ["services", "deployments"] {
            report.step(resource, "429", vec![Finding::wrong("overload", "one\n  two")]).unwrap();
        }
        assert_eq!(report.close().unwrap(), Severity::Wrong);
        let text = String::from_utf8(out).unwrap();
        let (steps, verdict) = text.split_once("\nVerdict: ").unwrap();
        assert_eq!(steps.lines().count(), 4, "{text}");
        assert!(verdict.find("❌ overload\n   one\n     two\n") < verdict.find("⚠️  slow"), "{text}");
        assert!(!verdict.contains("settings"), "{text}");
        assert_eq!(verdict.matches("overload").count(), 1, "{text}");
    }

    #[test]
    fn amounts_read_well() {
        assert_eq!(millis(Duration::from_micros(300)), "under 1 ms");
        assert_eq!(millis(Duration::from_millis(999)), "999 ms");
        assert_eq!(millis(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!((size(999), size(9_000), size(4_480_000)), ("999 B".into(), "9.0 kB".into(), "4.5 MB".into()));
        assert_eq!((count(1, "page"), count(2, "page")), ("1 page".into(), "2 pages".into()));
    }
}
