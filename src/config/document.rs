//! Documentation of the settings, generated from the table: the commented `config/controller.yaml`, and
//! `docs/CONFIGURATION.md`. A test compares both with the files; `UPDATE=1` has it write them.

use super::Applies;
use super::cli::Flags;
use std::fmt::Write as _;

/// The widest line of the settings file.
const WIDTH: usize = 120;

const YAML_HEAD: &str = "\
# Settings of the controller: every key, with its default. Generated from the table in src/config/sections.rs.
#
# A file may leave out any key, and there need not be a file. A key that is left out, or set to ~, has its default.
# Stronger than this file are the environment (AENV_CONTROLLER__SECTION__KEY, as in AENV_CONTROLLER__THROTTLE__QPS=20)
# and then the flags. Unknown keys and values out of range are refused at start, all in one message; `controller
# check-config --config <this file>` checks beforehand. The end of a key is its unit: _ms milliseconds, _bytes bytes.
#
# Keys marked `live` can be changed while the controller runs: it reads this file again when it changes, and on SIGHUP,
# and nothing that is kept in memory is lost. The others need a restart; if one of them changes, the log names it. A
# file with a fault changes nothing. (A ConfigMap that is mounted with subPath never changes: mount the folder.)
";

const MARKDOWN_HEAD: &str = "\
# Configuration

Generated from the table in `src/config/sections.rs`; `UPDATE=1 cargo test --lib config::` writes it.

Settings come from these sources, the later one winning: the defaults; a YAML file (`--config`, else
`/etc/aenv/controller.yaml` if it exists); `SERVICE_DOMAIN_SUFFIX`; environment variables
`AENV_CONTROLLER__SECTION__KEY`; flags. Unknown keys and values that are not allowed are refused at start, all in one
message, with exit code 64. `controller check-config` checks, and prints every setting that would be in effect.

The end of a key is its unit: `_ms` milliseconds, `_bytes` bytes. A *live* key takes effect while the controller runs:
the file is read again when it changes and on SIGHUP, and a file with a fault changes nothing. The others need a
restart; the log names those that have changed. A ConfigMap has to be mounted as a folder: with `subPath` it never
changes.

[`config/controller.yaml`](../config/controller.yaml) has every key with its default, as a file to start from.
";

/// A section of the table.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) doc: &'static [&'static str],
    pub(super) keys: Vec<Key>,
}

/// A key of the table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) doc: &'static [&'static str],
    pub(super) applies: Applies,
    pub(super) default: String,
    pub(super) allowed: String,
}

impl Key {
    /// The default as a file should have it: one that names the version is left open.
    fn lasting_default(&self) -> &str {
        if self.default.contains(env!("CARGO_PKG_VERSION")) { "~" } else { &self.default }
    }
}

/// The commented settings file, every key at its default.
pub(super) fn yaml(sections: &[Section]) -> String {
    let mut text = YAML_HEAD.to_owned();
    for section in sections {
        text.push('\n');
        comment(&mut text, "# ", &paragraphs(section.doc));
        _ = writeln!(text, "{}:", section.name);
        for key @ Key { name, doc, applies, allowed, .. } in &section.keys {
            let default = key.lasting_default();
            comment(&mut text, "  # ", &paragraphs(doc));
            comment(&mut text, "  # ", &[Paragraph::Text(format!("Takes {allowed}."))]);
            let live = if *applies == Applies::Live { "  # live" } else { "" };
            _ = writeln!(text, "  {name}: {default}{live}");
        }
    }
    text
}

/// The reference of all keys.
pub(super) fn markdown(sections: &[Section]) -> String {
    let flags = Flags::default();
    let mut text = MARKDOWN_HEAD.to_owned();
    for section in sections {
        _ = write!(text, "\n## `{}`\n\n{}\n", section.name, prose(section.doc));
        for key @ Key { name, doc, applies, allowed, .. } in &section.keys {
            let default = key.lasting_default();
            let path = format!("{}.{name}", section.name);
            let flag = flags.keys().find(|(_, of, _)| *of == path);
            let flag = flag.map(|(flag, ..)| format!(", `{flag}`")).unwrap_or_default();
            let variable = format!("AENV_CONTROLLER__{}", path.to_uppercase().replace('.', "__"));
            let default = if default == "~" { "none".to_owned() } else { format!("`{default}`") };
            let applies = if *applies == Applies::Live { "live" } else { "restart" };
            _ = write!(
                text,
                "\n### `{path}`\n\n{}\n\n- Default: {default}; {applies}\n- Takes {allowed}\n- `{variable}`{flag}\n",
                prose(doc)
            );
        }
    }
    text
}

/// A piece of documentation.
enum Paragraph {
    Text(String),
    /// A line that is kept as it is.
    Code(String),
}

/// The lines of a documentation comment as paragraphs; a line that is indented is code.
fn paragraphs(lines: &[&str]) -> Vec<Paragraph> {
    let mut all: Vec<Paragraph> = Vec::new();
    let mut open = false;
    for line in lines {
        match (line.trim(), &mut all[..]) {
            ("", _) => open = false,
            (code, _) if line.starts_with("     ") => {
                all.push(Paragraph::Code(code.to_owned()));
                open = false;
            }
            (words, [.., Paragraph::Text(text)]) if open => *text = format!("{text} {words}"),
            (words, _) => {
                all.push(Paragraph::Text(words.to_owned()));
                open = true;
            }
        }
    }
    all
}

/// Writes paragraphs as comments whose lines begin with `prefix`.
fn comment(text: &mut String, prefix: &str, paragraphs: &[Paragraph]) {
    for paragraph in paragraphs {
        match paragraph {
            Paragraph::Code(code) => _ = writeln!(text, "{prefix}  {code}"),
            Paragraph::Text(words) => {
                let mut line = prefix.trim_end().to_owned();
                for word in words.split(' ') {
                    if line.chars().count() + 1 + word.chars().count() > WIDTH {
                        _ = writeln!(text, "{line}");
                        prefix.trim_end().clone_into(&mut line);
                    }
                    _ = write!(line, " {word}");
                }
                _ = writeln!(text, "{line}");
            }
        }
    }
}

/// The paragraphs as Markdown.
fn prose(lines: &[&str]) -> String {
    let paragraph = |paragraph| match paragraph {
        Paragraph::Text(words) => words,
        Paragraph::Code(code) => format!("    {code}"),
    };
    paragraphs(lines).into_iter().map(paragraph).collect::<Vec<_>>().join("\n\n")
}
