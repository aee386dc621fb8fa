//! [`Scheme`]: what each scheme means, in one table that parsing, errors and docs share.

/// Whether an address of a scheme has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// It must not.
    None,
    /// It may.
    Optional,
    /// It must.
    Required,
}

/// One scheme.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scheme {
    /// What stands before the colon.
    pub(crate) scheme: &'static str,
    /// The feature that brings it in.
    pub(crate) feature: &'static str,
    pub(crate) name: Name,
    /// The parameters it knows.
    pub(crate) parameters: &'static [&'static str],
}

/// All schemes of the family, whether their features are on or off.
pub(crate) const SCHEMES: &[Scheme] = &[
    Scheme {
        scheme: "thread",
        feature: "thread",
        name: Name::Optional,
        parameters: &["capacity", "mode"],
    },
    Scheme {
        scheme: "lockfree",
        feature: "thread",
        name: Name::Optional,
        parameters: &["capacity", "mode"],
    },
    Scheme {
        scheme: "async",
        feature: "async",
        name: Name::Optional,
        parameters: &["capacity", "mode"],
    },
    Scheme {
        scheme: "pipe",
        feature: "process",
        name: Name::Optional,
        parameters: &["capacity", "mode"],
    },
    Scheme {
        scheme: "shm",
        feature: "process",
        name: Name::Optional,
        parameters: &["capacity", "mode"],
    },
    Scheme {
        scheme: "ipc",
        feature: "process",
        name: Name::None,
        parameters: &["capacity"],
    },
    Scheme {
        scheme: "inherit",
        feature: "process",
        name: Name::Required,
        parameters: &[],
    },
];

impl Scheme {
    /// The one called so, if the family has it.
    pub(crate) fn find(scheme: &str) -> Option<&'static Self> {
        SCHEMES.iter().find(|known| known.scheme == scheme)
    }

    /// Whether its feature is on.
    pub(crate) fn is_on(&self) -> bool {
        match self.feature {
            "thread" => cfg!(feature = "thread"),
            "async" => cfg!(feature = "async"),
            _ => cfg!(feature = "process"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_docs_have_every_scheme_and_every_parameter() {
        let rows = include_str!("addresses.md").lines();
        let rows: Vec<_> = rows.filter(|row| row.starts_with("| `")).collect();
        assert_eq!(rows.len(), SCHEMES.len());
        for (row, scheme) in rows.iter().zip(SCHEMES) {
            let fields: Vec<_> = row.split('|').map(str::trim).collect();
            let name = match scheme.name {
                Name::None => "none",
                Name::Optional => "optional",
                Name::Required => "required",
            };
            let each: Vec<_> = (scheme.parameters.iter())
                .map(|p| format!("`{p}`"))
                .collect();
            let parameters = match &*each {
                [] => "none".to_string(),
                some => some.join(", "),
            };
            let expected = [&*format!("`{}:`", scheme.scheme), name, &*parameters];
            assert_eq!([fields[1], fields[3], fields[4]], expected);
        }
    }
}
