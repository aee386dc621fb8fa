//! Tests of what the system's refusals become.

use crate::sys::refused;
use queue_core::FailureKind;
use rustix::io::Errno;

#[test]
fn a_refusal_says_whether_it_was_forbidden() {
    for (error, kind) in [
        (Errno::ACCESS, FailureKind::Denied),
        (Errno::PERM, FailureKind::Denied),
        (Errno::NOMEM, FailureKind::Io),
    ] {
        assert_eq!(refused("trying", error).kind(), kind, "{error}");
    }
}
