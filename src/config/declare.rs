//! The macro behind the table of settings: each key is declared once, and the struct with its field, the reading,
//! the writing, the comparing and a line of documentation follow from it.

/// Declares the sections and [`Settings`](super::Settings), which holds them.
///
/// `live field: Type = "key", kind(…).default(…);` declares the key `section.key` of a section, of which a change takes
/// effect while the controller runs; `restart` instead of `live`: when it starts again. Behind the comma stands a
/// [`Key<Type>`](super::kind::Key).
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])*
        $section:ident: $Section:ident {$(
            $(#[doc = $doc:literal])*
            $applies:ident $field:ident: $Type:ty = $key:literal, $declared:expr;
        )*}
    )*) => {
        $(
            $(#[doc = $about])*
            #[derive(Debug, Clone, PartialEq)]
            pub struct $Section {$(
                $(#[doc = $doc])*
                #[doc = concat!("\nKey `", stringify!($section), ".", $key, "` (", stringify!($applies), "): `", stringify!($declared), "`.")]
                pub $field: $Type,
            )*}
        )*

        /// Settings of the controller: checked, plain values, a struct per section of the file.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Settings {$(
            $(#[doc = $about])*
            pub $section: $Section,
        )*}

        impl Settings {
            /// Asks `reader` for every key, in the order of the table.
            pub(super) fn read(reader: &mut Reader) -> Self {
                Self {$(
                    $section: $Section {$(
                        $field: reader.read(concat!(stringify!($section), ".", $key), $declared),
                    )*},
                )*}
            }

            /// The effective settings as a file that gives the same ones when it is loaded, every key in the order
            /// of the shipped `config/controller.yaml`.
            pub fn render(&self) -> String {
                let sections = [$(
                    [
                        concat!(stringify!($section), ":\n").to_owned(),
                        $(format!("  {}: {}\n", $key, $declared.kind.write(&self.$section.$field)),)*
                    ].concat(),
                )*];
                sections.join("\n")
            }

            /// The table with its documentation.
            #[cfg(test)]
            pub(super) fn table() -> Vec<document::Section> {
                vec![$(document::Section {
                    name: stringify!($section),
                    doc: &[$($about),*],
                    keys: vec![$({
                        let declared: crate::config::kind::Key<$Type> = $declared;
                        document::Key {
                            name: $key,
                            doc: &[$($doc),*],
                            applies: applies!($applies),
                            default: declared.kind.write(&declared.default),
                            allowed: declared.kind.allowed().to_owned(),
                        }
                    }),*],
                }),*]
            }

            /// The keys in which `new` is different, in the order of the table.
            pub(super) fn changes(&self, new: &Self) -> Vec<Change> {
                let changes = [$($(
                    (self.$section.$field != new.$section.$field).then(|| {
                        let kind = $declared.kind;
                        Change {
                            key: concat!(stringify!($section), ".", $key),
                            applies: applies!($applies),
                            old: kind.write(&self.$section.$field),
                            new: kind.write(&new.$section.$field),
                        }
                    }),
                )*)*];
                changes.into_iter().flatten().collect()
            }

            /// These settings with the live ones of `new`: what a running controller makes of them.
            pub(super) fn retuned(&self, new: &Self) -> Self {
                Self {$(
                    $section: $Section {$(
                        $field: match applies!($applies) {
                            Applies::Live => &new.$section.$field,
                            Applies::Restart => &self.$section.$field,
                        }.clone(),
                    )*},
                )*}
            }
        }
    };
}

/// The words of the table.
macro_rules! applies {
    (live) => {
        Applies::Live
    };
    (restart) => {
        Applies::Restart
    };
}

pub(super) use {applies, settings};
