//! Command lines, of the table in `flags.yaml`: the settings that they change, and what is said of them.

use super::table;
use aenv_controller::config::Settings;
use aenv_controller::config::cli::{Cli, Command, EXIT_USAGE, exit_code};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::mem::discriminant;

/// A row with the command lines that mean the same.
#[derive(Deserialize)]
struct Row {
    lines: Vec<String>,
    #[serde(default)]
    settings: BTreeMap<String, Value>,
    warning: Option<String>,
    refused: Option<String>,
    #[serde(default)]
    help: bool,
    command: Option<String>,
}

/// The keys that a command line changes, and what the log says of its flags.
struct Read {
    command: Command,
    settings: BTreeMap<String, Value>,
    warnings: String,
}

/// Reads a command line as the program does. The error is an exit code and a message.
fn read(line: &str) -> Result<Read, (u8, String)> {
    let cli = Cli::parse(["controller"].into_iter().chain(line.split(' ')))
        .map_err(|error| (exit_code(&error), error.to_string()))?;
    let settings = Settings::load(&cli.flags, []).map_err(|error| (EXIT_USAGE, error.to_string()))?;
    let mut settings = keys(&settings);
    let defaults = keys(&Settings::default());
    settings.retain(|key, value| defaults.get(key) != Some(value));
    Ok(Read { command: cli.command, settings, warnings: cli.unused.warnings().join("\n") })
}

/// The values of all keys, by their paths.
fn keys(settings: &Settings) -> BTreeMap<String, Value> {
    let sections: BTreeMap<String, BTreeMap<String, Value>> = serde_saphyr::from_str(&settings.render()).unwrap();
    let of_section = |(section, keys): (String, BTreeMap<_, _>)| {
        keys.into_iter().map(move |(key, value)| (format!("{section}.{key}"), value))
    };
    sections.into_iter().flat_map(of_section).collect()
}

#[test]
fn every_row_of_the_table_of_flags_is_true() {
    let rows = table::<Row>("flags");
    assert!(rows.len() > 15);
    for row in &rows {
        for line in &row.lines {
            is_true(row, line);
        }
    }
}

#[track_caller]
fn is_true(row: &Row, line: &str) {
    let read = match (read(line), &row.refused) {
        (Err((0, _)), None) if row.help => return,
        (Err((EXIT_USAGE, message)), Some(refused)) => {
            return assert!(refused.lines().all(|part| message.contains(part)), "{line}: {message}");
        }
        (Ok(read), None) if !row.help => read,
        (Ok(_), _) => panic!("{line}: is taken"),
        (Err((code, message)), _) => panic!("{line}: exits with {code}: {message}"),
    };
    let command = match row.command.as_deref() {
        Some("doctor") => Command::Doctor,
        None => Command::Serve,
        Some(other) => panic!("{other}: no row has this subcommand so far"),
    };
    assert_eq!(discriminant(&read.command), discriminant(&command), "{line}");
    assert_eq!(read.settings, row.settings, "{line}");
    assert_eq!(read.warnings, row.warning.as_deref().unwrap_or_default(), "{line}");
}
