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

/// A feature of this crate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feature {
    pub(crate) name: &'static str,
    pub(crate) is_on: bool,
}

const THREAD: Feature = Feature {
    name: "thread",
    is_on: cfg!(feature = "thread"),
};
const ASYNC: Feature = Feature {
    name: "async",
    is_on: cfg!(feature = "async"),
};
const PROCESS: Feature = Feature {
    name: "process",
    is_on: cfg!(feature = "process"),
};
const NATS: Feature = Feature {
    name: "nats",
    is_on: cfg!(feature = "nats"),
};
const NATS_PARAMETERS: &[&str] = &[
    "capacity", "replicas", "ack_wait", "prefetch", "creds", "mode",
];

/// One scheme.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scheme {
    /// What stands before the colon.
    pub(crate) scheme: &'static str,
    /// The feature that brings it in.
    pub(crate) feature: Feature,
    pub(crate) name: Name,
    /// The parameters it knows.
    pub(crate) parameters: &'static [&'static str],
}

/// All schemes of the family, whether their features are on or off.
pub(crate) const SCHEMES: &[Scheme] = &[
    Scheme::new("thread", THREAD, Name::Optional, &["capacity", "mode"]),
    Scheme::new("lockfree", THREAD, Name::Optional, &["capacity", "mode"]),
    Scheme::new("async", ASYNC, Name::Optional, &["capacity", "mode"]),
    Scheme::new("pipe", PROCESS, Name::Optional, &["capacity", "mode"]),
    Scheme::new("shm", PROCESS, Name::Optional, &["capacity", "mode"]),
    Scheme::new("ipc", PROCESS, Name::None, &["capacity"]),
    Scheme::new("inherit", PROCESS, Name::Required, &[]),
    Scheme::new("nats", NATS, Name::Required, NATS_PARAMETERS),
    Scheme::new("nats+tls", NATS, Name::Required, NATS_PARAMETERS),
];

impl Scheme {
    const fn new(
        scheme: &'static str,
        feature: Feature,
        name: Name,
        parameters: &'static [&'static str],
    ) -> Self {
        Self {
            scheme,
            feature,
            name,
            parameters,
        }
    }

    /// The one called so, if the family has it.
    pub(crate) fn find(scheme: &str) -> Option<&'static Self> {
        SCHEMES.iter().find(|known| known.scheme == scheme)
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
