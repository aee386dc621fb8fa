//! The host's rules, without a host.

mod rules;
