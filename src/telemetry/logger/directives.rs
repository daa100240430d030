//! Log levels, of all modules and of some.

use env_filter::Filter;
use log::LevelFilter;
use std::fmt;
use std::str::FromStr;

/// Modules that are quiet unless they are named. kube logs whole bodies when they cannot be decoded; what matters of
/// that is logged at our own edge. actix tells of each listener what our own lines tell already.
const QUIET: [(&str, LevelFilter); 2] = [("actix_server", LevelFilter::Warn), ("kube_client", LevelFilter::Off)];

/// A level for all modules, then levels for some, separated by commas: `info,aenv_controller::memo=debug`.
///
/// The words are those of env_logger, but for a bare name, which there means all that the module of that name says;
/// here it is refused, since more often it is a slip (`inof`) that silences everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directives {
    all: LevelFilter,
    modules: Vec<(String, LevelFilter)>,
}

/// A text that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a level, followed by <module>=<level> as often as needed")]
pub struct BadDirectives;

impl Directives {
    pub(super) fn filter(&self) -> Filter {
        let mut builder = env_filter::Builder::new();
        builder.filter_level(self.all);
        for (module, level) in QUIET {
            builder.filter_module(module, level);
        }
        for (module, level) in &self.modules {
            builder.filter_module(module, *level);
        }
        builder.build()
    }
}

/// One level for all modules.
impl From<LevelFilter> for Directives {
    fn from(all: LevelFilter) -> Self {
        Self { all, modules: Vec::new() }
    }
}

impl FromStr for Directives {
    type Err = BadDirectives;

    fn from_str(text: &str) -> Result<Self, BadDirectives> {
        let level = |word: &str| word.trim().parse().map_err(|_| BadDirectives);
        let mut words = text.split(',');
        let all = level(words.next().unwrap_or_default())?;
        let modules = words.map(|word| {
            let (module, its_level) = word.split_once('=').ok_or(BadDirectives)?;
            let module = module.trim();
            let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
            let named = !module.is_empty() && module.chars().all(is_path);
            if named { Ok((module.to_owned(), level(its_level)?)) } else { Err(BadDirectives) }
        });
        Ok(Self { all, modules: modules.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for Directives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |level: &LevelFilter| level.as_str().to_ascii_lowercase();
        f.write_str(&word(&self.all))?;
        self.modules.iter().try_for_each(|(module, level)| write!(f, ",{module}={}", word(level)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::{Level, Metadata};

    fn tells(directives: &str, level: Level, target: &str) -> bool {
        let filter = directives.parse::<Directives>().unwrap().filter();
        filter.enabled(&Metadata::builder().level(level).target(target).build())
    }

    #[test]
    fn a_module_has_its_own_level_and_the_rest_that_of_all() {
        let both = "info,aenv_controller::memo=debug";
        assert!(tells(both, Level::Debug, "aenv_controller::memo::flight"));
        assert!(!tells(both, Level::Debug, "aenv_controller::throttle"));
        assert!(tells(both, Level::Info, "aenv_controller::throttle"));
        assert!(!tells("off", Level::Error, "aenv_controller"));
    }

    #[test]
    fn quiet_modules_log_only_when_named() {
        assert!(!tells("trace", Level::Error, "kube_client::client"));
        assert!(!tells("debug", Level::Info, "actix_server::builder"));
        assert!(tells("info,kube_client=debug", Level::Debug, "kube_client::client"));
    }

    #[test]
    fn directives_survive_being_written_and_read() {
        let directives: Directives = " WARN , a::b = Debug,c=off".parse().unwrap();
        assert_eq!(directives.to_string(), "warn,a::b=debug,c=off");
        assert_eq!(directives.to_string().parse(), Ok(directives));
    }

    #[test]
    fn slips_are_refused() {
        for slip in ["", "inof", "info,", "info,hyper", "hyper=info", "info,=debug", "info,a=loud", "info,a b=debug"] {
            assert_eq!(slip.parse::<Directives>(), Err(BadDirectives), "{slip}");
        }
    }
}
