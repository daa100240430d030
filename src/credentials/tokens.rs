//! Bearer tokens, each with its scope.
//!
//! One per line: `<token> <read|write> [name]`. Only the tokens' hashes are kept, and a given token's hash is compared
//! with each of them in constant time, so that neither memory nor the time of an answer tells a token.

use super::{Contents, Credential, Hash, Source, hash};
use crate::syntax::{Fault, Faults, LabelValue};
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use subtle::ConstantTimeEq;

/// The fewest characters of a token. Sixteen of base64 are 96 bits, beyond guessing.
const SHORTEST: usize = 16;

/// Scope of a token. Each holds the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Questions: GET and HEAD.
    Read,
    /// Everything.
    Write,
}

impl Scope {
    /// The word for it, in the file and on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The token's scope.
    pub scope: Scope,
    /// Its name in the audit trail. `None`: the file gives it none.
    pub name: Option<LabelValue>,
}

/// The tokens that are known.
pub(crate) struct Tokens {
    known: Vec<(Hash, Caller)>,
    warning: Option<String>,
}

impl Tokens {
    /// Whose token this is. `None`: nobody's.
    pub(crate) fn caller(&self, token: &str) -> Option<&Caller> {
        let given = hash(token.as_bytes());
        // All of them are looked at, wherever the one is that fits.
        self.known
            .iter()
            .fold(None, |found, (known, caller)| if known.ct_eq(&given).into() { Some(caller) } else { found })
    }

    /// Reads the lines of `file`.
    fn parse(file: &Path, text: &str) -> Result<Self, Faults> {
        let (mut tokens, mut faults) = (Vec::new(), Faults::default());
        let mut lines_of = HashMap::new();
        for (line, text) in (1..).zip(text.lines().map(str::trim)) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            match parse_line(text) {
                Err(problem) => faults.push(Fault::new(problem).within(format_args!("{}:{line}", file.display()))),
                Ok((hash, _)) if lines_of.contains_key(&hash) => {
                    let problem = format!("the token of line {} again", lines_of[&hash]);
                    faults.push(Fault::new(problem).within(format_args!("{}:{line}", file.display())));
                }
                Ok((hash, caller)) => {
                    lines_of.insert(hash, line);
                    tokens.push((hash, caller));
                }
            }
        }
        if tokens.is_empty() && faults.is_empty() {
            faults.push(Fault::of_file(file, "holds no token, so nobody could ask anything"));
        }
        faults.none_or(Self { known: tokens, warning: None })
    }
}

/// Reads one line. What is wrong with it repeats no word of it: words may have changed places.
fn parse_line(line: &str) -> Result<(Hash, Caller), String> {
    let mut words = line.split_ascii_whitespace();
    let (token, scope, name) = (words.next().unwrap_or_default(), words.next(), words.next());
    if token.len() < SHORTEST {
        return Err(format!("the token has fewer than {SHORTEST} characters"));
    }
    if !is_bearer_token(token) {
        return Err(
            "the token has characters that no bearer token may have: give A-Z a-z 0-9 - . _ ~ + / and = at its end"
                .to_owned(),
        );
    }
    let scope = match scope {
        Some("read") => Scope::Read,
        Some("write") => Scope::Write,
        _ => return Err("behind the token stands neither read nor write".to_owned()),
    };
    let name = match name.map(LabelValue::new).transpose() {
        Ok(name) if words.next().is_none() => name,
        _ => return Err("the name is not one word of at most 63 letters, digits, - _ or .".to_owned()),
    };
    Ok((hash(token.as_bytes()), Caller { scope, name }))
}

/// True if it can be sent (RFC 6750, section 2.1).
fn is_bearer_token(token: &str) -> bool {
    let token = token.trim_end_matches('=');
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

impl Credential for Tokens {
    fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |scope| self.known.iter().filter(|(_, caller)| caller.scope == scope).count();
        write!(f, "{} for reading, {} for writing", of(Scope::Read), of(Scope::Write))
    }
}

/// A file of tokens.
pub(crate) struct TokensFile(PathBuf);

impl TokensFile {
    /// The file at `path`.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Source for TokensFile {
    type Credential = Tokens;

    const NAME: &'static str = "tokens";

    fn files(&self) -> Vec<&Path> {
        vec![&self.0]
    }

    fn make(&self, contents: &Contents) -> Result<Tokens, Faults> {
        let Ok(text) = std::str::from_utf8(contents.of(&self.0)?) else {
            return Err(Fault::of_file(&self.0, "is not text").into());
        };
        let tokens = Tokens::parse(&self.0, text)?;
        Ok(Tokens { warning: contents.loose_permissions(), ..tokens })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaa1";
    const B: &str = "bbbbbbbbbbbbbbb+/==";

    fn parse(text: &str) -> Result<Tokens, String> {
        Tokens::parse(Path::new("tokens"), text).map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_token_has_a_scope_and_perhaps_a_name() {
        let tokens =
            parse(&format!("# ours\r\n\n  {A}\tread\r\n{B} write ci-1\n")).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(tokens.caller(A), Some(&Caller { scope: Scope::Read, name: None }));
        let name = LabelValue::new("ci-1").ok();
        assert_eq!(tokens.caller(B), Some(&Caller { scope: Scope::Write, name }));
        for stranger in ["", "# ours", &A[1..], &A.to_uppercase(), &format!("{A} read"), &format!("{A}\0")] {
            assert_eq!(tokens.caller(stranger), None, "{stranger:?}");
        }
        assert_eq!(tokens.to_string(), "1 for reading, 1 for writing");
    }

    #[test]
    fn every_fault_names_its_line_and_no_word_of_it() {
        const SECRET: &str = "hunter2";
        let long = format!("{SECRET}{SECRET}{SECRET}");
        let lines = [
            format!("{SECRET} read"),
            long.clone(),
            format!("{long} Read"),
            format!("read {long}"),
            format!("{long}, read"),
            format!("{long} read {SECRET}, again"),
            format!("{A} write fine"),
            format!("{long} write one {SECRET}"),
            format!("{A} read other"),
        ];
        let Err(faults) = parse(&lines.join("\n")) else { panic!("it is taken") };
        assert!(!faults.contains(SECRET) && !faults.contains(A), "{faults}");
        let told: Vec<_> = faults.lines().map(|line| line.split(": ").next().unwrap()).collect();
        assert_eq!(told, [1, 2, 3, 4, 5, 6, 8, 9].map(|line| format!("tokens:{line}")));
        assert!(faults.ends_with("tokens:9: the token of line 7 again"), "{faults}");
    }

    #[test]
    fn a_file_without_a_token_is_a_fault() {
        for empty in ["", "\n# none\n"] {
            assert!(parse(empty).is_err_and(|why| why.contains("holds no token")));
        }
    }
}
