//! [`Address`]: a URL of a queue, taken apart.

use queue_core::{Capacity, Failure, FailureKind};
use std::fmt;
use std::time::Duration;

/// The URL of a queue, taken apart: `scheme:name?key=value&key=value`.
///
/// Whatever prints it leaves out what stands before an `@`: a user and a password, or a token.
///
/// ```
/// use queue_any::Address;
/// let address = Address::parse("pipe://jobs?capacity=64")?;
/// assert_eq!((address.scheme(), address.name()), ("pipe", Some("jobs")));
/// assert_eq!(address.get("capacity"), Some("64"));
/// let secret = Address::parse("redis://me:secret@host/jobs")?;
/// assert_eq!(secret.to_string(), "redis://***@host/jobs");
/// # Ok::<(), queue_any::Failure>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    scheme: String,
    /// With the two slashes.
    slashes: bool,
    /// The name as it was written: in it an encoded `/`, `:` or `@` separates nothing.
    place: String,
    /// Percent-encoding undone.
    name: Option<String>,
    parameters: Vec<(String, String)>,
}

#[cold]
fn refused(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Unsupported, message)
}

/// `place` without a user, a password or a token, which stand before an `@`. All of it, for a word that
/// stands alone may be either a user or a token.
fn without_login(place: &str) -> String {
    // Somebody may have encoded all of it.
    let at = place.rsplit_once('@').or_else(|| place.rsplit_once("%40"));
    at.map_or(place.to_owned(), |(_, host)| format!("***@{host}"))
}

impl Address {
    /// Takes `url` apart.
    ///
    /// # Errors
    /// `Unsupported` if it has no scheme, a fragment, a parameter twice, without a value or with an `@`
    /// that is not encoded, or bytes that are no text.
    pub fn parse(url: &str) -> Result<Self, Failure> {
        // What is wrong with it may stand beside a password: so errors do not show it.
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(refused(
                "an address begins with a scheme, such as `thread:` or `pipe://jobs`",
            ));
        };
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && (scheme.chars()).all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !is_scheme {
            return Err(refused(
                "an address begins with a scheme of letters and digits",
            ));
        }
        if rest.contains('#') {
            return Err(refused(
                "an address has no fragment (`#`): write it as `%23`",
            ));
        }
        let (name, query) = rest.split_once('?').unwrap_or((rest, ""));
        if query.contains('@') {
            return Err(refused(
                "an `@` stands behind a `?`: in a password write `%3F` for `?`, and in a parameter `%40` for `@`",
            ));
        }
        let (slashes, place) = match name.strip_prefix("//") {
            Some(place) => (true, place),
            None => (false, name),
        };
        let name = percent_encoding::percent_decode_str(place).decode_utf8();
        let name = name.map_err(|error| {
            let message = "the name in an address is not UTF-8";
            Failure::caused(FailureKind::Unsupported, message, error)
        })?;
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if !pair.contains('=') {
                return Err(refused(format!("the parameter `{pair}` has no value")));
            }
            let Some((key, value)) = form_urlencoded::parse(pair.as_bytes()).next() else {
                continue;
            };
            if parameters.iter().any(|(known, _)| *known == key) {
                return Err(refused(format!("the parameter `{key}` is there twice")));
            }
            parameters.push((key.into_owned(), value.into_owned()));
        }
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            slashes,
            place: place.to_owned(),
            name: (!name.is_empty()).then(|| name.into_owned()),
            parameters,
        })
    }

    /// What stands before the colon, in small letters.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between that and the parameters, if there is anything.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The name as it was written.
    #[cfg(feature = "nats")]
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The value of parameter `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| &**value)
    }

    /// Refuses all parameters but those in `allowed`.
    ///
    /// # Errors
    /// `Unsupported`, with what is allowed.
    ///
    /// ```
    /// use queue_any::Address;
    /// let address = Address::parse("mine://jobs?capasity=64")?;
    /// let failure = address.allow(&["capacity"]).unwrap_err();
    /// assert!(failure.to_string().contains("`capasity`"));
    /// # Ok::<(), queue_any::Failure>(())
    /// ```
    pub fn allow(&self, allowed: &[&str]) -> Result<(), Failure> {
        let unknown = (self.parameters.iter()).find(|(key, _)| !allowed.contains(&&**key));
        let Some((key, _)) = unknown else {
            return Ok(());
        };
        let allowed: Vec<_> = allowed.iter().map(|key| format!("`{key}`")).collect();
        let allowed = match &*allowed {
            [] => "it has none".to_string(),
            some => format!("it has {}", some.join(", ")),
        };
        let scheme = &self.scheme;
        let message = format!("`{scheme}:` has no parameter `{key}`: {allowed}");
        Err(refused(message))
    }

    /// The parameter `capacity`, if it is there.
    ///
    /// # Errors
    /// `Unsupported` if it is no number, or zero.
    pub fn capacity(&self) -> Result<Option<Capacity>, Failure> {
        let Some(text) = self.get("capacity") else {
            return Ok(None);
        };
        let number = text.parse::<usize>().map_err(|error| {
            let message = format!("`capacity={text}` is no number of items");
            Failure::caused(FailureKind::Unsupported, message, error)
        })?;
        Capacity::try_bounded(number).map(Some)
    }

    /// The parameter `key` as a duration, if it is there: a number with a unit, such as `500ms`,
    /// `30s`, `5m` or `1h`.
    ///
    /// # Errors
    /// `Unsupported` if it is none.
    ///
    /// ```
    /// use queue_any::Address;
    /// use std::time::Duration;
    /// let address = Address::parse("mine:?patience=30s&other=30")?;
    /// assert_eq!(address.duration("patience")?, Some(Duration::from_secs(30)));
    /// assert!(address.duration("other").is_err());
    /// # Ok::<(), queue_any::Failure>(())
    /// ```
    pub fn duration(&self, key: &str) -> Result<Option<Duration>, Failure> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let milliseconds = match unit {
            "ms" => Some(1),
            "s" => Some(1000),
            "m" => Some(60_000),
            "h" => Some(3_600_000),
            _ => None,
        };
        let number = number.parse::<u64>().ok();
        let duration = (number.zip(milliseconds)).and_then(|(n, unit)| n.checked_mul(unit));
        match duration {
            Some(duration) => Ok(Some(Duration::from_millis(duration))),
            None => Err(refused(format!(
                "`{key}={text}` is no duration: write a number and `ms`, `s`, `m` or `h`"
            ))),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slashes = if self.slashes { "//" } else { "" };
        write!(f, "{}:{slashes}{}", self.scheme, without_login(&self.place))?;
        for (n, (key, value)) in self.parameters.iter().enumerate() {
            let mark = if n == 0 { '?' } else { '&' };
            let is_secret = ["password", "token", "secret"].contains(&&**key);
            let value = if is_secret { "***" } else { value };
            write!(f, "{mark}{key}={value}")?;
        }
        Ok(())
    }
}

/// As [`Display`](fmt::Display): without a password or a token.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}
